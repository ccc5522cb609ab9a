/**
 * A conversation in the Debug Adapter Protocol: an editor starts or attaches, sets breakpoints on lines of
 * the definition, and moves the debugger. Threads are frames (the root, branches, iterations); a stack is a
 * frame and those around it. One request is answered at a time, but a run may be paused or ended.
 */
import { resolve } from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { FactOf } from '../../core/fact.js';
import { ROOT_FRAME } from '../../core/state.js';
import type { FrameId } from '../../lib/brand.js';
import type { Json, JsonObject } from '../../lib/json.js';
import { parseCommand } from '../debug/commands.js';
import type { Debugger, Stop } from '../debug/debugger.js';
import { Immutable } from '../debug/timeline.js';
import { type Scopes, scopesOf, stackOf, threadsOf } from '../debug/view.js';
import { EditorBreakpoints } from './editor-breakpoints.js';
import { type StateRange, stateRanges } from './source-map.js';
import { replaced, type ScopeName, VariableTable } from './variables.js';

/** What the adapter debugs; opened by whoever knows stores and configuration. */
export interface Debuggee {
  readonly session: Debugger;
  readonly title: string;
  /** Text of the definition, and its file when it has one. */
  readonly definition: string;
  readonly path: string | null;
  close(stop: boolean): Promise<void>;
}

export interface AdapterWorld {
  /** Arguments of launch or attach, as the editor gave them. Throws a sentence. */
  open(args: JsonObject, how: 'launch' | 'attach'): Promise<Debuggee>;
  send(message: DebugProtocol.ProtocolMessage): void;
  /** The conversation is over. */
  ended(): void;
}

const CAPABILITIES: DebugProtocol.Capabilities = {
  supportsConfigurationDoneRequest: true,
  supportsFunctionBreakpoints: true,
  supportsConditionalBreakpoints: true,
  supportsHitConditionalBreakpoints: true,
  supportsEvaluateForHovers: true,
  supportsStepBack: true,
  supportsSetVariable: true,
  supportsTerminateRequest: true,
  supportTerminateDebuggee: true,
  supportsExceptionInfoRequest: true,
  exceptionBreakpointFilters: [
    {
      filter: 'all',
      label: 'Any failure',
      description: 'Also those that a retry or a catcher takes.',
      default: false,
    },
    {
      filter: 'uncaught',
      label: 'Uncaught failures',
      description: 'Failures that neither a retry nor a catcher takes.',
      default: true,
    },
  ],
};

/** These may come while a request before them waits for real work. */
const AT_ONCE: ReadonlySet<string> = new Set(['pause', 'terminate', 'disconnect', 'threads']);

const NOTHING = 'Nothing is being debugged: launch or attach first.';

type Handler = (args: JsonObject) => Promise<object | undefined>;
const MAX_OUTPUT_LINES = 200;

export class Adapter {
  private seq = 1;
  private tail: Promise<void> = Promise.resolve();
  private debuggee: Debuggee | null = null;
  private ranges: readonly StateRange[] = [];
  private launched = false;
  private stopOnEntry = false;
  private stopAtEnd = false;
  private running = false;
  private told = 0;
  private readonly threads = new Map<FrameId, number>([[ROOT_FRAME, 1]]);
  private readonly variables = new VariableTable();
  private failure: FactOf<'AttemptFailed'> | null = null;
  private set: EditorBreakpoints | null = null;
  private readonly handlers: Readonly<Record<string, Handler>>;

  constructor(private readonly world: AdapterWorld) {
    this.handlers = this.table();
  }

  /** Takes one message of the client: one after the other, but what ends a run does not wait for it. */
  receive(message: unknown): Promise<void> {
    const request = message as DebugProtocol.Request;
    if (request?.type !== 'request' || typeof request.command !== 'string') {
      return Promise.resolve();
    }
    if (AT_ONCE.has(request.command)) return this.answer(request);
    this.tail = this.tail.then(() => this.answer(request));
    return this.tail;
  }

  private async answer(request: DebugProtocol.Request): Promise<void> {
    const handler = Object.hasOwn(this.handlers, request.command)
      ? this.handlers[request.command]
      : undefined;
    try {
      if (handler === undefined) throw new Error(`'${request.command}' is not supported.`);
      const body = await handler((request.arguments ?? {}) as JsonObject);
      this.respond(request, true, body);
      this.after(request.command);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      const mend = error instanceof Immutable ? ` ${error.mend}` : '';
      const body = {
        error: { id: 1, format: '{text}', variables: { text: `${text}${mend}` }, showUser: true },
      };
      this.respond(request, false, body, `${text}${mend}`);
    }
  }

  /** The client has gone without a word. */
  async hangUp(): Promise<void> {
    const { debuggee } = this;
    this.debuggee = null;
    await debuggee?.close(this.launched);
  }

  private respond(
    request: DebugProtocol.Request,
    success: boolean,
    body?: object,
    message?: string,
  ): void {
    this.send({
      type: 'response',
      request_seq: request.seq,
      command: request.command,
      success,
      ...(message === undefined ? {} : { message }),
      ...(body === undefined ? {} : { body }),
    });
  }

  private event(event: string, body?: object): void {
    this.send({ type: 'event', event, ...(body === undefined ? {} : { body }) });
  }

  private send(message: object): void {
    this.world.send({ seq: this.seq++, ...message } as DebugProtocol.ProtocolMessage);
  }

  /** What follows an answer, never before it. */
  private after(command: string): void {
    if (command === 'launch' || command === 'attach') this.event('initialized');
    if (command === 'disconnect') this.world.ended();
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
      next: async (args) => this.go((session) => session.step('over', this.frameOf(args.threadId))),
      stepIn: async (args) => this.go((session) => session.step('in', this.frameOf(args.threadId))),
      stepOut: async (args) =>
        this.go((session) => session.step('out', this.frameOf(args.threadId))),
      stepBack: async (args) =>
        this.go((session) => session.back('over', this.frameOf(args.threadId))),
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
    if (debuggee !== null) setImmediate(() => this.event('terminated'));
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
          this.event('stopped', { reason: 'pause', threadId: 1, allThreadsStopped: true });
        },
      );
    });
    return answer;
  }

  private stopped(stop: Stop): void {
    if (this.debuggee === null) return;
    this.variables.clear();
    this.tellProgress();
    if (stop.reason === 'ended') this.tellEnd();
    if (stop.reason === 'ended' && !this.stopAtEnd) {
      const status = this.session.execution?.status;
      this.event('exited', { exitCode: status === 'SUCCEEDED' ? 0 : 1 });
      this.event('terminated');
      return;
    }
    if (stop.reason === 'waits') this.output(`${stop.text} Nothing else will happen by itself.\n`);
    const failed = stop.reason === 'failed';
    this.failure = failed ? this.lastFailure(stop.frame) : null;
    this.event('stopped', {
      reason: failed
        ? 'exception'
        : stop.reason === 'ended' || stop.reason === 'waits'
          ? 'pause'
          : stop.reason,
      description: stop.text,
      text: stop.text,
      threadId: this.threadOf(stop.frame),
      allThreadsStopped: true,
      hitBreakpointIds: stop.breakpoints,
    });
  }

  private lastFailure(frame: FrameId): FactOf<'AttemptFailed'> | null {
    return (
      this.session.facts.findLast(
        (fact): fact is FactOf<'AttemptFailed'> =>
          fact.type === 'AttemptFailed' && fact.frame === frame,
      ) ?? null
    );
  }

  /** What happened since the last stop, as lines of the debug console. */
  private tellProgress(): void {
    const { facts } = this.session;
    const news = facts.length > this.told ? facts.slice(this.told) : [];
    this.told = facts.length;
    const names = new Map<FrameId, string>();
    for (const fact of facts) if (fact.type === 'StateEntered') names.set(fact.frame, fact.name);
    const lines = news.flatMap((fact) => {
      const at = new Date(fact.at).toISOString();
      if (fact.type === 'StateExited')
        return [`${at} ✓ ${fact.name}${fact.next === null ? '' : ` → ${fact.next}`}`];
      if (fact.type === 'AttemptFailed')
        return [
          `${at} ✗ ${names.get(fact.frame) ?? ''} ${fact.failure.error ?? ''} (${fact.recovery.do})`,
        ];
      return [];
    });
    if (lines.length > 0) this.output(`${lines.slice(-MAX_OUTPUT_LINES).join('\n')}\n`);
  }

  private tellEnd(): void {
    const { execution } = this.session;
    const outcome = execution?.outcome;
    if (outcome == null) return;
    const text = outcome.ok
      ? JSON.stringify(outcome.output)
      : `${outcome.failure.error ?? ''}: ${outcome.failure.cause ?? ''}`;
    this.output(`${execution?.status} ${text}\n`, outcome.ok ? 'stdout' : 'stderr');
  }

  private output(output: string, category: 'console' | 'stdout' | 'stderr' = 'console'): void {
    this.event('output', { category, output });
  }

  private threadOf(frame: FrameId): number {
    const known = this.threads.get(frame);
    if (known !== undefined) return known;
    this.threads.set(frame, this.threads.size + 1);
    return this.threads.size;
  }

  private frameOf(threadId: Json | undefined): FrameId {
    for (const [frame, id] of this.threads) if (id === Number(threadId)) return frame;
    return ROOT_FRAME;
  }

  private threadList(): DebugProtocol.Thread[] {
    if (this.running || this.debuggee === null) return [{ id: 1, name: 'root' }];
    const list = threadsOf(this.session).map(({ frame, place, state }) => ({
      id: this.threadOf(frame),
      name: `${place}: ${state}`,
    }));
    return list.length === 0 ? [{ id: 1, name: 'root' }] : list;
  }

  private async stackTrace(args: JsonObject): Promise<object> {
    const { still } = this;
    const of = this.frameOf(args.threadId);
    const stop = still.stop;
    const frames = stackOf(still, of).map(({ frame, state, place }, index) => {
      const shown = index === 0 && stop?.frame === frame && stop.state !== '' ? stop.state : state;
      const range = this.ranges.find((one) => one.state === shown);
      return {
        id: this.threadOf(frame),
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
    const frame = this.frameOf(args.frameId);
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
    const frame = args.frameId === undefined ? still.focus() : this.frameOf(args.frameId);
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

/** JSON; what is none is a string, as people type it. */
function parseValue(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
