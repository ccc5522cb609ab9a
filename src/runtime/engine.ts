/**
 * The engine: stimulus -> hydrate -> decide -> one compare-and-set commit -> only then the effects.
 * One mailbox per execution; leases and caches only save work, the compare-and-set decides. This file
 * puts the parts together: turns, delivery, outbox, recovery, token answers.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import type { Env } from '../core/env.js';
import type { Fact, Failure } from '../core/fact.js';
import { AWS_LIMITS, type Limits } from '../core/limits.js';
import type { ExecutionState } from '../core/state.js';
import type { Stimulus } from '../core/stimulus.js';
import { ANSWERED, type Logger } from '../handlers/handler.js';
import { assert } from '../lib/assert.js';
import type { EpochMs, ExecutionArn, Nonce, RevisionId, Seq } from '../lib/brand.js';
import type { Json } from '../lib/json.js';
import type { ExecutionFilter, ExecutionRow, Page, Store } from '../store/store.js';
import { type HistoryEvent, projectHistory } from '../wire/history.js';
import { Activities } from './activities.js';
import { type Clock, realClock } from './clock.js';
import { Delivery } from './delivery.js';
import {
  Dispatcher,
  type HandlerServices,
  type Resources,
  type TaskProgress,
} from './dispatcher.js';
import type {
  ActivityTask,
  Engine,
  ForkRequest,
  Revision,
  Started,
  StartRequest,
  TokenAnswer,
} from './face.js';
import { loadJournal } from './journal.js';
import { Listeners, type FactsListener } from './listeners.js';
import { type Live, LiveExecutions } from './live.js';
import { Machines } from './machines.js';
import type { MapItems } from './map-runs/io.js';
import { MapRuns } from './map-runs/map-runs.js';
import { Outbox, scheduledFact } from './outbox.js';
import { Quarantine, type QuarantineNote, quarantineNote } from './quarantine.js';
import { Recovery } from './recovery.js';
import { Scheduler } from './scheduler.js';
import { makeToken } from './token.js';
import { TokenAnswers } from './token-answers.js';
import { Troubles } from './troubles.js';
import { Turns } from './turns.js';

export interface EngineOptions {
  readonly store: Store;
  readonly resources: Resources;
  readonly services: HandlerServices;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Uniform in [0, 1); a seeded one replays a run. */
  readonly random?: () => number;
  readonly uuid?: () => string;
  readonly limits?: Limits;
  readonly onProgress?: (progress: TaskProgress) => void;
  /** Reads the items and writes the results of Map Runs; without it only a state's own input. */
  readonly mapItems?: MapItems;
  /** Drives just these executions and what they start; others in the store stay as they are. */
  readonly only?: readonly ExecutionArn[];
  /** No other engine works on this store: nothing has to be looked for that others may have done. */
  readonly sole?: boolean;
}

/** Opens the engine over a store: recovers what a crash held back, then serves. */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const engine = new LocalEngine(options, await tokenKey(options.store));
  await engine.recover();
  return engine;
}

/** One key per store: tokens handed out before a restart stay valid. */
async function tokenKey(store: Store): Promise<string> {
  const known = await store.documents.get('secret', 'task-token-key');
  if (known !== null) return known.body as string;
  const made = randomBytes(32).toString('hex');
  const put = await store.documents.put('secret', 'task-token-key', made, null);
  return put === 'conflict' ? tokenKey(store) : made;
}

class LocalEngine implements Engine {
  private readonly clock: Clock;
  private readonly mine: Set<ExecutionArn> | null;
  private readonly live: LiveExecutions;
  private readonly machines: Machines;
  private readonly troubles: Troubles;
  private readonly listeners: Listeners;
  private readonly quarantine: Quarantine;
  private readonly turns: Turns;
  private readonly delivery: Delivery;
  private readonly scheduler: Scheduler;
  private readonly dispatcher: Dispatcher;
  private readonly activities = new Activities();
  private readonly answers: TokenAnswers;
  private readonly outbox: Outbox;
  private readonly recovery: Recovery;
  readonly mapRuns: MapRuns;
  private closed = false;

  constructor(
    private readonly options: EngineOptions,
    private readonly key: string,
  ) {
    const { store } = options;
    this.clock = options.clock ?? realClock;
    this.mine = options.only === undefined ? null : new Set(options.only);
    this.troubles = new Troubles(options.log);
    this.listeners = new Listeners(this.troubles);
    this.live = new LiveExecutions(store);
    this.machines = new Machines(store.documents);
    this.quarantine = new Quarantine(store.documents);
    this.turns = this.createTurns();
    const drives = (arn: ExecutionArn): boolean => this.drives(arn);
    const { live, turns, clock, troubles, quarantine } = this;
    this.delivery = new Delivery({ live, turns, clock, troubles, quarantine, drives });
    this.scheduler = new Scheduler(
      store,
      this.clock,
      (arn, keys) => this.delivery.inBackground(arn, { type: 'TimersDue', keys }),
      (error) => this.troubles.report('Timers could not be read.', error),
      options.sole ? Number.POSITIVE_INFINITY : undefined,
    );
    this.mapRuns = this.createMapRuns();
    this.answers = this.createAnswers();
    this.dispatcher = this.createDispatcher();
    const { scheduler, dispatcher, activities, mapRuns } = this;
    this.outbox = new Outbox({
      scheduler,
      dispatcher,
      activities,
      mapRuns,
      makeToken: (arn, task) => makeToken(this.key, arn, task),
      goOn: (arn) => this.goOn(arn),
    });
    const { outbox } = this;
    const inBackground = (arn: ExecutionArn, stimulus: Stimulus): void => {
      this.delivery.inBackground(arn, stimulus);
    };
    const drive = <T>(arn: ExecutionArn, work: (held: Live) => Promise<T>): Promise<T> =>
      this.delivery.drive(arn, work);
    this.recovery = new Recovery({ store, outbox, troubles, drives, drive, inBackground });
  }

  private createTurns(): Turns {
    const { live, machines, options } = this;
    return new Turns({
      store: options.store,
      live,
      machines,
      env: () => this.env(),
      settled: (arn, { state, effects, facts }) => {
        this.outbox.handOut(state, effects, facts);
        this.listeners.publish(arn, facts);
      },
      unknown: (arn, error) => {
        this.troubles.report('The store does not say what became of a commit.', error, { arn });
        this.goOn(arn);
      },
    });
  }

  private createDispatcher(): Dispatcher {
    const { delivery, options } = this;
    return new Dispatcher(options.resources, options.services, {
      result: (arn, task, outcome, stage) =>
        delivery.surely(arn, { type: 'TaskResult', task, outcome, stage }),
      submitted: (arn, task, output) =>
        delivery.surely(arn, { type: 'TaskSubmitted', task, output }),
      heartbeat: (arn, task) => {
        this.answers
          .heartbeat(arn, task)
          .catch((error) => this.troubles.report('A heartbeat was lost.', error));
      },
      progress: (progress) => options.onProgress?.(progress),
    });
  }

  private createAnswers(): TokenAnswers {
    return new TokenAnswers({
      key: this.key,
      store: this.options.store,
      clock: this.clock,
      state: (arn) => this.state(arn),
      deliver: (arn, stimulus) => this.delivery.deliver(arn, stimulus),
      setTimer: (arn, key, dueAt) => this.scheduler.set(arn, key, dueAt),
      answered: (arn, by) => this.dispatcher.cancel(arn, by, ANSWERED),
    });
  }

  private createMapRuns(): MapRuns {
    const { store, mapItems = null, limits = AWS_LIMITS } = this.options;
    return new MapRuns({
      store,
      clock: this.clock,
      io: mapItems,
      payloadBytes: limits.payloadBytes,
      sole: this.options.sole ?? false,
      drives: (arn) => this.drives(arn),
      env: () => this.env(),
      machine: (state) => this.machines.machine(state.revision),
      start: (request) => this.start(request),
      state: (arn) => this.state(arn),
      adopt: (arn) => this.adopt(arn),
      stop: (arn, failure) => this.stop(arn, failure),
      redrive: async (arn) => {
        await this.delivery.deliver(arn, { type: 'Redrive' });
      },
      ended: async ({ arn, frame, by, outcome, aborted }) => {
        await this.delivery.deliver(arn, { type: 'MapRunEnded', frame, by, outcome, aborted });
      },
      report: (message, error, fields) => this.troubles.report(message, error, fields),
    });
  }

  /** Hands out again what was promised before the last stop. */
  async recover(): Promise<void> {
    await this.quarantine.recover();
    await this.recovery.run();
    await this.mapRuns.recover();
    await this.scheduler.start();
  }

  private drives(arn: ExecutionArn): boolean {
    return this.mine === null || this.mine.has(arn);
  }

  private goOn(arn: ExecutionArn): void {
    this.delivery.inBackground(arn, { type: 'Continue' });
  }

  /** An engine for some executions only takes up what these have started, too. */
  async adopt(arn: ExecutionArn): Promise<void> {
    if (this.mine === null || this.mine.has(arn)) return;
    this.mine.add(arn);
    const state = await this.state(arn);
    for (const { phase } of state?.frames.values() ?? []) {
      if (phase.is === 'task') await this.recovery.redispatch(arn, phase.scheduled);
      if (phase.is === 'map-run') await this.recovery.redispatch(arn, phase.by);
    }
    this.goOn(arn);
  }

  row(arn: ExecutionArn): Promise<ExecutionRow | null> {
    return this.options.store.row(arn);
  }

  quarantined(arn: ExecutionArn): Promise<QuarantineNote | null> {
    return quarantineNote(this.options.store.documents, arn);
  }

  /** Drives a quarantined execution again; false when it is not quarantined. */
  async release(arn: ExecutionArn): Promise<boolean> {
    const released = await this.quarantine.release(arn);
    const { timers, outbox } = await this.options.store.care.pending(arn);
    for (const { key, dueAt } of timers) this.scheduler.set(arn, key, dueAt);
    for (const { effect } of outbox) {
      const { by } = effect as { by?: Seq };
      if (by === undefined) this.goOn(arn);
      else await this.recovery.redispatch(arn, by);
    }
    return released;
  }

  async start(request: StartRequest): Promise<Started> {
    this.refuseWhenClosed();
    const machine = await this.machines.save(request.revision);
    const arn = request.identity.arn as ExecutionArn;
    this.mine?.add(arn);
    const seconds = machine.timeoutSeconds;
    const deadlineAt = seconds === null ? null : ((this.clock.now() + seconds * 1000) as EpochMs);
    return this.live.enqueue(arn, async (live) => {
      if (live.state !== null) return { is: 'exists', state: live.state };
      const facts = await this.turns.run(live, {
        type: 'Start',
        identity: request.identity,
        revision: request.revision.id,
        input: request.input,
        traceHeader: request.traceHeader,
        deadlineAt,
      });
      assert(live.state !== null, 'A start leaves a state behind.');
      const state: ExecutionState = live.state;
      // Another engine was faster with the same name.
      if (facts.length === 0) return { is: 'exists', state };
      return { is: 'started', startedAt: state.startedAt };
    });
  }

  async fork({ prepared, revision }: ForkRequest): Promise<Started> {
    this.refuseWhenClosed();
    await this.machines.save(revision);
    const { facts, stimulus } = prepared;
    const [first] = facts;
    assert(first?.type === 'ExecutionStarted', 'A fork begins with a start.');
    const arn = first.identity.arn as ExecutionArn;
    this.mine?.add(arn);
    return this.live.enqueue(arn, async (live) => {
      if (live.state !== null) return { is: 'exists', state: live.state };
      const made = await this.turns.fork(live, facts, stimulus);
      if (made === null) await this.live.load(live);
      assert(live.state !== null, 'A fork leaves a state behind.');
      const state: ExecutionState = live.state;
      return made === null
        ? { is: 'exists', state }
        : { is: 'started', startedAt: state.startedAt };
    });
  }

  private env(): Env {
    const { random = Math.random, uuid = randomUUID, limits = AWS_LIMITS } = this.options;
    return {
      now: this.clock.now(),
      limits,
      random,
      uuid,
      nonce: () => uuid().replaceAll('-', '').slice(0, 20) as Nonce,
      taskToken: (arn, task) => makeToken(this.key, arn, task),
    };
  }

  subscribe(arn: ExecutionArn | null, listener: FactsListener): () => void {
    return this.listeners.subscribe(arn, listener);
  }

  async state(arn: ExecutionArn): Promise<ExecutionState | null> {
    return this.live.peek(arn) ?? this.live.enqueue(arn, async (live) => live.state);
  }

  async facts(arn: ExecutionArn): Promise<readonly Fact[] | null> {
    return (await loadJournal(this.options.store, arn))?.facts ?? null;
  }

  async history(arn: ExecutionArn): Promise<readonly HistoryEvent[] | null> {
    const facts = await this.facts(arn);
    return facts === null ? null : projectHistory(facts);
  }

  revision(id: RevisionId): Promise<Revision | null> {
    return this.machines.revision(id);
  }

  list(filter: ExecutionFilter, limit: number, token: string | null): Promise<Page<ExecutionRow>> {
    return this.options.store.list(filter, limit, token);
  }

  async stop(arn: ExecutionArn, failure: Failure): Promise<EpochMs | null> {
    const facts = await this.delivery.deliver(arn, { type: 'Stop', failure });
    return facts.at(-1)?.at ?? null;
  }

  async redrive(arn: ExecutionArn): Promise<EpochMs> {
    const [fact] = await this.delivery.deliver(arn, { type: 'Redrive' });
    assert(fact !== undefined, 'The caller has checked that the execution can be redriven.');
    return fact.at;
  }

  ended(arn: ExecutionArn, signal?: AbortSignal): Promise<ExecutionState> {
    return this.listeners.ended(arn, (of) => this.state(of), signal);
  }

  isTaskToken(token: string): boolean {
    return this.answers.isToken(token);
  }

  taskSucceeded(token: string, output: Json): Promise<TokenAnswer> {
    return this.answers.answer(token, { ok: true, output });
  }

  taskFailed(token: string, failure: Failure): Promise<TokenAnswer> {
    return this.answers.answer(token, { ok: false, failure });
  }

  taskHeartbeat(token: string): Promise<TokenAnswer> {
    return this.answers.heartbeatBy(token);
  }

  async activityTask(
    activityArn: string,
    workerName: string | null,
    signal: AbortSignal,
  ): Promise<ActivityTask | null> {
    for (;;) {
      const order = await this.activities.poll(activityArn, signal);
      if (order === null) return null;
      const { arn, task } = order;
      const facts = await this.delivery.deliver(arn, {
        type: 'ActivityStarted',
        task,
        workerName,
      });
      // The task ended while it waited: look for the next one.
      if (facts.length === 0) continue;
      const { parameters } = scheduledFact((await this.facts(arn)) ?? [], task.scheduled);
      return { taskToken: makeToken(this.key, arn, task), input: parameters };
    }
  }

  private refuseWhenClosed(): void {
    if (this.closed) throw new Error('The engine is closed.');
  }

  async close(): Promise<void> {
    this.closed = true;
    this.outbox.close();
    this.delivery.close();
    this.scheduler.close();
    this.dispatcher.close();
    await this.mapRuns.close();
    await this.live.idle();
  }
}
