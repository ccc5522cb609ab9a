/**
 * Wake-ups and ticks on BullMQ: an execution that nothing else would wake goes on at whichever process
 * has time, at once or after a delay; a tick comes by cron pattern or interval, once for all processes.
 */
import { type Job, Queue, Worker } from 'bullmq';
import type { ExecutionArn } from '../lib/brand.js';
import type { Json } from '../lib/json.js';
import type { Connection } from './connections.js';

const NAME = 'wake';
const AT_ONCE = 16;

interface Wake {
  readonly arn: ExecutionArn;
}

export interface Tick {
  readonly id: string;
  readonly data: Json;
  /** The instant the tick stands for, milliseconds since 1970. */
  readonly dueAt: number;
}

export interface WakesOptions {
  readonly connection: Connection;
  readonly prefix: string;
  wake(arn: ExecutionArn): Promise<void>;
  failed(error: unknown): void;
}

export class Wakes {
  private readonly queue: Queue;
  private worker: Worker | null = null;
  private readonly tickers = new Set<(tick: Tick) => Promise<void>>();

  constructor(private readonly options: WakesOptions) {
    this.queue = new Queue(NAME, {
      ...this.common(),
      defaultJobOptions: { removeOnComplete: true, removeOnFail: { count: 100 } },
    });
    this.queue.on('error', options.failed);
  }

  private common() {
    const { connection, prefix } = this.options;
    return { connection: connection as never, prefix: `${prefix}:{q:${NAME}}` };
  }

  start(): void {
    this.worker = new Worker(NAME, (job) => this.process(job), {
      ...this.common(),
      concurrency: AT_ONCE,
      maxStalledCount: 1_000_000,
    });
    this.worker.on('error', this.options.failed);
  }

  private async process(job: Job): Promise<void> {
    if (job.name === 'wake') return this.options.wake((job.data as Wake).arn);
    const { id, data } = job.data as Tick;
    const dueAt = job.opts.prevMillis ?? job.timestamp + (job.opts.delay ?? 0);
    for (const ticker of this.tickers) await ticker({ id, data, dueAt });
  }

  /** The same execution waits in the queue once, however often it is asked for. */
  async wake(arns: readonly ExecutionArn[], delayMs = 0): Promise<void> {
    await this.queue.addBulk(
      arns.map((arn) => ({
        name: 'wake',
        data: { arn },
        opts: { jobId: arn.replaceAll(':', '.'), delay: delayMs },
      })),
    );
  }

  /** `every`: a cron pattern (UTC) or milliseconds. The same id replaces what was there. */
  async setTick(id: string, every: string | number, data: Json): Promise<void> {
    const repeat = typeof every === 'number' ? { every } : { pattern: every, tz: 'UTC' };
    await this.queue.upsertJobScheduler(id, repeat, { name: 'tick', data: { id, data } });
  }

  async dropTick(id: string): Promise<boolean> {
    return this.queue.removeJobScheduler(id);
  }

  /** Each tick goes to one process; a handler that rejects is reported. Returns how to stop. */
  onTick(handler: (tick: Tick) => Promise<void>): () => void {
    this.tickers.add(handler);
    return () => this.tickers.delete(handler);
  }

  async stopTaking(): Promise<void> {
    await this.worker?.close();
  }

  async close(): Promise<void> {
    await this.queue.close();
  }
}
