/**
 * What engines of one world have in common beside the store: who signed when, queues of pools, wake-ups,
 * activity orders. It behaves as BullMQ and the scripts on Redis do when all goes badly: messages are
 * lost, doubled, late and out of order, jobs come twice, a job whose worker is lost comes back.
 */
import type { ExecutionArn } from '../../src/lib/brand.js';
import type { ActivityOrder, Notice, PooledTask } from '../../src/runtime/peers.js';
import { SeededRandom } from '../support/seeded-random.js';
import type { SimPeers } from './peers.js';
import type { SimTime } from './time.js';

/** How unreliable the network between the engines is; drawn by the seed. */
export interface Weather {
  /** Chance that a notice or a job is lost, and that one comes twice. */
  readonly lost: number;
  readonly doubled: number;
  /** Longest delay in milliseconds. */
  readonly lateMs: number;
  /** Whether a process that is gone is seen to be gone before its lease is over. */
  readonly oneMachine: boolean;
}

/** As in production: src/workers/members.ts, pools.ts, activity-queue.ts. */
export const SIGN_MS = 3_000;
const LEASE_MS = 15_000;
const LOCK_MS = 30_000;
const NO_ROOM_MS = 50;
/** Until somebody of a pool that is full or away is looked for again. */
const NOBODY_MS = 500;
const BACK_AFTER_MS = 10_000;

interface Job {
  readonly data: PooledTask;
  readonly pool: string;
  /** Waits, or is being worked on. */
  active: boolean;
}

interface Orders {
  readonly waiting: string[];
  /** Text of what was taken, and when. */
  readonly taken: Map<string, number>;
}

export class Hub {
  /** Everybody who ever joined, by id. */
  private readonly members = new Map<string, { readonly peers: SimPeers; seenAt: number }>();
  private readonly tasks = new Map<string, Job>();
  private readonly wakes = new Set<ExecutionArn>();
  private readonly orders = new Map<string, Orders>();
  private readonly random: SeededRandom;

  constructor(
    seed: number,
    readonly time: SimTime,
    readonly weather: Weather,
  ) {
    this.random = new SeededRandom(seed ^ 0xb011);
  }

  /** Signs for `peers`; answers who is alive, as the one that asked sees it. */
  sign(peers: SimPeers): readonly SimPeers[] {
    const { elapsed } = this.time;
    const entry = this.members.get(peers.id);
    if (entry === undefined) this.members.set(peers.id, { peers, seenAt: elapsed });
    else entry.seenAt = elapsed;
    const alive: SimPeers[] = [];
    for (const { peers: other, seenAt } of this.members.values()) {
      const isGone = this.weather.oneMachine && other.isGone;
      if (other === peers || (seenAt >= elapsed - LEASE_MS && !isGone)) alive.push(other);
    }
    return alive;
  }

  /** The store went back, and the queues with it: what was in them may never have been. */
  forgetQueues(): void {
    this.tasks.clear();
    this.orders.clear();
  }

  lives(id: string): boolean {
    return this.members.get(id)?.peers.isGone === false;
  }

  forget({ id }: SimPeers): void {
    this.members.delete(id);
  }

  /** To everybody else; nobody relies on its arrival. */
  tell(from: SimPeers, notice: Notice | { readonly is: 'members' }): void {
    for (const { peers } of this.members.values()) {
      if (peers === from || peers.isGone) continue;
      this.send(() => peers.heard(notice));
    }
  }

  /** Once, twice or not at all, after a while of its own. */
  private send(arrive: () => void): void {
    const { random, time, weather } = this;
    if (random.chance(weather.lost)) return;
    const times = random.chance(weather.doubled) ? 2 : 1;
    for (let copy = 0; copy < times; copy++) {
      time.after(random.between(0, weather.lateMs), arrive);
    }
  }

  /** The same hand-over is the same job while it is in the queue. */
  offer(task: PooledTask, pool: string): void {
    const id = `${task.arn} ${task.by} ${task.from} ${task.handOver}`;
    if (this.tasks.has(id)) return;
    // The queue may have lost it after it said that it has it.
    if (this.random.chance(this.weather.lost)) return;
    const job = { data: task, pool, active: false };
    this.tasks.set(id, job);
    const times = this.random.chance(this.weather.doubled) ? 2 : 1;
    for (let copy = 0; copy < times; copy++) {
      this.time.after(this.random.between(0, this.weather.lateMs), () => this.handTask(id, job));
    }
  }

  private handTask(id: string, job: Job): void {
    if (this.tasks.get(id) !== job) return;
    const worker = this.someWorker((peers) => peers.pool === job.pool && peers.hasRoom);
    const { time } = this;
    if (worker === null) {
      time.after(NOBODY_MS, () => this.handTask(id, job));
      return;
    }
    job.active = true;
    this.watchLock(id, job, worker);
    const over = (answer: string): void => {
      if (worker.isGone || this.tasks.get(id) !== job) return;
      job.active = false;
      if (answer === 'full') time.after(NO_ROOM_MS, () => this.handTask(id, job));
      else this.tasks.delete(id);
    };
    // A job that fails is removed: its task stays in the outbox, and its holder offers it again.
    worker.run(job.data).then(over, () => over('failed'));
  }

  /** A worker that does not renew its lock is taken for lost; its job is another's then. */
  private watchLock(id: string, job: Job, worker: SimPeers): void {
    this.time.after(LOCK_MS, () => {
      if (this.tasks.get(id) !== job || !job.active) return;
      if (worker.isReachable) this.watchLock(id, job, worker);
      else this.handTask(id, job);
    });
  }

  wake(arns: readonly ExecutionArn[]): void {
    for (const arn of arns) {
      if (this.wakes.has(arn)) continue;
      this.wakes.add(arn);
      this.time.after(this.random.between(0, this.weather.lateMs), () => {
        this.wakes.delete(arn);
        this.someWorker(() => true)?.wakeUp(arn);
      });
    }
  }

  private someWorker(fits: (peers: SimPeers) => boolean): SimPeers | null {
    const able = [...this.members.values()]
      .map(({ peers }) => peers)
      .filter((peers) => peers.isReachable && fits(peers));
    return able.length === 0 ? null : this.random.pick(able);
  }

  offerActivity(activityArn: string, order: ActivityOrder): void {
    const { taken, waiting } = this.ordersOf(activityArn);
    const text = JSON.stringify(order);
    if (!taken.has(text) && !waiting.includes(text)) waiting.push(text);
    for (const { peers } of this.members.values()) this.send(() => peers.activityCame());
  }

  takeActivity(activityArn: string): ActivityOrder | null {
    const { taken, waiting } = this.ordersOf(activityArn);
    const { elapsed } = this.time;
    for (const [text, at] of taken) {
      if (at > elapsed - BACK_AFTER_MS) continue;
      taken.delete(text);
      waiting.unshift(text);
    }
    const text = waiting.shift();
    if (text === undefined) return null;
    taken.set(text, elapsed);
    return JSON.parse(text) as ActivityOrder;
  }

  activityDone(activityArn: string, order: ActivityOrder): void {
    this.ordersOf(activityArn).taken.delete(JSON.stringify(order));
  }

  private ordersOf(activityArn: string): Orders {
    let orders = this.orders.get(activityArn);
    if (orders === undefined) {
      orders = { waiting: [], taken: new Map() };
      this.orders.set(activityArn, orders);
    }
    return orders;
  }
}
