/**
 * Scheduled activity tasks in Redis, so that a worker may poll any process. A taken order comes back
 * after a while unless it is done: the process that took it may have died before the task was started.
 */
import { createHash } from 'node:crypto';
import type { ActivityOrder, SharedActivities } from '../runtime/peers.js';
import type { Connection } from './connections.js';

const BACK_AFTER_MS = 10_000;
/** A poll looks again after this, in case no notice came. */
const LOOK_MS = 1_000;

/** KEYS: waiting, taken, order. ARGV: text. */
const OFFER = `
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], 'NX', redis.call('INCR', KEYS[3]), ARGV[1])
return 1
`;

/** KEYS: waiting, taken. ARGV: back after ms. Answers the oldest order or nothing. */
const TAKE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, text in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], 0, now - ARGV[1], 'LIMIT', 0, 100)) do
  redis.call('ZREM', KEYS[2], text)
  redis.call('ZADD', KEYS[1], 'NX', 0, text)
end
local first = redis.call('ZPOPMIN', KEYS[1])
if not first[1] then return false end
redis.call('ZADD', KEYS[2], now, first[1])
return first[1]
`;

export class ActivityQueue implements SharedActivities {
  private readonly polls = new Map<string, Set<() => void>>();

  constructor(
    private readonly connection: Connection,
    private readonly prefix: string,
    private readonly tell: (activityArn: string) => void,
  ) {}

  async offer(activityArn: string, order: ActivityOrder): Promise<void> {
    const keys = this.keys(activityArn);
    await this.connection.eval(OFFER, 3, ...keys, textOf(order));
    this.heard(activityArn);
    this.tell(activityArn);
  }

  async take(activityArn: string, signal: AbortSignal): Promise<ActivityOrder | null> {
    const [waiting, taken] = this.keys(activityArn);
    while (!signal.aborted) {
      const news = this.news(activityArn, signal);
      const text = await this.connection.eval(TAKE, 2, waiting, taken, BACK_AFTER_MS);
      if (text !== null) {
        news.forget();
        return JSON.parse(text as string) as ActivityOrder;
      }
      await news.come;
    }
    return null;
  }

  async done(activityArn: string, order: ActivityOrder): Promise<void> {
    const [, taken] = this.keys(activityArn);
    await this.connection.zrem(taken, textOf(order));
  }

  /** An order of this activity was offered, here or elsewhere. */
  heard(activityArn: string): void {
    const [first] = this.polls.get(activityArn) ?? [];
    first?.();
  }

  /** Comes with the next offer, after a while, or on abort. */
  private news(activityArn: string, signal: AbortSignal) {
    const set = this.polls.get(activityArn) ?? new Set<() => void>();
    this.polls.set(activityArn, set);
    let forget = (): void => undefined;
    const come = new Promise<void>((resolve) => {
      const timer = setTimeout(() => forget(), LOOK_MS);
      forget = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', forget);
        set.delete(forget);
        if (set.size === 0 && this.polls.get(activityArn) === set) this.polls.delete(activityArn);
        resolve();
      };
      set.add(forget);
      signal.addEventListener('abort', forget);
    });
    return { come, forget };
  }

  private keys(activityArn: string): readonly [waiting: string, taken: string, order: string] {
    const name = createHash('sha256').update(activityArn).digest('hex').slice(0, 32);
    const base = `${this.prefix}:{a:${name}}`;
    return [`${base}:waiting`, `${base}:taken`, `${base}:order`];
  }
}

/** The same order is the same text, however often it is offered. */
function textOf({ arn, task }: ActivityOrder): string {
  const { frame, scheduled, nonce } = task;
  return JSON.stringify({ arn, task: { frame, scheduled, nonce } });
}
