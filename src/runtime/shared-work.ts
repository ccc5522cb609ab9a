/**
 * What the engine of one process does for the others on the same store: runs tasks of pools, hears
 * what they committed, and takes up work whose holder is lost. Sweeps are level-triggered: they look
 * at what is there, so a message that was lost costs time and nothing else.
 */
import type { Phase } from '../core/state.js';
import { type Stimulus, timerKey } from '../core/stimulus.js';
import type { EpochMs, ExecutionArn, Seq } from '../lib/brand.js';
import type { Json } from '../lib/json.js';
import type { OutboxEntry, Page } from '../store/store.js';
import { ANSWERED } from '../handlers/handler.js';
import type { Clock } from './clock.js';
import type { Dispatcher, TaskOrder } from './dispatcher.js';
import { loadJournal, outboxKey } from './journal.js';
import type { Live, LiveExecutions } from './live.js';
import type { MapRuns } from './map-runs/map-runs.js';
import { factsBehind, type Outbox } from './outbox.js';
import type { LocalEngineFace, Notice, Peers, PooledTask } from './peers.js';
import type { RemoteFacts } from './remote-facts.js';
import type { Scheduler } from './scheduler.js';
import type { TaskRouter } from './task-router.js';
import type { Troubles } from './troubles.js';

const SWEEP_BATCH = 500;
/** Executions taken up at a time. */
const TAKEN_AT_ONCE = 32;
/** Everything is looked at this often, whether somebody was lost or not. */
const FULL_SWEEP_MS = 60_000;
/** Open executions that are looked at in one go. */
const WALKED_AT_ONCE = 1_000;

interface Effect {
  readonly what: string;
  readonly frame?: string;
  readonly by?: Seq;
  /** Who holds it. */
  readonly on?: string;
}

export interface SharedWorld {
  readonly peers: Peers;
  readonly clock: Clock;
  readonly live: LiveExecutions;
  readonly outbox: Outbox;
  readonly dispatcher: Dispatcher;
  readonly router: TaskRouter;
  readonly mapRuns: MapRuns;
  readonly scheduler: Scheduler;
  readonly remote: RemoteFacts;
  readonly troubles: Troubles;
  /** Works on an execution whose mailbox is held. */
  drive<T>(arn: ExecutionArn, work: (held: Live) => Promise<T>): Promise<T>;
  inBackground(arn: ExecutionArn, stimulus: Stimulus): Promise<void>;
  /** Does the work until the store has let it; never rejects. */
  insist(arn: ExecutionArn, work: () => Promise<unknown>): Promise<void>;
  isStale(live: Live): Promise<boolean>;
  /** Whether what has no holder falls to this process. */
  isMine(arn: ExecutionArn): boolean;
  /** How often everything is looked at. */
  readonly sweepMs?: number | undefined;
}

export class SharedWork implements LocalEngineFace {
  private sweeping: Promise<void> | null = null;
  private again = false;
  /** The next sweep, and the one under way, take up what this process holds itself. */
  private reset = false;
  private all = false;
  private closed = false;
  private cancelSweep: () => void = () => undefined;
  private walkedTo: string | null = null;
  private forgotten: ReadonlySet<ExecutionArn> = new Set();
  private abandoned: ReadonlySet<string> = new Set();

  constructor(private readonly world: SharedWorld) {}

  start(): void {
    this.changed();
    this.sweepLater();
  }

  private sweepLater(): void {
    const { clock, sweepMs = FULL_SWEEP_MS, troubles } = this.world;
    this.cancelSweep = clock.at((clock.now() + sweepMs) as EpochMs, () => {
      this.changed();
      this.fullSweep().catch((error) =>
        troubles.report('What nothing would wake could not be looked for.', error),
      );
      this.sweepLater();
    });
  }

  private async fullSweep(): Promise<void> {
    await this.endAbandoned();
    await this.wakeForgotten();
  }

  /** The store may have gone back. */
  resync(): void {
    this.world.mapRuns.letGo().then(() => {
      this.reset = true;
      this.changed();
    });
  }

  changed(): void {
    const { scheduler, troubles } = this.world;
    if (this.closed) return;
    scheduler.refillNow().catch((error) => troubles.report('Timers could not be read.', error));
    if (this.sweeping !== null) {
      this.again = true;
      return;
    }
    this.all = this.reset;
    this.reset = false;
    this.sweeping = this.sweep()
      .catch((error) => {
        // What a store that went back has undone is looked for until it is found.
        if (this.all) this.reset = true;
        troubles.report('Lost work could not be looked for.', error);
      })
      .finally(() => {
        this.sweeping = null;
        if (!this.again) return;
        this.again = false;
        this.changed();
      });
  }

  /** Takes up every effect without a living holder that falls to this process. */
  private async sweep(): Promise<void> {
    const { store } = this.world.peers;
    const taken = new Set<Promise<void>>();
    let token: string | null = null;
    do {
      const page: Page<OutboxEntry> = await store.pendingEffects(SWEEP_BATCH, token);
      for (const entry of page.items) {
        if (this.closed) return;
        if (!this.isLost(entry)) continue;
        const one = this.takeUp(entry).finally(() => taken.delete(one));
        taken.add(one);
        if (taken.size >= TAKEN_AT_ONCE) await Promise.race(taken);
      }
      token = page.next;
    } while (token !== null);
    await Promise.all(taken);
  }

  private isLost({ arn, effect }: OutboxEntry): boolean {
    const { peers } = this.world;
    const { on } = effect as unknown as Effect;
    // After the store went back, what this process holds may be work that it has never begun.
    if (on === peers.id) return this.all;
    return (on === undefined || !peers.isAlive(on)) && this.world.isMine(arn);
  }

  private async takeUp({ arn, key, effect }: OutboxEntry): Promise<void> {
    try {
      await this.claimAndBegin(arn, key, effect);
    } catch (error) {
      this.world.troubles.quarantine(arn, error);
      this.makeSure(arn, key);
    }
  }

  private async claimAndBegin(arn: ExecutionArn, key: string, effect: Json): Promise<void> {
    const { peers } = this.world;
    const { what, by, on } = effect as unknown as Effect;
    const mine = { ...(effect as unknown as Effect), on: peers.id } as unknown as Json;
    if (on !== peers.id && !(await peers.store.replaceEffect(arn, key, effect, mine))) return;
    if (what === 'continue') await this.world.inBackground(arn, { type: 'Continue' });
    else await this.begin(arn, by as Seq, true);
  }

  /**
   * The store was away while work was claimed: this process may be its holder without knowing. Nobody
   * takes up what a living process holds, so it is begun here as soon as the store says whose it is.
   */
  private makeSure(arn: ExecutionArn, key: string): void {
    this.world.insist(arn, async () => {
      const effect = await this.world.peers.store.effect(arn, key);
      if (effect === null || this.closed) return;
      const isOurs = (effect as unknown as Effect).on === this.world.peers.id;
      if (isOurs || this.isLost({ arn, key, effect })) await this.claimAndBegin(arn, key, effect);
    });
  }

  /** Begins work that this process holds; `run` in the place of the usual way of tasks. */
  private async begin(
    arn: ExecutionArn,
    by: Seq,
    recovered: boolean,
    run?: (order: TaskOrder) => void,
  ): Promise<void> {
    const { outbox, peers } = this.world;
    await this.world.drive(arn, async (held) => {
      if (await this.world.isStale(held)) await this.world.live.load(held);
      if (held.state === null) return;
      const journal = await loadJournal(peers.store, arn);
      outbox.begin(held.state, by, factsBehind(held.state, journal), recovered, run);
    });
  }

  async runPooled(task: PooledTask): Promise<'done' | 'stale' | 'full'> {
    const { dispatcher, peers, router } = this.world;
    const { arn, by } = task;
    if (this.closed) return 'full';
    const release = peers.takeRoom(task.resource);
    if (release === null) return 'full';
    try {
      const holder = await this.claim(task);
      if (holder === null) return 'stale';
      const recovered = task.recovered || holder !== task.from;
      let over: Promise<void> = Promise.resolve();
      await this.begin(arn, by, recovered, (order) => {
        over = dispatcher.start(order);
      });
      router.forget(arn, by);
      await over;
      return 'done';
    } catch (error) {
      this.makeSure(arn, outboxKey(by));
      throw error;
    } finally {
      release();
    }
  }

  /** Who held the task before it became ours; null when it is over or a living worker's. */
  private async claim({ arn, by, from }: PooledTask): Promise<string | null> {
    const { dispatcher, peers } = this.world;
    const key = outboxKey(by);
    const effect = (await peers.store.effect(arn, key)) as unknown as Effect | null;
    if (effect === null || dispatcher.isRunning(arn, by)) return null;
    const holder = effect.on ?? from;
    if (holder === peers.id) return holder;
    if (holder !== from && peers.isAlive(holder)) return null;
    const mine = { ...effect, on: peers.id } as unknown as Json;
    const before = effect as unknown as Json;
    return (await peers.store.replaceEffect(arn, key, before, mine)) ? holder : null;
  }

  noticed(notice: Notice): void {
    const { dispatcher, mapRuns, remote, router } = this.world;
    const { arn } = notice;
    switch (notice.is) {
      case 'facts':
        remote.look(arn);
        break;
      case 'watch':
        remote.wanted(arn);
        break;
      case 'cancel':
        router.forget(arn, notice.by);
        // The store may have gone back behind the one who tells: then it is still to be done, here.
        if (dispatcher.isRunning(arn, notice.by)) this.makeSure(arn, outboxKey(notice.by));
        if (notice.answered) dispatcher.cancel(arn, notice.by, ANSWERED);
        else dispatcher.cancel(arn, notice.by);
        mapRuns.cancel(arn, notice.by);
        break;
      case 'ended':
        if (notice.mapRunArn !== null && mapRuns.isDriving(notice.mapRunArn)) this.childEnded(arn);
        break;
    }
  }

  private childEnded(arn: ExecutionArn): void {
    const { live, mapRuns, troubles } = this.world;
    live
      .enqueue(arn, async (held) => {
        if (await this.world.isStale(held)) await live.load(held);
        if (held.state !== null) mapRuns.childEnded(held.state);
      })
      .catch((error) => troubles.quarantine(arn, error));
  }

  /** Nothing was there to wake it: what its state says is begun again, timers are set again. */
  async wake(arn: ExecutionArn): Promise<void> {
    const { outbox, peers, scheduler } = this.world;
    await this.world.drive(arn, async (held) => {
      if (await this.world.isStale(held)) await this.world.live.load(held);
      const { state } = held;
      if (state?.status !== 'RUNNING' || (await this.isAwaited(arn))) return;
      const facts = (await loadJournal(peers.store, arn))?.facts ?? [];
      for (const { id, phase } of state.frames.values()) {
        if (phase.is === 'task' && !isHandedOver(phase)) {
          outbox.begin(state, phase.scheduled, facts, true);
        }
        if (phase.is === 'map-run') outbox.begin(state, phase.by, facts, true);
        if (phase.is === 'waiting') {
          scheduler.set(arn, timerKey('wait', id, phase.setBy), phase.until);
        }
      }
    });
    await this.world.inBackground(arn, { type: 'Continue' });
  }

  private async isAwaited(arn: ExecutionArn): Promise<boolean> {
    const { timers, outbox } = await this.world.peers.store.care.pending(arn);
    return timers.length > 0 || outbox.length > 0;
  }

  /** Puts open executions that nothing would wake into the queue; a part of them at a time. */
  private async wakeForgotten(): Promise<void> {
    const { store } = this.world.peers;
    const page = await store.open(WALKED_AT_ONCE, this.walkedTo);
    this.walkedTo = page.next;
    const forgotten: ExecutionArn[] = [];
    for (const { arn } of page.items) {
      if (this.closed) return;
      if (this.world.isMine(arn) && !(await this.isAwaited(arn))) forgotten.push(arn);
    }
    // Its turn may be under way: only what is forgotten twice is.
    const again = forgotten.filter((arn) => this.forgotten.has(arn));
    this.forgotten = new Set(forgotten);
    if (again.length > 0) await this.world.peers.wake(again);
  }

  verify(): Promise<void> {
    return this.world.router.verify();
  }

  /** Map Runs whose parent is over and whose driver is gone: found twice, a minute apart. */
  private async endAbandoned(): Promise<void> {
    this.abandoned = await this.world.mapRuns.endAbandoned(this.abandoned);
  }

  close(): void {
    this.closed = true;
    this.cancelSweep();
  }
}

/** Somebody outside answers by token: nothing is awaited here, and nothing is to be begun again. */
function isHandedOver(phase: Extract<Phase, { is: 'task' }>): boolean {
  const { resource, started, submission } = phase;
  if (resource.kind === 'activity') return started;
  return resource.pattern === 'wait-for-task-token' && submission !== undefined;
}
