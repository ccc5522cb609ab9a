/**
 * Queues of tasks, one per pool, on BullMQ. A pool is all processes started with the same globs; a job
 * names a task and nothing else, for the journal has the rest. A job that comes twice is claimed once.
 */
import { DelayedError, type Job, Queue, Worker } from 'bullmq';
import { createHash } from 'node:crypto';
import type { PooledTask } from '../runtime/peers.js';
import type { Connection } from './connections.js';
import { resourceGlobs } from './resource-globs.js';
import type { Member } from './members.js';
import type { Rooms } from './rooms.js';

/** A worker without room gives a job back for this long. */
const NO_ROOM_MS = 50;
/** A worker that does not renew its lock for so long has its job handed out again by BullMQ. */
const LOCK_MS = 30_000;

export interface PoolsOptions {
  readonly connection: Connection;
  readonly prefix: string;
  readonly self: Member;
  readonly rooms: Rooms;
  members(): readonly Member[];
  run(task: PooledTask): Promise<'done' | 'stale' | 'full'>;
  failed(error: unknown): void;
}

export class Pools {
  private readonly queues = new Map<string, Queue>();
  private readonly serves = new Map<string, (resource: string) => boolean>();
  private worker: Worker | null = null;

  constructor(private readonly options: PoolsOptions) {}

  /** Begins to take tasks of this process's own pool. */
  start(): void {
    const { self, rooms, failed, connection } = this.options;
    if (self.concurrency === 0) return;
    const name = poolName(self.globs);
    this.worker = new Worker<PooledTask>(name, (job, token) => this.process(job, token), {
      connection: connection as never,
      prefix: this.prefixOf(name),
      concurrency: self.concurrency,
      lockDuration: LOCK_MS,
      // Claims say who works; a job may come back as often as its workers are lost.
      maxStalledCount: 1_000_000,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
    });
    this.worker.on('error', failed);
    // Tasks that run here without the queue need room too: take less from the queue.
    rooms.onChange(() => {
      if (this.worker !== null) this.worker.concurrency = Math.max(1, rooms.free + this.pulled);
    });
  }

  private pulled = 0;

  private async process(job: Job<PooledTask>, token: string | undefined): Promise<void> {
    this.pulled++;
    let answer: 'done' | 'stale' | 'full';
    try {
      answer = await this.options.run(job.data);
    } finally {
      this.pulled--;
    }
    if (answer !== 'full') return;
    await job.moveToDelayed(Date.now() + NO_ROOM_MS, token);
    throw new DelayedError();
  }

  /** Whether a living process other than this one names the resource in its globs. */
  othersServe(resource: string): boolean {
    const { self } = this.options;
    return this.options
      .members()
      .some(
        ({ id, globs }) => id !== self.id && isExplicit(globs) && this.serverOf(globs)(resource),
      );
  }

  async offer(task: PooledTask): Promise<void> {
    const pool = this.choose(task.resource);
    if (pool === null) {
      throw new Error(
        `No living process serves ${task.resource}: start one with ` +
          `stepwell worker --resources '${task.resource}'.`,
      );
    }
    await this.queueOf(pool).add('task', task, { jobId: jobId(task) });
  }

  /**
   * A pool that names the resource, else one that serves everything; of several by chance, in
   * proportion to how many tasks their processes run at a time.
   */
  private choose(resource: string): string | null {
    const rooms = new Map<string, number>();
    let all = 0;
    const serving = this.options
      .members()
      .filter(({ globs, concurrency }) => concurrency > 0 && this.serverOf(globs)(resource));
    const naming = serving.filter(({ globs }) => isExplicit(globs));
    for (const { globs, concurrency } of naming.length > 0 ? naming : serving) {
      const name = poolName(globs);
      rooms.set(name, (rooms.get(name) ?? 0) + concurrency);
      all += concurrency;
    }
    let left = Math.random() * all;
    for (const [name, room] of rooms) {
      left -= room;
      if (left <= 0) return name;
    }
    return null;
  }

  private serverOf(globs: readonly string[]): (resource: string) => boolean {
    const name = globs.join(' ');
    const known = this.serves.get(name);
    if (known !== undefined) return known;
    const { serves } = resourceGlobs(globs);
    this.serves.set(name, serves);
    return serves;
  }

  private queueOf(name: string): Queue {
    const known = this.queues.get(name);
    if (known !== undefined) return known;
    const { connection, failed } = this.options;
    const queue = new Queue(name, {
      connection: connection as never,
      prefix: this.prefixOf(name),
      defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
    });
    queue.on('error', failed);
    this.queues.set(name, queue);
    return queue;
  }

  /** A hash tag of its own: all keys of a queue are in one slot of a Cluster. */
  private prefixOf(name: string): string {
    return `${this.options.prefix}:{q:${name}}`;
  }

  /** Takes nothing new; resolves when the jobs under way are over, or soon. */
  async stopTaking(): Promise<void> {
    await this.worker?.close();
  }

  async close(): Promise<void> {
    await Promise.all([...this.queues.values()].map((queue) => queue.close()));
  }
}

/** One that serves everything says nothing about a resource nobody knows. */
function isExplicit(globs: readonly string[]): boolean {
  return globs.some((glob) => !glob.startsWith('!') && glob !== '*');
}

function poolName(globs: readonly string[]): string {
  return `pool-${hash(globs.join(' '))}`;
}

/** The same hand-over is the same job: offering it again while it waits does nothing. */
function jobId({ arn, by, from, handOver }: PooledTask): string {
  return hash(`${arn} ${by} ${from} ${handOver}`);
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 24);
}
