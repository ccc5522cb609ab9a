/**
 * One engine's way to the others (src/runtime/peers.ts) over the hub of its world: it signs while it can,
 * keeps its last view of the living while it is cut off, and hears nothing while its process is paused.
 */
import type { ExecutionArn } from '../../src/lib/brand.js';
import type {
  ActivityOrder,
  LocalEngineFace,
  Notice,
  Peers,
  PooledTask,
  SharedActivities,
} from '../../src/runtime/peers.js';
import type { SharedStore } from '../../src/store/store.js';
import { StoreUnavailable } from '../../src/store/unavailable.js';
import { type ResourceGlobs, resourceGlobs } from '../../src/workers/resource-globs.js';
import { Rooms } from '../../src/workers/rooms.js';
import { never } from '../support/faulty-store.js';
import { type Hub, SIGN_MS } from './hub.js';
import type { SimProcess } from './process.js';

/** What one process is started with. */
export interface Place {
  readonly globs: readonly string[];
  readonly concurrency: number;
}

/** As in production: src/workers/open-peers.ts, activity-queue.ts. */
const VERIFY_MS = 10_000;
const LOOK_MS = 1_000;

export class SimPeers implements Peers {
  readonly sweepMs = undefined;
  readonly pool: string;
  private readonly globs: ResourceGlobs;
  private readonly rooms: Rooms;
  private local: LocalEngineFace | null = null;
  private alive: readonly SimPeers[] = [this];
  private polls: (() => void)[] = [];
  private left = false;

  constructor(
    private readonly hub: Hub,
    private readonly process: SimProcess,
    readonly id: string,
    readonly store: SharedStore,
    place: Place,
  ) {
    this.globs = resourceGlobs(place.globs);
    this.rooms = new Rooms(place.concurrency);
    this.pool = this.globs.globs.join(' ');
  }

  /** Its process is over. */
  get isGone(): boolean {
    return this.process.dead || this.left;
  }

  /** Messages and jobs reach it now. */
  get isReachable(): boolean {
    return !this.isGone && this.local !== null && !this.process.isPaused && !this.isCut;
  }

  get hasRoom(): boolean {
    return this.rooms.free > 0;
  }

  private get isCut(): boolean {
    return this.hub.time.elapsed < this.process.cutFromPeersUntil;
  }

  /** The queues answer, or do not. */
  private async reach(): Promise<void> {
    await this.process.resumed();
    if (this.process.dead) return never();
    if (this.isCut) throw new StoreUnavailable('The queues are away (injected).');
  }

  async join(local: LocalEngineFace): Promise<void> {
    await this.reach();
    this.local = local;
    this.sign();
    this.hub.tell(this, { is: 'members' });
    this.every(SIGN_MS, () => this.sign());
    this.every(VERIFY_MS, () => {
      local.verify().catch(() => undefined);
    });
  }

  private every(ms: number, act: () => void): void {
    this.process.after(ms, () => {
      if (this.isGone) return;
      act();
      this.every(ms, act);
    });
  }

  private sign(): void {
    if (this.isCut || this.isGone) return;
    const before = this.alive;
    this.alive = this.hub.sign(this);
    const isSame =
      before.length === this.alive.length && this.alive.every((other) => before.includes(other));
    if (!isSame) this.local?.changed();
  }

  heard(message: Notice | { readonly is: 'members' }): void {
    if (this.isCut) return;
    const hear = (): void => {
      if (this.isGone || this.local === null) return;
      if (message.is === 'members') this.sign();
      else this.local.noticed(message);
    };
    const pause = this.process.resumed();
    if (pause === null) hear();
    else void pause.then(hear);
  }

  run(task: PooledTask): Promise<'done' | 'stale' | 'full'> {
    return this.local?.runPooled(task) ?? Promise.resolve('full');
  }

  wakeUp(arn: ExecutionArn): void {
    this.local?.wake(arn).catch(() => undefined);
  }

  isAlive(id: string): boolean {
    return this.alive.some((other) => other.id === id);
  }

  isMine(arn: ExecutionArn): boolean {
    let chosen: SimPeers = this;
    for (const other of this.alive) if (rank(arn, other.id) > rank(arn, chosen.id)) chosen = other;
    return chosen === this;
  }

  serves(resource: string): boolean {
    return this.rooms.size > 0 && this.globs.serves(resource);
  }

  othersServe(resource: string): boolean {
    return this.alive.some((other) => other !== this && other.serves(resource));
  }

  takeRoom(resource: string): (() => void) | null {
    return this.rooms.take(resource);
  }

  async offer(task: PooledTask): Promise<void> {
    await this.reach();
    const fault = this.process.faultOf('queue');
    if (fault === 'refused') throw new StoreUnavailable('The queue refused (injected).');
    const serving = this.alive.find((other) => other.serves(task.resource));
    if (serving === undefined) throw new Error(`No living process serves ${task.resource}.`);
    this.hub.offer(task, serving.pool);
    if (fault === 'reply-lost') throw new StoreUnavailable('The reply was lost (injected).');
  }

  async wake(arns: readonly ExecutionArn[]): Promise<void> {
    await this.reach();
    this.hub.wake(arns);
  }

  tell(notice: Notice): void {
    if (!this.isCut && !this.isGone) this.hub.tell(this, notice);
  }

  readonly activities: SharedActivities = {
    offer: async (activityArn, order) => {
      await this.reach();
      this.hub.offerActivity(activityArn, order);
    },
    take: async (activityArn, signal) => {
      while (!signal.aborted) {
        await this.reach();
        const order: ActivityOrder | null = this.hub.takeActivity(activityArn);
        if (order !== null) return order;
        await this.news(signal);
      }
      return null;
    },
    done: async (activityArn, order) => {
      await this.reach();
      this.hub.activityDone(activityArn, order);
    },
  };

  /** Comes with the next offer, after a while, or on abort. */
  private news(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.process.after(LOOK_MS, resolve);
      const come = (): void => {
        cancel();
        resolve();
      };
      this.polls.push(come);
      signal.addEventListener('abort', come, { once: true });
    });
  }

  activityCame(): void {
    if (!this.isReachable) return;
    const { polls } = this;
    this.polls = [];
    for (const come of polls) come();
  }

  async stopTaking(): Promise<void> {}

  async leave(): Promise<void> {
    this.left = true;
    this.hub.forget(this);
    this.hub.tell(this, { is: 'members' });
  }
}

/** Divides what has no holder among the living, alike wherever it is asked. */
function rank(arn: string, id: string): number {
  let hash = 0x811c9dc5;
  for (const text of [arn, id]) {
    for (let at = 0; at < text.length; at++) {
      hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
    }
  }
  return (hash ^ (hash >>> 15)) >>> 0;
}
