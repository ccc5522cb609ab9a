/**
 * The simulated world: the production engine over a memory store, and around it a virtual clock,
 * seeded chance and answers from mocks instead of services. Nothing in the engine knows of it.
 *
 * `openWorld` gives the parts (a debugger drives the clock itself); `simulate` runs one machine to its
 * end. The same definition, input, mocks, seed and start instant give the same journals, byte for byte.
 */
import type { Fact, FactOf } from '../core/fact.js';
import { setMaxListeners } from 'node:events';
import { AWS_LIMITS, type Limits } from '../core/limits.js';
import { parseResource } from '../core/resource.js';
import type { ExecutionState } from '../core/state.js';
import { createExecutionHandler } from '../handlers/execution.js';
import type { Handler, HandlerContext, Logger } from '../handlers/handler.js';
import { sha256 } from '../lib/digest.js';
import type { EpochMs, ExecutionArn } from '../lib/brand.js';
import type { Json } from '../lib/json.js';
import type { Resources, TaskProgress } from '../runtime/dispatcher.js';
import { createEngine } from '../runtime/engine.js';
import type { Engine } from '../runtime/face.js';
import { readToken } from '../runtime/token.js';
import { MemoryStore } from '../store/memory.js';
import type { Store } from '../store/store.js';
import type { Answer, Call, CallRecord, NamedResponder } from './call.js';
import { Ledger } from './ledger.js';
import { simulatedMapItems } from './map-items.js';
import { type Machines, nestedService } from './nested.js';
import { answerByToken, pause, resultOf } from './performer.js';
import { SeededRandom } from './seeded-random.js';
import { mockedServices, silentLog } from './services.js';
import { VIRTUAL_EPOCH, VirtualClock } from './virtual-clock.js';

export interface WorldOptions {
  /** Asked in order; a call that nobody answers fails with a reason that names the state. */
  readonly responders: readonly NamedResponder[];
  /**
   * Draws uuids, nonces, $random, jitter, and (unless 0, the default) the order of what happens in
   * the same millisecond.
   */
  readonly seed?: number;
  /** Epoch milliseconds of the beginning; 2026-01-01T00:00:00Z when absent. */
  readonly startAt?: number;
  /** Virtual milliseconds per real one: 1 is real time, 60 a minute a second; absent: no waiting. */
  readonly speed?: number;
  readonly limits?: Limits;
  /** Machines that nested executions run for real, by name; `nestedResponder` must be asked for them. */
  readonly machines?: Machines;
  /** Another store than an empty one in memory (a fork's, a wrapped one that holds commits back). */
  readonly store?: Store;
  readonly log?: Logger;
  /** Facts of every execution as they become durable. */
  readonly onFacts?: (arn: ExecutionArn, facts: readonly Fact[]) => void;
  /** Before a call is answered; the debugger may wait here. */
  readonly onCall?: (call: Call) => void | Promise<void>;
}

export interface World {
  readonly engine: Engine;
  readonly clock: VirtualClock;
  readonly store: Store;
  readonly random: SeededRandom;
  /** Every call so far with its answer. */
  readonly calls: readonly CallRecord[];
  /** Facts by execution: the main one, nested ones, and children of Map Runs, in the order of starts. */
  readonly journals: ReadonlyMap<ExecutionArn, readonly Fact[]>;
  /** Lets virtual time pass until `work` is done; false when it waits for something that never comes. */
  passUntil(work: Promise<unknown>, maxSteps?: number): Promise<boolean>;
  close(): Promise<void>;
}

export { type StartOptions, startRequestOf } from './start-request.js';

export async function openWorld(options: WorldOptions): Promise<World> {
  const world = new SimulatedWorld(options);
  await world.open();
  return world;
}

class SimulatedWorld implements World, Resources {
  readonly clock: VirtualClock;
  readonly store: Store;
  readonly random: SeededRandom;
  private readonly ledger = new Ledger((arn) => this.engine.state(arn));
  private readonly tokenKey: string;
  private readonly closing = new AbortController();
  private opened: Engine | null = null;
  /** What starts nested executions in production, over this world's engine. */
  private readonly nested: Handler;

  constructor(private readonly options: WorldOptions) {
    const { seed = 0, startAt = VIRTUAL_EPOCH, speed, store } = options;
    this.random = new SeededRandom(seed);
    const order = new SeededRandom(seed ^ 0x5bd1e995);
    this.clock = new VirtualClock(startAt, {
      ...(speed === undefined ? {} : { speed }),
      ...(seed === 0 ? {} : { tie: order.next }),
    });
    // Every answer under way listens for the end: many are no leak.
    setMaxListeners(0, this.closing.signal);
    this.store = store ?? new MemoryStore();
    this.tokenKey = sha256(`token ${seed}`);
    const { machines = new Map() } = options;
    const now = (): EpochMs => this.clock.now();
    this.nested = createExecutionHandler(
      Promise.resolve(nestedService(machines, () => this.engine, now)),
    );
  }

  get engine(): Engine {
    if (this.opened === null) throw new Error('The world is not open yet.');
    return this.opened;
  }

  get calls(): readonly CallRecord[] {
    return this.ledger.calls;
  }

  get journals(): ReadonlyMap<ExecutionArn, readonly Fact[]> {
    return this.ledger.journals;
  }

  async open(): Promise<void> {
    const { limits = AWS_LIMITS, log = silentLog } = this.options;
    // Tokens stand in journals: their key follows from the seed unless the store brings one.
    await this.store.documents.put('secret', 'task-token-key', this.tokenKey, null);
    this.opened = await createEngine({
      store: this.store,
      resources: this,
      services: mockedServices(log),
      log,
      clock: this.clock,
      random: this.random.next,
      uuid: this.random.uuid,
      limits,
      sole: true,
      mapItems: simulatedMapItems({
        ledger: this.ledger,
        answer: (call) => this.answer(call),
        clock: this.clock,
      }),
      onProgress: (_progress: TaskProgress) => undefined,
    });
    this.engine.subscribe(null, (arn, facts) => this.committed(arn, facts));
  }

  passUntil(work: Promise<unknown>, maxSteps?: number): Promise<boolean> {
    return this.clock.passUntil(work, maxSteps);
  }

  private committed(arn: ExecutionArn, facts: readonly Fact[]): void {
    this.clock.stir();
    this.ledger.add(arn, facts);
    for (const fact of facts) {
      if (fact.type === 'TaskScheduled' && fact.resource.kind === 'activity') {
        this.inBackground(this.workOnActivity(arn, fact));
      }
    }
    this.options.onFacts?.(arn, facts);
  }

  private inBackground(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      if (this.closing.signal.aborted) return;
      (this.options.log ?? silentLog).error('A simulated worker failed.', { error: String(error) });
    });
  }

  resolve(resource: string): { readonly handler: Handler } {
    return {
      handler: {
        resource,
        description: 'Answers from mocks.',
        parameters: {},
        onWorkerLost: 'rerun',
        run: (parameters, context) => this.work(parameters, context),
      },
    };
  }

  explainUnknown(resource: string): string {
    return `Nothing is mocked for ${resource}.`;
  }

  /** A Task that a handler would do. */
  private async work(input: Json, context: HandlerContext): Promise<Json> {
    // The fact that asked for it is published in the same turn of the event loop: see it first.
    await null;
    const { task, taskToken, signal } = context;
    const arn = task.executionArn as ExecutionArn;
    const resource = parseResource(task.resource);
    const record = await this.answer({
      kind: 'task',
      state: task.stateName,
      resource,
      input,
      attempt: task.attempt,
      scopes: [...(await this.ledger.scopesOfExecution(arn)), ...(task.scopes ?? [])],
      executionArn: arn,
      stateMachineName: task.stateMachineName,
    });
    const { answer } = record;
    if ('throw' in answer && answer.at === 'submit') {
      await pause(this.clock, answer, signal, () => undefined);
      record.endedAt = this.clock.now();
      return resultOf(answer);
    }
    if ('nested' in answer) return this.nest(input, context, record);
    const submission = ('submit' in answer ? answer.submit : undefined) ?? {};
    if (taskToken !== null) {
      this.inBackground(this.answerToken(taskToken, record));
      return submission;
    }
    if (resource.pattern === 'sync') await context.submitted(submission);
    await pause(this.clock, answer, signal, () => context.heartbeat());
    record.endedAt = this.clock.now();
    return resultOf(answer);
  }

  private async nest(input: Json, context: HandlerContext, record: CallRecord): Promise<Json> {
    try {
      return await this.nested.run(input, context);
    } finally {
      record.endedAt = this.clock.now();
    }
  }

  private async answerToken(token: string, record: CallRecord): Promise<void> {
    await answerByToken(this.engine, this.clock, token, record.answer, this.closing.signal);
    record.endedAt = this.clock.now();
  }

  /** A worker takes the activity's task and answers as mocked. */
  private async workOnActivity(
    arn: ExecutionArn,
    scheduled: FactOf<'TaskScheduled'>,
  ): Promise<void> {
    const state = await this.engine.state(arn);
    const frame = state?.frames.get(scheduled.frame);
    if (state == null || frame === undefined) return;
    const record = await this.answer({
      kind: 'activity',
      state: frame.state,
      resource: scheduled.resource,
      input: scheduled.parameters,
      attempt: frame.attempts.reduce((sum, used) => sum + used, 0),
      scopes: await this.ledger.scopesAround(state, scheduled.frame),
      executionArn: arn,
      stateMachineName: state.identity.stateMachineName,
    });
    if ('unpolled' in record.answer || 'nested' in record.answer) return;
    const token = await this.takeActivity(arn, scheduled, record.answer.workerName ?? null);
    if (token !== null) await this.answerToken(token, record);
  }

  /** Polls until this very task comes: others of the same activity go back to whoever wants them. */
  private async takeActivity(
    arn: ExecutionArn,
    scheduled: FactOf<'TaskScheduled'>,
    workerName: string | null,
  ): Promise<string | null> {
    const key = `${arn} ${scheduled.seq}`;
    const waiting = this.taken.get(key);
    if (waiting !== undefined) return waiting;
    for (;;) {
      const { signal } = this.closing;
      const task = await this.engine.activityTask(scheduled.resource.arn, workerName, signal);
      if (task === null) return null;
      const content = readToken(this.tokenKey, task.taskToken);
      const found = `${content?.arn} ${content?.task.scheduled}`;
      if (found === key) return task.taskToken;
      this.taken.set(found, task.taskToken);
      const mine = this.taken.get(key);
      if (mine !== undefined) return mine;
    }
  }

  private readonly taken = new Map<string, string>();

  /** Asks the responders, and keeps the record. Real time may pass here, virtual time does not. */
  private async answer(asked: Omit<Call, 'invocation' | 'at'>): Promise<CallRecord> {
    const call: Call = {
      ...asked,
      invocation: this.ledger.invocation(asked),
      at: this.clock.now(),
    };
    const release = this.clock.hold();
    try {
      await this.options.onCall?.(call);
      const { answer, by } = await this.ask(call);
      const record: CallRecord = { ...call, answer, by, endedAt: null };
      this.ledger.calls.push(record);
      return record;
    } finally {
      release();
    }
  }

  private async ask(call: Call): Promise<{ readonly answer: Answer; readonly by: string }> {
    for (const { name, answer: respond } of this.options.responders) {
      const answer = await respond(call);
      if (answer !== null) return { answer, by: name };
    }
    const cause = `Nothing is mocked for state '${call.state}' (${call.resource.arn}).`;
    return { answer: { throw: { error: 'Simulation.NotMocked', cause } }, by: 'nobody' };
  }

  async close(): Promise<void> {
    this.closing.abort(new Error('The simulation is over.'));
    await this.engine.close();
  }
}

/** Why an execution does not go on: what its frames wait for. */
export interface Waiting {
  readonly state: string;
  readonly what: string;
}

export function waitingOf(state: ExecutionState): readonly Waiting[] {
  return [...state.frames.values()].flatMap(({ phase, state: name }) => {
    if (phase.is === 'task') return [{ state: name, what: `an answer of ${phase.resource.arn}` }];
    if (phase.is === 'map-run') return [{ state: name, what: 'the end of its Map Run' }];
    if (phase.is !== 'waiting') return [];
    return [{ state: name, what: new Date(phase.until as EpochMs).toISOString() }];
  });
}
