/**
 * A conversation in the Debug Adapter Protocol: an editor starts or attaches, sets breakpoints on lines of
 * the definition, and moves the debugger. Threads are frames (the root, branches, iterations); a stack is a
 * frame and those around it.
 */
import { resolve } from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Fact, FactOf } from '../../core/fact.js';
import type { FrameId } from '../../lib/brand.js';
import type { JsonObject } from '../../lib/json.js';
import { parseCommand } from '../debug/commands.js';
import type { Debugger } from '../debug/debugger.js';
import type { Stop } from '../debug/stops.js';
import { type Scopes, scopesOf, stackOf, threadsOf } from '../debug/view.js';
import { CAPABILITIES } from './capabilities.js';
import { endText, progressText } from './console-lines.js';
import { Conversation, type Handler, type Line } from './conversation.js';
import { EditorBreakpoints } from './editor-breakpoints.js';
import { type StateRange, stateRanges } from './source-map.js';
import { Threads } from './threads.js';
import { parseValue, replaced, type ScopeName, VariableTable } from './variables.js';

/** What the adapter debugs; opened by whoever knows stores and configuration. */
export interface Debuggee {
  readonly session: Debugger;
  readonly title: string;
  /** Text of the definition, and its file when it has one. */
  readonly definition: string;
  readonly path: string | null;
  close(stop: boolean): Promise<void>;
}

export interface AdapterWorld extends Line {
  /** Arguments of launch or attach, as the editor gave them. Throws a sentence. */
  open(args: JsonObject, how: 'launch' | 'attach'): Promise<Debuggee>;
}

const NOTHING = 'Nothing is being debugged: launch or attach first.';

export class Adapter {
  private debuggee: Debuggee | null = null;
  private ranges: readonly StateRange[] = [];
  private launched = false;
  private stopOnEntry = false;
  private stopAtEnd = false;
  private running = false;
  private told = 0;
  private readonly threads = new Threads();
  private readonly variables = new VariableTable();
  private failure: FactOf<'AttemptFailed'> | null = null;
  private set: EditorBreakpoints | null = null;
  private readonly talk: Conversation;

  constructor(private readonly world: AdapterWorld) {
    this.talk = new Conversation(world, this.table());
  }

  /** Takes one message of the client. */
  receive(message: unknown): Promise<void> {
    return this.talk.receive(message);
  }

  /** The client has gone without a word. */
  async hangUp(): Promise<void> {
    const { debuggee } = this;
    this.debuggee = null;
    await debuggee?.close(this.launched);
  }

  private get session(): Debugger {
    if (this.debuggee === null) throw new Error(NOTHING);
    return this.debuggee.session;
  }

  private get breakpoints(): EditorBreakpoints {
    if (this.set === null) throw new Error(NOTHING);
    return this.set;
  }

  /** Of a debugger that stands still. */
  private get still(): Debugger {
    if (this.running) throw new Error('The execution is running: pause it first.');
    return this.session;
  }

  private table(): Record<string, Handler> {
    return {
      initialize: async () => CAPABILITIES,
      launch: (args) => this.open(args, 'launch'),
      attach: (args) => this.open(args, 'attach'),
      setBreakpoints: async (args) => this.breakpoints.onLines(args),
      setFunctionBreakpoints: async (args) => this.breakpoints.onStates(args),
      setExceptionBreakpoints: async (args) => this.breakpoints.onFailures(args),
      configurationDone: () => this.begin(),
      threads: async () => ({ threads: this.threadList() }),
      stackTrace: (args) => this.stackTrace(args),
      scopes: (args) => this.scopes(args),
      variables: async (args) => ({
        variables: this.variables.membersOf(
          Number(args.variablesReference),
          Number(args.start ?? 0),
          Number(args.count ?? 0),
        ),
      }),
      setVariable: (args) => this.setVariable(args),
      evaluate: (args) => this.evaluate(args),
      source: async () => ({
        content: this.debuggee?.definition ?? '',
        mimeType: 'application/json',
      }),
      exceptionInfo: async () => this.exceptionInfo(),
      continue: async () => this.go((session) => session.continue(), { allThreadsContinued: true }),
      next: async (args) =>
        this.go((session) => session.step('over', this.threads.frameOf(args.threadId))),
      stepIn: async (args) =>
        this.go((session) => session.step('in', this.threads.frameOf(args.threadId))),
      stepOut: async (args) =>
        this.go((session) => session.step('out', this.threads.frameOf(args.threadId))),
      stepBack: async (args) =>
        this.go((session) => session.back('over', this.threads.frameOf(args.threadId))),
      reverseContinue: async () => this.go((session) => session.reverseContinue()),
      pause: async () => {
        this.session.pause();
        return undefined;
      },
      terminate: () => this.end(true),
      disconnect: (args) =>
        this.end(
          args.terminateDebuggee === undefined ? this.launched : args.terminateDebuggee === true,
        ),
    };
  }

  private async open(args: JsonObject, how: 'launch' | 'attach'): Promise<undefined> {
    if (this.debuggee !== null) throw new Error('Something is being debugged already.');
    const debuggee = await this.world.open(args, how);
    this.debuggee = debuggee;
    this.launched = how === 'launch';
    this.stopOnEntry = args.stopOnEntry !== false;
    this.stopAtEnd =
      args.stopAtEnd === undefined
        ? debuggee.session.timeline.kind === 'recorded'
        : args.stopAtEnd === true;
    this.ranges = stateRanges(debuggee.definition);
    this.set = new EditorBreakpoints(debuggee.session.breakpoints, this.ranges, debuggee.path);
    return undefined;
  }

  private async begin(): Promise<undefined> {
    const { session } = this;
    const stop = await session.begin();
    setImmediate(() => {
      if (this.stopOnEntry) this.stopped(stop);
      else this.go((of) => of.continue());
    });
    return undefined;
  }

  private async end(stop: boolean): Promise<undefined> {
    const { debuggee } = this;
    this.debuggee = null;
    await debuggee?.close(stop);
    if (debuggee !== null) setImmediate(() => this.talk.event('terminated'));
    return undefined;
  }

  /** Answers at once; where it stops comes as an event. */
  private go(move: (session: Debugger) => Promise<Stop>, answer?: object): object | undefined {
    const { still } = this;
    this.running = true;
    setImmediate(() => {
      move(still).then(
        (stop) => {
          this.running = false;
          this.stopped(stop);
        },
        (error: unknown) => {
          this.running = false;
          this.output(`${error instanceof Error ? error.message : String(error)}\n`, 'stderr');
          this.talk.event('stopped', { reason: 'pause', threadId: 1, allThreadsStopped: true });
        },
      );
    });
    return answer;
  }

  private stopped(stop: Stop): void {
    if (this.debuggee === null) return;
    this.variables.clear();
    const { execution, facts } = this.session;
    this.output(progressText(facts, this.told));
    this.told = facts.length;
    const end = stop.reason === 'ended' ? endText(execution) : null;
    if (end !== null) this.output(end.text, end.ok ? 'stdout' : 'stderr');
    if (stop.reason === 'ended' && !this.stopAtEnd) {
      this.talk.event('exited', { exitCode: execution?.status === 'SUCCEEDED' ? 0 : 1 });
      this.talk.event('terminated');
      return;
    }
    if (stop.reason === 'waits') this.output(`${stop.text} Nothing else will happen by itself.\n`);
    const failed = stop.reason === 'failed';
    this.failure = failed ? lastFailure(facts, stop.frame) : null;
    this.talk.event('stopped', {
      reason: failed
        ? 'exception'
        : stop.reason === 'ended' || stop.reason === 'waits'
          ? 'pause'
          : stop.reason,
      description: stop.text,
      text: stop.text,
      threadId: this.threads.idOf(stop.frame),
      allThreadsStopped: true,
      hitBreakpointIds: stop.breakpoints,
    });
  }

  private output(output: string, category: 'console' | 'stdout' | 'stderr' = 'console'): void {
    if (output !== '') this.talk.event('output', { category, output });
  }

  private threadList(): DebugProtocol.Thread[] {
    if (this.running || this.debuggee === null) return [{ id: 1, name: 'root' }];
    const list = threadsOf(this.session).map(({ frame, place, state }) => ({
      id: this.threads.idOf(frame),
      name: `${place}: ${state}`,
    }));
    return list.length === 0 ? [{ id: 1, name: 'root' }] : list;
  }

  private async stackTrace(args: JsonObject): Promise<object> {
    const { still } = this;
    const of = this.threads.frameOf(args.threadId);
    const stop = still.stop;
    const frames = stackOf(still, of).map(({ frame, state, place }, index) => {
      const shown = index === 0 && stop?.frame === frame && stop.state !== '' ? stop.state : state;
      const range = this.ranges.find((one) => one.state === shown);
      return {
        id: this.threads.idOf(frame),
        name: place === 'root' ? shown : `${shown} (${place})`,
        line: range?.line ?? 1,
        column: range?.column ?? 1,
        ...(range === undefined ? {} : { endLine: range.endLine }),
        source: this.source(),
      };
    });
    return { stackFrames: frames, totalFrames: frames.length };
  }

  private source(): DebugProtocol.Source {
    const { path, title } = this.debuggee as Debuggee;
    return path === null
      ? { name: `${title}.asl.json`, sourceReference: 1 }
      : { name: title, path: resolve(path) };
  }

  private async scopes(args: JsonObject): Promise<object> {
    const frame = this.threads.frameOf(args.frameId);
    const found = await scopesOf(this.still, frame);
    const scopes = Object.entries(found ?? {}).map(([name, value]) => ({
      name,
      variablesReference: this.variables.add({
        frame,
        scope: name as ScopeName,
        path: [],
        value: value as Scopes[ScopeName],
      }),
      expensive: name === 'Context' || name === 'Data flow',
    }));
    return { scopes };
  }

  private async setVariable(args: JsonObject): Promise<object> {
    const container = this.variables.get(Number(args.variablesReference));
    if (container === null) throw new Error('This value is of an earlier stop.');
    const { frame, scope, path } = container;
    const made = parseValue(String(args.value));
    const name = String(args.name);
    const { still } = this;
    const held = still.execution?.frames.get(frame);
    if (held === undefined) throw new Error('This thread is over.');
    if (scope === 'Input') {
      await still.edit({ frame, value: replaced(held.value, [...path, name], made) });
    } else if (scope === 'Variables') {
      const [variable = name, ...rest] = [...path, name];
      const before = held.variables[variable] ?? null;
      await still.edit({ frame, variables: { [variable]: replaced(before, rest, made) } });
    } else throw new Error(`${scope} is not changed by hand. Change the input or a variable.`);
    const { result, variablesReference } = this.variables.evaluated(frame, made);
    return { value: result, variablesReference };
  }

  private async evaluate(args: JsonObject): Promise<object> {
    const { still } = this;
    const frame = args.frameId === undefined ? still.focus() : this.threads.frameOf(args.frameId);
    const text = String(args.expression);
    if (args.context === 'repl' && /^\s*set\s/.test(text))
      return { result: await this.obey(text, frame), variablesReference: 0 };
    return this.variables.evaluated(frame, await still.evaluate(text, frame));
  }

  /** `set …` of the command line, in an editor's console. */
  private async obey(text: string, frame: FrameId): Promise<string> {
    const { still } = this;
    const command = parseCommand(text);
    if (command?.do === 'set') await still.edit({ frame, ...command.edit });
    if (command?.do === 'patch') await still.patch(frame, command.path, command.value);
    if (command?.do === 'result' || command?.do === 'error') {
      const state = command.state ?? still.ahead(frame);
      await still.override(
        state,
        command.do === 'result'
          ? { output: command.output }
          : { failure: { error: command.error, cause: command.cause } },
      );
    }
    return 'changed';
  }

  private exceptionInfo(): object {
    const { failure, recovery } = this.failure ?? {};
    return {
      exceptionId: failure?.error ?? 'failure',
      description: failure?.cause ?? '',
      breakMode: recovery?.do === 'raise' ? 'unhandled' : 'always',
    };
  }
}

function lastFailure(facts: readonly Fact[], frame: FrameId): FactOf<'AttemptFailed'> | null {
  const isFailure = (fact: Fact): fact is FactOf<'AttemptFailed'> =>
    fact.type === 'AttemptFailed' && fact.frame === frame;
  return facts.findLast(isFailure) ?? null;
}
