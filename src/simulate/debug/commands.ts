/** The language of the debugger's command line: one line in, one command out. */
import type { FrameEdit } from '../../core/stimulus.js';
import type { Json } from '../../lib/json.js';
import type { BreakpointWish } from './breakpoints.js';

export type DebugCommand =
  | {
      readonly do:
        | 'help'
        | 'list'
        | 'where'
        | 'breaks'
        | 'threads'
        | 'mocks'
        | 'explain'
        | 'history'
        | 'quit';
    }
  | { readonly do: 'step'; readonly how: 'in' | 'over' | 'out' }
  | { readonly do: 'back'; readonly how: 'in' | 'over' }
  | { readonly do: 'continue' | 'reverse' | 'finish' }
  | { readonly do: 'break'; readonly wish: BreakpointWish }
  | { readonly do: 'delete'; readonly id: number }
  | { readonly do: 'print'; readonly expression: string }
  | { readonly do: 'thread'; readonly number: number }
  | { readonly do: 'set'; readonly edit: Omit<FrameEdit, 'frame'> }
  | { readonly do: 'patch'; readonly path: string; readonly value: Json }
  | { readonly do: 'result'; readonly state: string | null; readonly output: Json }
  | {
      readonly do: 'error';
      readonly state: string | null;
      readonly error: string;
      readonly cause: string | null;
    };

/** A line that is no command; the message says what to type. */
export class BadCommand extends Error {
  override readonly name = 'BadCommand';
}

const SHORT: Readonly<Record<string, string>> = {
  '?': 'help',
  h: 'help',
  b: 'break',
  tb: 'break',
  c: 'continue',
  s: 'step',
  n: 'next',
  o: 'out',
  u: 'back',
  rc: 'reverse',
  p: 'print',
  w: 'where',
  l: 'list',
  t: 'threads',
  r: 'finish',
  run: 'finish',
  q: 'quit',
  exit: 'quit',
};

const PLAIN = [
  'help',
  'list',
  'where',
  'breaks',
  'threads',
  'mocks',
  'explain',
  'history',
  'quit',
] as const;

export function parseCommand(line: string): DebugCommand | null {
  const text = line.trim();
  if (text === '' || text.startsWith('#')) return null;
  const [, typed = '', rest = ''] = /^(\S+)\s*([\s\S]*)$/.exec(text) ?? [];
  const name = SHORT[typed] ?? typed;
  const plain = PLAIN.find((known) => known === name);
  if (plain !== undefined) return { do: plain };
  switch (name) {
    case 'step':
      return { do: 'step', how: rest === 'out' || rest === 'over' ? rest : 'in' };
    case 'next':
      return { do: 'step', how: 'over' };
    case 'out':
      return { do: 'step', how: 'out' };
    case 'back':
      return { do: 'back', how: rest === 'in' ? 'in' : 'over' };
    case 'continue':
    case 'reverse':
    case 'finish':
      return { do: name };
    case 'break':
      return { do: 'break', wish: parseBreakpoint(rest) };
    case 'delete':
      return { do: 'delete', id: numberOf(rest, 'delete 2') };
    case 'thread':
      return { do: 'thread', number: numberOf(rest, 'thread 2') };
    case 'print':
      if (rest === '') throw new BadCommand('print what? For example: print $.order.id');
      return { do: 'print', expression: rest };
    case 'set':
      return parseSet(rest);
    default:
      throw new BadCommand(`'${typed}' is no command. help lists them.`);
  }
}

const WHEN: Readonly<Record<string, BreakpointWish['on']>> = {
  enter: 'entered',
  exit: 'exited',
  fail: 'failed',
};

/** `[enter|exit|fail] [State] [if <expression>]`; `uncaught` for failures that nothing takes. */
export function parseBreakpoint(text: string): BreakpointWish {
  const [, before = '', condition] =
    /^([\s\S]*?)(?:(?:^|\s)if\s+([\s\S]+))?$/.exec(text.trim()) ?? [];
  let state = before.trim();
  let on: BreakpointWish['on'] = 'entered';
  let uncaught = false;
  const [, first = '', others = ''] =
    /^(enter|exit|fail|uncaught)(?:[\s:]+([\s\S]*))?$/.exec(state) ?? [];
  if (first !== '') {
    on = first === 'uncaught' ? 'failed' : (WHEN[first] as BreakpointWish['on']);
    uncaught = first === 'uncaught';
    state = others;
  }
  if (state === '' && first === '' && condition === undefined) {
    throw new BadCommand('break where? For example: break QualityGate if $.accuracy < 0.9');
  }
  return { on, state: state === '' ? null : state, condition: condition ?? null, uncaught };
}

function parseSet(text: string): DebugCommand {
  const [, what = '', rest = ''] = /^(\S+?)\s*(?:=\s*|\s+)([\s\S]+)$/.exec(text) ?? [];
  if (what === 'input') return { do: 'set', edit: { value: jsonOf(rest) } };
  if (/^\$[.[]/.test(what)) return { do: 'patch', path: what, value: jsonOf(rest) };
  if (what.startsWith('$'))
    return { do: 'set', edit: { variables: { [what.slice(1)]: jsonOf(rest) } } };
  if (what === 'result') {
    const [state, value] = forState(rest);
    return { do: 'result', state, output: jsonOf(value) };
  }
  if (what === 'error') {
    const [, error = '', cause] = /^(\S+)(?:\s+([\s\S]+))?$/.exec(rest) ?? [];
    return { do: 'error', state: null, error, cause: cause ?? null };
  }
  throw new BadCommand(
    'set input <json>, set $variable <json>, set result [State:] <json>, or set error <Name> [cause]',
  );
}

/** `State: <json>` or `<json>`. */
function forState(text: string): readonly [string | null, string] {
  const match = /^([^{}[\]"':]+):\s+([\s\S]+)$/.exec(text);
  return match === null ? [null, text] : [match[1] as string, match[2] as string];
}

function jsonOf(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw new BadCommand(`That is not JSON: ${(error as Error).message}`);
  }
}

function numberOf(text: string, example: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new BadCommand(`Give a number: ${example}`);
}

export const HELP = `
  break [enter|exit|fail|uncaught] [State] [if <expression>]   stop there; delete <n>, breaks
  step (s)        to the next state, also into branches and iterations
  next (n)        to the next state of this thread
  out (o)         to the next state around this thread
  back (u)        to the state before; back in: also into branches and iterations
  continue (c)    to the next breakpoint; reverse (rc): to the one before
  finish (r)      to the end, past all breakpoints
  print (p) <expression>       $.a.b, $variable, $$.Execution.Name, $.n > 3, or JSONata
  set input <json>             of the state that comes next
  set $.path <json>            a part of that input
  set $variable <json>
  set result [State:] <json>   the task is not run, but answered with this
  set error <Name> [cause]     the task is not run, but fails with this
  where (w), threads (t), thread <n>, list (l), explain, history, mocks
  quit (q)
`;
