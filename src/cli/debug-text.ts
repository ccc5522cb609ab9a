/** What the debugger says on the command line: where it stands, what was called, what a state is. */
import type { Fact, Outcome } from '../core/fact.js';
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../lib/json.js';
import type { Breakpoints } from '../simulate/debug/breakpoints.js';
import type { Debugger } from '../simulate/debug/debugger.js';
import type { Stop } from '../simulate/debug/stops.js';
import { firstLine } from './progress.js';
import { cyan, dim, green, red, yellow } from './style.js';

const SHOWN_CHARACTERS = 200;

/** For programs. */
export function stopLine(session: Debugger, stop: Stop): JsonObject {
  const { outcome = null, lastAt } = session.execution ?? { lastAt: 0 };
  const held = session.execution?.frames.get(stop.frame);
  return {
    type: 'stop',
    ...stop,
    place: session.places().get(stop.frame) ?? 'root',
    value: held?.value ?? null,
    variables: held?.variables ?? {},
    at: new Date(lastAt).toISOString(),
    ...(outcome === null ? {} : { outcome: outcome as unknown as JsonObject }),
  };
}

/** For people, in one or two lines. */
export function stopText(session: Debugger, stop: Stop): string {
  const { outcome = null, lastAt } = session.execution ?? { lastAt: 0 };
  const held = session.execution?.frames.get(stop.frame);
  const place = session.places().get(stop.frame) ?? 'root';
  const why =
    stop.breakpoints.length > 0 ? yellow(`breakpoint ${stop.breakpoints.join(', ')}  `) : '';
  const inside = place === 'root' ? '' : dim(`  in ${place}`);
  const at = dim(new Date(lastAt).toISOString());
  const head = `${markOf(stop, outcome)} ${why}${firstLine(stop.text)}${inside}  ${at}`;
  if (stop.reason === 'ended' && outcome !== null) return `${head}\n  ${outcomeText(outcome)}`;
  if (held === undefined || stop.reason === 'failed') return head;
  const what = dim(stop.when === 'before' ? 'input ' : 'value ');
  return `${head}\n  ${what} ${short(held.value)}`;
}

function markOf({ reason }: Stop, outcome: Outcome | null): string {
  if (reason === 'failed') return red('✗');
  if (reason !== 'ended') return cyan('▸');
  return outcome?.ok ? green('■') : red('■');
}

function outcomeText(outcome: Outcome): string {
  if (outcome.ok) return short(outcome.output);
  const { error, cause } = outcome.failure;
  return red(`${error ?? ''}: ${firstLine(cause ?? '')}`);
}

export function breakpointText(breakpoints: Breakpoints, id: number): string {
  const found = breakpoints.list().find((one) => one.id === id);
  if (found === undefined) return '';
  const { on, state, condition, uncaught } = found;
  const when = condition === null ? '' : ` if ${condition}`;
  return `${uncaught ? 'uncaught' : on} ${state ?? 'any state'}${when}`;
}

/** What was called so far, and how it was answered. */
export function callsOf(
  facts: readonly Fact[],
): readonly { readonly call: string; readonly answer: string }[] {
  const names = new Map<number, string>();
  const states = new Map<string, string>();
  return facts.flatMap((fact) => {
    if (fact.type === 'StateEntered') states.set(fact.frame, fact.name);
    if (fact.type === 'TaskScheduled')
      names.set(fact.seq, `${states.get(fact.frame)} ${fact.resource.arn}`);
    if (fact.type !== 'TaskSucceeded' && fact.type !== 'TaskFailed') return [];
    const answer =
      fact.type === 'TaskSucceeded'
        ? JSON.stringify(fact.output)
        : `${fact.failure.error}: ${fact.failure.cause ?? ''}`;
    return [{ call: names.get(fact.scheduled) ?? '', answer }];
  });
}

/** Inner States are the business of their own states. */
export function shallow(definition: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(definition).map(([field, value]): [string, Json] => {
      if (field === 'Branches' && isArray(value)) return [field, `${value.length} branches`];
      const inner = isObject(value) ? getOwn(value, 'States') : undefined;
      return isObject(inner) ? [field, `states ${Object.keys(inner).join(', ')}`] : [field, value];
    }),
  );
}

function short(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS - 1)}…` : text;
}
