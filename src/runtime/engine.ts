/**
 * The engine: stimulus -> hydrate -> decide -> one compare-and-set commit -> only then the effects.
 * One mailbox per execution; leases and caches only save work, the compare-and-set decides.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { decide } from '../core/decide.js';
import type { Effect } from '../core/effects.js';
import type { Env } from '../core/env.js';
import type { Fact, FactOf, Failure, Outcome } from '../core/fact.js';
import { AWS_LIMITS, type Limits } from '../core/limits.js';
import type { ExecutionState } from '../core/state.js';
import { type Stimulus, type TaskRef, timerKey } from '../core/stimulus.js';
import { ANSWERED, type Logger } from '../handlers/handler.js';
import { assert, InvariantError } from '../lib/assert.js';
import type { EpochMs, ExecutionArn, Nonce, RevisionId, Seq } from '../lib/brand.js';
import type { Json, JsonObject } from '../lib/json.js';
import type { ExecutionFilter, ExecutionRow, Page, Store } from '../store/store.js';
import { type HistoryEvent, projectHistory } from '../wire/history.js';
import { Activities } from './activities.js';
import { type Clock, realClock } from './clock.js';
import {
  Dispatcher,
  type HandlerServices,
  type Resources,
  type TaskProgress,
} from './dispatcher.js';
import type { ActivityTask, Engine, Revision, Started, StartRequest, TokenAnswer } from './face.js';
import { JournalCorrupt, loadJournal, prepareCommit } from './journal.js';
import { type Live, LiveExecutions } from './live.js';
import { Machines } from './machines.js';
import type { MapItems } from './map-runs/io.js';
import { MapRuns } from './map-runs/map-runs.js';
import { Scheduler } from './scheduler.js';
import { makeToken, readToken } from './token.js';

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
}

/** Commits that conflict because another process was faster: reload and decide again, this often. */
const MAX_CONFLICTS = 20;
const RECOVERY_BATCH = 500;
/** Pauses between deliveries while the store is out of reach: doubling from the first to the longest. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 30_000;

type FactsListener = (arn: ExecutionArn, facts: readonly Fact[]) => void;

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
  private readonly live: LiveExecutions;
  private readonly machines: Machines;
  private readonly scheduler: Scheduler;
  private readonly dispatcher: Dispatcher;
  private readonly activities = new Activities();
  readonly mapRuns: MapRuns;
  private readonly listeners = new Map<ExecutionArn | null, Set<FactsListener>>();
  private readonly clock: Clock;
  private readonly mine: Set<ExecutionArn> | null;
  /** Cancels of pauses under way. */
  private readonly pauses = new Set<() => void>();
  private closed = false;

  constructor(
    private readonly options: EngineOptions,
    private readonly key: string,
  ) {
    const { store } = options;
    this.clock = options.clock ?? realClock;
    this.mine = options.only === undefined ? null : new Set(options.only);
    this.live = new LiveExecutions(store);
    this.machines = new Machines(store.documents);
    this.scheduler = new Scheduler(
      store,
      this.clock,
      (arn, keys) => this.inBackground(arn, { type: 'TimersDue', keys }),
      (error) => this.report('Timers could not be read.', error),
    );
    this.mapRuns = this.createMapRuns();
    this.dispatcher = new Dispatcher(options.resources, options.services, {
      result: (arn, task, outcome, stage) =>
        this.deliverSurely(arn, { type: 'TaskResult', task, outcome, stage }),
      submitted: (arn, task, output) =>
        this.deliverSurely(arn, { type: 'TaskSubmitted', task, output }),
      heartbeat: (arn, task) => {
        this.heartbeat(arn, task).catch((error) => this.report('A heartbeat was lost.', error));
      },
      progress: (progress) => options.onProgress?.(progress),
    });
  }

  private createMapRuns(): MapRuns {
    const { store, mapItems = null, limits = AWS_LIMITS } = this.options;
    return new MapRuns({
      store,
      clock: this.clock,
      io: mapItems,
      payloadBytes: limits.payloadBytes,
      drives: (arn) => this.drives(arn),
      env: () => this.env(),
      machine: (state) => this.machines.machine(state.revision),
      start: (request) => this.start(request),
      state: (arn) => this.state(arn),
      adopt: (arn) => this.adopt(arn),
      stop: (arn, failure) => this.stop(arn, failure),
      redrive: async (arn) => {
        await this.deliver(arn, { type: 'Redrive' });
      },
      ended: async ({ arn, frame, by, outcome, aborted }) => {
        await this.deliver(arn, { type: 'MapRunEnded', frame, by, outcome, aborted });
      },
      report: (message, error, fields) => this.report(message, error, fields),
    });
  }

  /** Hands out again what was promised before the last stop. Folds only executions that need it. */
  async recover(): Promise<void> {
    const { store } = this.options;
    let token: string | null = null;
    do {
      const page: Awaited<ReturnType<Store['pendingEffects']>> = await store.pendingEffects(
        RECOVERY_BATCH,
        token,
      );
      for (const entry of page.items) {
        if (!this.drives(entry.arn)) continue;
        const effect = entry.effect as { what: string; by?: number };
        if (effect.what === 'continue') this.inBackground(entry.arn, { type: 'Continue' });
        else await this.redispatch(entry.arn, effect.by as Seq);
      }
      token = page.next;
    } while (token !== null);
    await this.mapRuns.recover();
    await this.scheduler.start();
  }

  private drives(arn: ExecutionArn): boolean {
    return this.mine === null || this.mine.has(arn);
  }

  /** An engine for some executions only takes up what these have started, too. */
  async adopt(arn: ExecutionArn): Promise<void> {
    if (this.mine === null || this.mine.has(arn)) return;
    this.mine.add(arn);
    const state = await this.state(arn);
    for (const { phase } of state?.frames.values() ?? []) {
      if (phase.is === 'task') await this.redispatch(arn, phase.scheduled);
      if (phase.is === 'map-run') await this.redispatch(arn, phase.by);
    }
    this.inBackground(arn, { type: 'Continue' });
  }

  private redispatch(arn: ExecutionArn, by: Seq): Promise<void> {
    return this.live
      .enqueue(arn, async (live) => {
        if (live.state === null) return;
        const journal = await loadJournal(this.options.store, arn);
        this.begin(live.state, by, journal?.facts ?? [], true);
      })
      .catch((error) => this.quarantine(arn, error));
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
      const facts = await this.turn(live, {
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

  /** One stimulus, one turn, one commit; resolves to the facts that became durable. */
  private deliver(arn: ExecutionArn, stimulus: Stimulus): Promise<readonly Fact[]> {
    return this.live.enqueue(arn, (live) => this.turn(live, stimulus));
  }

  /** Never rejects; resolves when the stimulus is dealt with or given up. */
  private async inBackground(arn: ExecutionArn, stimulus: Stimulus): Promise<void> {
    if (this.closed || !this.drives(arn)) return;
    await this.deliverSurely(arn, stimulus).catch((error) => this.quarantine(arn, error));
  }

  /** Tries again while the store is out of reach; a bug or a damaged journal ends it. */
  private async deliverSurely(arn: ExecutionArn, stimulus: Stimulus): Promise<void> {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      try {
        await this.deliver(arn, stimulus);
        return;
      } catch (error) {
        if (this.closed) return;
        this.quarantine(arn, error);
        if (isFault(error)) return;
      }
      await this.pause(pauseMs);
      if (this.closed) return;
    }
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        this.pauses.delete(cancel);
        resolve();
      };
      const cancelTimer = this.clock.at((this.clock.now() + ms) as EpochMs, end);
      const cancel = (): void => {
        cancelTimer();
        end();
      };
      this.pauses.add(cancel);
    });
  }

  private async turn(live: Live, stimulus: Stimulus): Promise<readonly Fact[]> {
    await this.settle(live);
    for (let conflicts = 0; ; conflicts++) {
      const facts = await this.tryTurn(live, stimulus);
      if (facts !== null) return facts;
      if (conflicts === MAX_CONFLICTS)
        throw new Error(`${live.arn} changes faster than this turn.`);
      await this.live.load(live);
    }
  }

  /** Null when another writer was faster. */
  private async tryTurn(live: Live, stimulus: Stimulus): Promise<readonly Fact[] | null> {
    const before = live.state;
    if (before === null && stimulus.type !== 'Start') return [];
    const revision = before?.revision ?? (stimulus as { revision: RevisionId }).revision;
    const machine = await this.machines.machine(revision);
    const turn = await decide(machine, before, stimulus, this.env());
    const { facts, state } = turn;
    if (facts.length === 0) return facts;
    const fired = stimulus.type === 'TimersDue' ? stimulus.keys : [];
    const previous = { seq: before?.seq ?? (0 as Seq), digest: live.digest };
    const { commit, effects } = prepareCommit(previous, facts, state, fired);
    live.unsettled = { digest: commit.digest, state, facts, effects };
    const answer = await this.options.store
      .commit(commit)
      .catch((error) => this.replyLost(live, error));
    if (answer === 'committed') this.settled(live);
    // A conflict may be with this very commit, when its first reply was lost on the way.
    else if (!(await this.settle(live))) return null;
    return facts;
  }

  /** Applied or not: only the store knows. What memory holds is no longer trusted. */
  private async replyLost(live: Live, error: unknown): Promise<'committed'> {
    this.live.forget(live);
    try {
      if (await this.settle(live)) return 'committed';
    } catch (second) {
      this.report('The store does not say what became of a commit.', second, { arn: live.arn });
      this.inBackground(live.arn, { type: 'Continue' });
    }
    throw error;
  }

  /** Finds out whether a commit without a reply is in the journal, and hands out what it promised. */
  private async settle(live: Live): Promise<boolean> {
    const { unsettled } = live;
    if (unsettled === null) return false;
    const commits = await this.options.store.load(live.arn);
    const applied = commits.findIndex((commit) => commit.digest === unsettled.digest);
    if (applied === -1) {
      live.unsettled = null;
      return false;
    }
    this.settled(live);
    // Others may have written after it.
    if (applied < commits.length - 1) await this.live.load(live);
    return true;
  }

  /** The commit is durable: memory follows, and the outside may know. */
  private settled(live: Live): void {
    const { unsettled } = live;
    if (unsettled === null) return;
    live.unsettled = null;
    live.state = unsettled.state;
    live.digest = unsettled.digest;
    live.loaded = true;
    this.apply(unsettled.state, unsettled.effects, unsettled.facts);
    this.publish(live.arn, unsettled.facts);
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

  /** The outside learns of a turn only here, after its commit. */
  private apply(state: ExecutionState, effects: readonly Effect[], facts: readonly Fact[]): void {
    const arn = state.identity.arn as ExecutionArn;
    for (const effect of effects) {
      switch (effect.do) {
        case 'set-timer':
          this.scheduler.set(arn, effect.key, effect.dueAt);
          break;
        case 'drop-timer':
          this.scheduler.drop(arn, effect.key);
          break;
        case 'begin':
          this.begin(state, effect.by, facts, false);
          break;
        case 'finish':
          if (effect.cancel) {
            this.dispatcher.cancel(arn, effect.by);
            this.mapRuns.cancel(arn, effect.by);
          }
          break;
      }
    }
    if (state.status !== 'RUNNING') this.mapRuns.childEnded(state);
    if (state.status === 'RUNNING' && state.ready.size > 0) {
      this.inBackground(arn, { type: 'Continue' });
    }
  }

  /** Starts the work that fact `by` asked for, unless it is over already. */
  private begin(state: ExecutionState, by: Seq, facts: readonly Fact[], recovered: boolean): void {
    if (this.closed) return;
    const arn = state.identity.arn as ExecutionArn;
    for (const frame of state.frames.values()) {
      const { phase } = frame;
      if (phase.is === 'map-run' && phase.by === by) {
        return this.mapRuns.begin(state, frame.id, phase);
      }
      if (phase.is !== 'task' || phase.scheduled !== by) continue;
      const task: TaskRef = { frame: frame.id, scheduled: by, nonce: phase.nonce };
      if (phase.resource.kind === 'activity') {
        if (!phase.started) this.activities.offer(phase.resource.arn, { arn, task });
        return;
      }
      const scheduled = scheduledFact(facts, by);
      const waits = phase.resource.pattern === 'wait-for-task-token';
      this.dispatcher.start({
        state,
        scheduled,
        stateName: frame.state,
        visit: frame.enteredEventId,
        attempt: frame.attempts.reduce((sum, used) => sum + used, 0),
        submission: phase.submission ?? null,
        taskToken: waits ? makeToken(this.key, arn, task) : null,
        recovered,
      });
      return;
    }
  }

  private publish(arn: ExecutionArn, facts: readonly Fact[]): void {
    for (const key of [arn, null]) {
      for (const listener of this.listeners.get(key) ?? []) {
        try {
          listener(arn, facts);
        } catch (error) {
          this.report('A listener failed.', error);
        }
      }
    }
  }

  subscribe(arn: ExecutionArn | null, listener: FactsListener): () => void {
    const set = this.listeners.get(arn) ?? new Set();
    this.listeners.set(arn, set);
    set.add(listener);
    return () => {
      set.delete(listener);
      if (set.size === 0) this.listeners.delete(arn);
    };
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
    const facts = await this.deliver(arn, { type: 'Stop', failure });
    return facts.at(-1)?.at ?? null;
  }

  async redrive(arn: ExecutionArn): Promise<EpochMs> {
    const [fact] = await this.deliver(arn, { type: 'Redrive' });
    assert(fact !== undefined, 'The caller has checked that the execution can be redriven.');
    return fact.at;
  }

  async ended(arn: ExecutionArn, signal?: AbortSignal): Promise<ExecutionState> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        unsubscribe();
        signal?.removeEventListener('abort', onAbort);
        settle();
      };
      const look = (): void => {
        this.state(arn).then(
          (state) => {
            if (state !== null && state.status !== 'RUNNING') finish(() => resolve(state));
          },
          (error) => finish(() => reject(error)),
        );
      };
      const onAbort = (): void => finish(() => reject(signal?.reason));
      const unsubscribe = this.subscribe(arn, (_arn, facts) => {
        if (facts.some((fact) => fact.type === 'ExecutionEnded')) look();
      });
      signal?.addEventListener('abort', onAbort);
      if (signal?.aborted) onAbort();
      look();
    });
  }

  isTaskToken(token: string): boolean {
    return readToken(this.key, token) !== null;
  }

  taskSucceeded(token: string, output: Json): Promise<TokenAnswer> {
    return this.answer(token, { ok: true, output });
  }

  taskFailed(token: string, failure: Failure): Promise<TokenAnswer> {
    return this.answer(token, { ok: false, failure });
  }

  private async answer(token: string, outcome: Outcome): Promise<TokenAnswer> {
    const content = readToken(this.key, token);
    if (content === null) return 'invalid';
    const { arn, task } = content;
    const facts = await this.deliver(arn, { type: 'TaskResult', task, outcome });
    if (facts.length === 0) return 'timed-out';
    this.dispatcher.cancel(arn, task.scheduled, ANSWERED);
    return 'accepted';
  }

  async taskHeartbeat(token: string): Promise<TokenAnswer> {
    const content = readToken(this.key, token);
    if (content === null) return 'invalid';
    return (await this.heartbeat(content.arn, content.task)) ? 'accepted' : 'timed-out';
  }

  /** Heartbeats are not facts: they move a timer. False when the attempt is over. */
  private async heartbeat(arn: ExecutionArn, task: TaskRef): Promise<boolean> {
    const state = await this.state(arn);
    const phase = state?.frames.get(task.frame)?.phase;
    const live = phase?.is === 'task' && phase.nonce === task.nonce && state?.status === 'RUNNING';
    if (!live) return false;
    if (phase.heartbeatSeconds === null) return true;
    const key = timerKey('heartbeat', task.frame, task.scheduled);
    const dueAt = (this.clock.now() + phase.heartbeatSeconds * 1000) as EpochMs;
    await this.options.store.touchTimer(arn, key, dueAt);
    this.scheduler.set(arn, key, dueAt);
    return true;
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
      const facts = await this.deliver(arn, { type: 'ActivityStarted', task, workerName });
      // The task ended while it waited: look for the next one.
      if (facts.length === 0) continue;
      const { parameters } = scheduledFact((await this.facts(arn)) ?? [], task.scheduled);
      return { taskToken: makeToken(this.key, arn, task), input: parameters };
    }
  }

  /** A bug or a damaged journal stops one execution, never the process. */
  private quarantine(arn: ExecutionArn, error: unknown): void {
    const reason = isFault(error)
      ? 'The execution is quarantined: its journal is kept and it is not driven any further.'
      : 'The execution could not be driven; it is tried again with the next stimulus or start.';
    this.report(reason, error, { arn });
  }

  private report(message: string, error: unknown, fields: JsonObject = {}): void {
    const shown = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.options.log.error(message, { ...fields, error: shown });
  }

  private refuseWhenClosed(): void {
    if (this.closed) throw new Error('The engine is closed.');
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const cancel of this.pauses) cancel();
    this.scheduler.close();
    this.dispatcher.close();
    await this.mapRuns.close();
    await this.live.idle();
  }
}

function isFault(error: unknown): boolean {
  return error instanceof InvariantError || error instanceof JournalCorrupt;
}

function scheduledFact(facts: readonly Fact[], seq: Seq): FactOf<'TaskScheduled'> {
  const fact = facts.find((candidate) => candidate.seq === seq);
  assert(fact?.type === 'TaskScheduled', `Fact ${seq} schedules a task.`);
  return fact;
}
