/**
 * The engine: stimulus -> hydrate -> decide -> one compare-and-set commit -> only then the effects.
 * One mailbox per execution; leases and caches only save work, the compare-and-set decides. This file
 * puts the parts together: starts, turns, delivery, outbox, recovery, token answers.
 */
import type { Env } from '../core/env.js';
import type { Fact, Failure } from '../core/fact.js';
import type { ExecutionState } from '../core/state.js';
import type { Stimulus } from '../core/stimulus.js';
import { ANSWERED } from '../handlers/handler.js';
import { assert } from '../lib/assert.js';
import type { EpochMs, ExecutionArn, RevisionId, Seq } from '../lib/brand.js';
import type { Json } from '../lib/json.js';
import type { ExecutionFilter, ExecutionRow, Page } from '../store/store.js';
import type { HistoryEvent } from '../wire/history.js';
import { ActivityWork } from './activity-work.js';
import { type Clock, realClock } from './clock.js';
import { Delivery } from './delivery.js';
import type { EngineOptions } from './engine-options.js';
import { Dispatcher } from './dispatcher.js';
import { stillDue } from './due-timers.js';
import type {
  ActivityTask,
  Engine,
  ForkRequest,
  Revision,
  Started,
  StartRequest,
  TokenAnswer,
  HistoryPage,
  HistoryPageRequest,
} from './face.js';
import { limitsOf } from './limits-of.js';
import { Listeners, type FactsListener, untilEnded, type Waited } from './listeners.js';
import { type Live, LiveExecutions } from './live.js';
import { Machines } from './machines.js';
import { MapRuns } from './map-runs/map-runs.js';
import { Outbox } from './outbox.js';
import { Quarantine, type QuarantineNote, quarantineNote } from './quarantine.js';
import { MAX_QUEUED_TURNS, Overloaded } from './overloaded.js';
import type { Peers } from './peers.js';
import { RemoteFacts } from './remote-facts.js';
import { Recovery } from './recovery.js';
import { Reader } from './reader.js';
import { Scheduler, type TimerShare } from './scheduler.js';
import { SharedWork } from './shared-work.js';
import { Starts } from './starts.js';
import { TaskRouter } from './task-router.js';
import { makeToken, tokenKey } from './token.js';
import { TokenAnswers } from './token-answers.js';
import { Troubles } from './troubles.js';
import { TurnEnvs } from './turn-env.js';
import { Turns } from './turns.js';

/** Opens the engine over a store: recovers what a crash held back, then serves. */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const engine = new LocalEngine(options, await tokenKey(options.store));
  await engine.recover();
  return engine;
}

/** How long turns under way may take to end when the engine closes. */
const CLOSE_WITHIN_MS = 5_000;

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
  private readonly activities: ActivityWork;
  private readonly answers: TokenAnswers;
  private readonly outbox: Outbox;
  private readonly recovery: Recovery;
  readonly mapRuns: MapRuns;
  private readonly peers: Peers | null;
  private readonly router: TaskRouter;
  private readonly remote: RemoteFacts | null;
  private readonly envs: TurnEnvs;
  private readonly starts: Starts;
  private readonly reader: Reader;
  private readonly shared: SharedWork | null;
  private closed = false;

  constructor(
    private readonly options: EngineOptions,
    private readonly key: string,
  ) {
    const { store } = options;
    this.peers = options.peers ?? null;
    this.clock = options.clock ?? realClock;
    this.mine = options.only === undefined ? null : new Set(options.only);
    this.troubles = new Troubles(options.log);
    this.listeners = new Listeners(this.troubles);
    this.live = new LiveExecutions(store);
    this.machines = new Machines(store.documents);
    this.quarantine = new Quarantine(store.documents);
    this.envs = new TurnEnvs({ ...options, key });
    this.turns = this.createTurns();
    const drives = (arn: ExecutionArn): boolean => this.drives(arn);
    const isStale = (held: Live): Promise<boolean> => this.isStale(held);
    const { live, turns, clock, troubles, quarantine, machines } = this;
    const takes = (arn: ExecutionArn): void => void this.mine?.add(arn);
    this.starts = new Starts({ live, machines, turns, clock, isStale, takes });
    this.reader = new Reader({
      store,
      live,
      alone: this.peers === null,
      isStepped: (arn) => options.isStepped?.(arn) === true,
      isStale,
    });
    this.delivery = new Delivery({ live, turns, clock, troubles, quarantine, drives });
    this.scheduler = new Scheduler(
      store,
      this.clock,
      (arn, keys) => this.delivery.inBackground(arn, { type: 'TimersDue', keys }),
      (error) => this.troubles.report('Timers could not be read.', error),
      {
        ...(options.sole ? { horizonMs: Number.POSITIVE_INFINITY } : {}),
        share: this.createShare(),
      },
    );
    this.mapRuns = this.createMapRuns();
    this.answers = this.createAnswers();
    this.dispatcher = this.createDispatcher();
    this.router = new TaskRouter(
      this.dispatcher,
      this.peers,
      clock,
      (resource) => options.resources.resolve(resource) !== null,
      this.troubles,
    );
    this.activities = new ActivityWork({
      shared: this.peers?.activities ?? null,
      clock,
      troubles,
      deliver: (arn, stimulus) => this.delivery.deliver(arn, stimulus),
      facts: (arn) => this.facts(arn),
      makeToken: (arn, task) => makeToken(this.key, arn, task),
    });
    this.outbox = this.createOutbox();
    const { outbox, peers, scheduler } = this;
    this.remote =
      peers === null
        ? null
        : new RemoteFacts(peers, clock, troubles, (arn, facts) =>
            this.listeners.publish(arn, facts),
          );
    this.shared = peers === null ? null : this.createSharedWork(peers);
    const inBackground = (arn: ExecutionArn, stimulus: Stimulus): void => {
      this.delivery.inBackground(arn, stimulus);
    };
    const drive = <T>(arn: ExecutionArn, work: (held: Live) => Promise<T>): Promise<T> =>
      this.delivery.drive(arn, work);
    const insist: Delivery['insist'] = (arn, work) => this.delivery.insist(arn, work);
    this.recovery = new Recovery({ store, outbox, scheduler, drives, drive, inBackground, insist });
  }

  private createOutbox(): Outbox {
    const { scheduler, mapRuns, peers } = this;
    return new Outbox({
      scheduler,
      mapRuns,
      startTask: (order) => this.router.start(order),
      offerActivity: (activityArn, order) => this.activities.offer(activityArn, order),
      cancel: (arn, by) => this.cancel(arn, by, false),
      childEnded: (state) => {
        const { arn, mapRunArn } = state.identity;
        mapRuns.childEnded(state);
        if (mapRunArn === null || mapRuns.isDriving(mapRunArn)) return;
        peers?.tell({ is: 'ended', arn: arn as ExecutionArn, mapRunArn });
      },
      makeToken: (arn, task) => makeToken(this.key, arn, task),
      goOn: (arn) => this.goOn(arn),
    });
  }

  private createSharedWork(peers: Peers): SharedWork {
    const { live, outbox, dispatcher, router, mapRuns, scheduler, remote, troubles } = this;
    assert(remote !== null, 'Peers and what they commit come together.');
    return new SharedWork({
      peers,
      clock: this.clock,
      live,
      outbox,
      dispatcher,
      router,
      mapRuns,
      scheduler,
      remote,
      troubles,
      inBackground: (arn, stimulus) => this.delivery.inBackground(arn, stimulus),
      insist: (arn, work) => this.delivery.insist(arn, work),
      isStale: (held) => this.isStale(held),
      drive: (arn, work) => this.delivery.drive(arn, work),
      isMine: (arn) => this.isMine(arn),
      sweepMs: peers.sweepMs,
    });
  }

  private createShare(): TimerShare | null {
    const { peers } = this;
    if (peers === null) return null;
    const isAlive = (id: string): boolean => peers.isAlive(id);
    return { id: peers.id, isAlive, isMine: (arn) => this.isMine(arn) };
  }

  /** Whether what has no holder falls to this process. */
  private isMine(arn: ExecutionArn): boolean {
    return this.mine === null ? (this.peers?.isMine(arn) ?? true) : this.mine.has(arn);
  }

  private createTurns(): Turns {
    const { live, machines, options } = this;
    return new Turns({
      store: options.store,
      live,
      machines,
      env: (arn) => this.env(arn),
      holder: () =>
        this.peers === null ? null : { id: this.peers.id, until: this.scheduler.horizon },
      isStale: (held) => this.isStale(held),
      stillDue: (state, keys) => {
        const { scheduler, clock, peers } = this;
        return stillDue({ scheduler, clock, peers }, state, keys);
      },
      pause: (ms) => this.delivery.pause(ms),
      settled: (arn, { state, effects, facts }) => {
        this.outbox.handOut(state, effects, facts);
        this.listeners.publish(arn, facts);
        this.remote?.committed(arn, facts);
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
      pause: (ms) => this.delivery.pause(ms),
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
      answered: (arn, by) => this.cancel(arn, by, true),
      ...(this.peers === null ? {} : { holder: this.peers.id }),
    });
  }

  private createMapRuns(): MapRuns {
    const { store, mapItems = null } = this.options;
    return new MapRuns({
      store,
      clock: this.clock,
      io: mapItems,
      payloadBytesOf: (arn) => limitsOf(this.options, arn).payloadBytes,
      sole: this.options.sole ?? false,
      drives: (arn) => this.drives(arn),
      env: (arn) => this.env(arn),
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

  /** Whether another process has written after what memory holds. */
  private async isStale(live: Live): Promise<boolean> {
    if (this.peers === null || !live.loaded) return false;
    const head = await this.peers.store.head(live.arn);
    return (head?.seq ?? 0) !== (live.state?.seq ?? 0);
  }

  /** Stops the work of fact `by`, wherever it runs. */
  private cancel(arn: ExecutionArn, by: Seq, answered: boolean): void {
    const isHere = this.dispatcher.isRunning(arn, by);
    if (answered) this.dispatcher.cancel(arn, by, ANSWERED);
    else {
      this.dispatcher.cancel(arn, by);
      this.mapRuns.cancel(arn, by);
    }
    this.router.forget(arn, by);
    if (!isHere) this.peers?.tell({ is: 'cancel', arn, by, answered });
  }

  /** Hands out again what was promised before the last stop. */
  async recover(): Promise<void> {
    this.options.store.onReset?.(() => this.resync());
    await this.quarantine.recover();
    if (this.peers !== null && this.shared !== null) {
      await this.peers.join(this.shared);
      await this.scheduler.start();
      this.shared.start();
      return;
    }
    await this.recovery.run();
    await this.mapRuns.recover();
    await this.scheduler.start();
  }

  /** The store may have gone back behind what this process knows: all is read and taken up again. */
  private resync(): void {
    if (this.closed) return;
    this.live.forgetAll();
    this.delivery
      .patiently(() => this.machines.saveAgain())
      .catch((error) => this.troubles.report('Revisions could not be written again.', error));
    this.listeners.lookAgain();
    if (this.shared !== null) return this.shared.resync();
    const again = async (): Promise<void> => {
      await this.mapRuns.letGo();
      await this.recovery.run();
      await this.mapRuns.recover();
      await this.scheduler.refillNow();
    };
    this.delivery
      .patiently(again)
      .catch((error) => this.troubles.report('The store could not be read again.', error));
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
    await this.recovery.takeUp(arn, await this.state(arn));
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
    await this.recovery.takeUpPending(arn);
    return released;
  }

  async start(request: StartRequest): Promise<Started> {
    this.refuseWhenClosed();
    // Children of Map Runs are ours: their driver bounds them.
    if (request.identity.mapRunArn === null) this.refuseWhenFull();
    return this.starts.start(request);
  }

  async fork(request: ForkRequest): Promise<Started> {
    this.refuseWhenClosed();
    return this.starts.fork(request);
  }

  private env(arn: ExecutionArn): Env {
    return this.envs.at(this.clock.now(), limitsOf(this.options, arn));
  }

  subscribe(arn: ExecutionArn | null, listener: FactsListener): () => void {
    const unsubscribe = this.listeners.subscribe(arn, listener);
    const { remote } = this;
    if (arn === null || remote === null) return unsubscribe;
    remote.watch(arn);
    return () => {
      unsubscribe();
      if (!this.listeners.has(arn)) remote.unwatch(arn);
    };
  }

  state(arn: ExecutionArn): Promise<ExecutionState | null> {
    return this.reader.state(arn);
  }

  facts(arn: ExecutionArn): Promise<readonly Fact[] | null> {
    return this.reader.facts(arn);
  }

  history(arn: ExecutionArn): Promise<readonly HistoryEvent[] | null> {
    return this.reader.history(arn);
  }

  historyPage(arn: ExecutionArn, page: HistoryPageRequest): Promise<HistoryPage | null> {
    return this.reader.historyPage(arn, page);
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
    const waited: Waited = {
      state: (of) => this.state(of),
      subscribe: (of, listener) => this.subscribe(of, listener),
      inMemory: (of) => this.live.inMemory(of),
    };
    return untilEnded(waited, arn, signal);
  }

  isTaskToken(token: string): boolean {
    return this.answers.isToken(token);
  }

  taskSucceeded(token: string, output: Json): Promise<TokenAnswer> {
    this.refuseWhenFull();
    return this.answers.answer(token, { ok: true, output });
  }

  taskFailed(token: string, failure: Failure): Promise<TokenAnswer> {
    this.refuseWhenFull();
    return this.answers.answer(token, { ok: false, failure });
  }

  taskHeartbeat(token: string): Promise<TokenAnswer> {
    return this.answers.heartbeatBy(token);
  }

  activityTask(
    activityArn: string,
    workerName: string | null,
    signal: AbortSignal,
  ): Promise<ActivityTask | null> {
    return this.activities.take(activityArn, workerName, signal);
  }

  private refuseWhenClosed(): void {
    if (this.closed) throw new Error('The engine is closed.');
  }

  private refuseWhenFull(): void {
    if (this.live.waiting < MAX_QUEUED_TURNS) return;
    throw new Overloaded('Too many turns wait in this process; try again.');
  }

  /** What a store that is away holds up is left as a crash would leave it. */
  private async inTime(work: Promise<unknown>): Promise<void> {
    const { clock } = this;
    let cancel = (): void => undefined;
    const late = new Promise<void>((resolve) => {
      cancel = clock.at((clock.now() + CLOSE_WITHIN_MS) as EpochMs, resolve);
    });
    await Promise.race([work, late]).finally(() => cancel());
  }

  async close(): Promise<void> {
    this.closed = true;
    this.shared?.close();
    this.activities.close();
    this.router.close();
    this.remote?.close();
    const taking = this.peers?.stopTaking();
    this.outbox.close();
    this.delivery.close();
    this.scheduler.close();
    this.dispatcher.close();
    await this.inTime(Promise.all([this.mapRuns.close(), taking]).then(() => this.live.idle()));
    await this.peers?.leave();
  }
}
