/** Joins the other processes on a Redis store: members, notices, pools, activities, wake-ups. */
import { randomBytes } from 'node:crypto';
import type { Logger } from '../handlers/handler.js';
import type { ExecutionArn } from '../lib/brand.js';
import type { LocalEngineFace, Notice, Peers, PooledTask } from '../runtime/peers.js';
import type { SharedStore } from '../store/store.js';
import { parseRedisUrl } from '../store/redis-url.js';
import { ActivityQueue } from './activity-queue.js';
import { connect, type Connection } from './connections.js';
import {
  type Member,
  MEMBER_TIMES,
  Members,
  type MemberTimes,
  OWN_PROCESS,
  ownPlace,
} from './members.js';
import { type Message, Notices } from './notices.js';
import { Pools } from './pools.js';
import { type ResourceGlobs, resourceGlobs } from './resource-globs.js';
import { Rooms } from './rooms.js';
import { Wakes } from './wakes.js';

export interface PeersOptions {
  readonly url: string;
  readonly store: SharedStore;
  readonly log: Logger;
  /** Resources whose tasks run here; none: all. */
  readonly globs: readonly string[];
  /** Tasks at a time. */
  readonly concurrency: number;
  /** `serve` or `worker`, for people. */
  readonly role: string;
  /** Works for others: takes tasks of pools, and what has no holder. Else only for what it starts. */
  readonly drives: boolean;
  readonly times?: Partial<MemberTimes>;
  readonly sweepMs?: number;
}

/** What this process holds is checked against the store this often. */
const VERIFY_MS = 10_000;
/** A queue that does not answer is left behind. */
const CLOSE_WITHIN_MS = 1_000;
const STOP_TAKING_WITHIN_MS = 3_000;

export class RedisPeers implements Peers {
  readonly id = randomBytes(6).toString('hex');
  readonly store: SharedStore;
  readonly activities: ActivityQueue;
  readonly wakes: Wakes;
  readonly sweepMs: number | undefined;
  private readonly sender: Connection;
  private readonly receiver: Connection;
  private readonly globs: ResourceGlobs;
  private readonly rooms: Rooms;
  private readonly members: Members;
  private readonly notices: Notices;
  private readonly pools: Pools;
  private local: LocalEngineFace | null = null;
  private verifying: NodeJS.Timeout | null = null;
  private toldAt = 0;

  constructor(private readonly options: PeersOptions) {
    const address = parseRedisUrl(options.url);
    const { prefix } = address;
    this.store = options.store;
    this.sweepMs = options.sweepMs;
    this.globs = resourceGlobs(options.globs);
    this.rooms = new Rooms(options.concurrency);
    this.sender = connect(address, this.id);
    this.receiver = connect(address, `${this.id}:notices`);
    for (const connection of [this.sender, this.receiver]) {
      connection.on('error', (error) => this.failed(error));
    }
    const self: Member = {
      id: this.id,
      place: ownPlace(),
      pid: process.pid,
      process: OWN_PROCESS,
      globs: this.globs.globs,
      concurrency: options.drives ? options.concurrency : 0,
      role: options.role,
      drives: options.drives,
    };
    this.members = new Members(
      this.sender,
      [`${prefix}:{members}:all`, `${prefix}:{members}:seen`],
      self,
      { ...MEMBER_TIMES, ...options.times },
      () => this.local?.changed(),
      (error) => this.failed(error),
    );
    this.notices = new Notices(this.sender, this.receiver, `${prefix}:notices`, this.id);
    this.activities = new ActivityQueue(this.sender, prefix, (activityArn) =>
      this.notices.tell({ is: 'activity', activityArn }),
    );
    const common = {
      connection: this.sender,
      prefix,
      failed: (error: unknown) => this.failed(error),
    };
    this.pools = new Pools({
      ...common,
      self,
      rooms: this.rooms,
      members: () => this.members.list(),
      run: async (task) => this.local?.runPooled(task) ?? 'full',
    });
    this.wakes = new Wakes({ ...common, wake: async (arn) => this.local?.wake(arn) });
  }

  async join(local: LocalEngineFace): Promise<void> {
    this.local = local;
    await this.notices.listen((message) => this.heard(message));
    await this.members.join();
    this.pools.start();
    if (this.options.drives) this.wakes.start();
    this.notices.tell({ is: 'members' });
    this.verifying = setInterval(() => {
      local.verify().catch((error) => this.failed(error));
    }, VERIFY_MS);
    this.verifying.unref();
  }

  private heard(message: Message): void {
    if (message.is === 'members') {
      this.members.sign().catch((error) => this.failed(error));
    } else if (message.is === 'activity') this.activities.heard(message.activityArn);
    else this.local?.noticed(message);
  }

  list(): readonly Member[] {
    return this.members.list();
  }

  isAlive(id: string): boolean {
    return this.members.isAlive(id);
  }

  isMine(arn: ExecutionArn): boolean {
    return this.members.isMine(arn);
  }

  serves(resource: string): boolean {
    return this.rooms.size > 0 && this.globs.serves(resource);
  }

  othersServe(resource: string): boolean {
    return this.pools.othersServe(resource);
  }

  takeRoom(resource: string): (() => void) | null {
    return this.rooms.take(resource);
  }

  offer(task: PooledTask): Promise<void> {
    return this.pools.offer(task);
  }

  wake(arns: readonly ExecutionArn[]): Promise<void> {
    return this.wakes.wake(arns);
  }

  tell(notice: Notice): void {
    this.notices.tell(notice);
  }

  /** Connections come back by themselves: said now and then, not for every command. */
  private failed(error: unknown): void {
    if (Date.now() - this.toldAt < 10_000) return;
    this.toldAt = Date.now();
    const shown = error instanceof Error ? error.message : String(error);
    this.options.log.warn('The queues on Redis are in trouble; they are tried again.', {
      error: shown,
    });
  }

  async stopTaking(): Promise<void> {
    const taking = Promise.all([this.pools.stopTaking(), this.wakes.stopTaking()]);
    await within(STOP_TAKING_WITHIN_MS, taking);
  }

  async leave(): Promise<void> {
    if (this.verifying !== null) clearInterval(this.verifying);
    const leaving = this.members.leave().then(() => this.notices.tell({ is: 'members' }));
    await within(CLOSE_WITHIN_MS, leaving);
    this.members.stop();
    await within(CLOSE_WITHIN_MS, Promise.all([this.pools.close(), this.wakes.close()]));
    for (const connection of [this.receiver, this.sender]) connection.disconnect();
  }
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work.catch(() => undefined), late]);
  clearTimeout(timer);
}
