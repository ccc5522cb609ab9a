/**
 * Where a scheduled task runs: here and at once when this process serves its resource and has room,
 * else through the queue of a pool whose workers do. One process alone runs everything itself.
 */
import { SHUTDOWN } from '../handlers/handler.js';
import type { EpochMs, ExecutionArn, Seq } from '../lib/brand.js';
import type { Clock } from './clock.js';
import type { Dispatcher, TaskOrder } from './dispatcher.js';
import { outboxKey } from './journal.js';
import type { Peers, PooledTask } from './peers.js';
import type { Troubles } from './troubles.js';

/** A pool may be away for a while; the task stays in the outbox meanwhile. */
const OFFER_AGAIN_MS = 1_000;
const SAY_AGAIN_MS = 60_000;
const MAX_SAID = 1_000;
/** Tasks in queues that are checked in one go. */
const LOOKED_AT_ONCE = 500;

export class TaskRouter {
  /** Tasks handed to a pool and not known to be over: this process is their holder until a worker is. */
  private readonly offered = new Map<string, PooledTask>();
  private readonly waiting = new Set<() => void>();
  private readonly saidAt = new Map<string, number>();
  private handOvers = 0;
  private closed = false;

  constructor(
    private readonly dispatcher: Dispatcher,
    private readonly peers: Peers | null,
    private readonly clock: Clock,
    private readonly knows: (resource: string) => boolean,
    private readonly troubles: Troubles,
  ) {}

  start(order: TaskOrder): void {
    const { peers } = this;
    const resource = order.scheduled.resource.arn;
    if (peers === null || !this.isForPeers(resource)) {
      this.dispatcher.start(order);
      return;
    }
    if (peers.serves(resource) && this.knows(resource)) {
      const release = peers.takeRoom(resource);
      if (release !== null) {
        // The next task of the chain begins in the commit of this one's answer, and needs the same room.
        this.dispatcher.start(order, release).finally(release);
        return;
      }
    }
    const { frame, seq: by } = order.scheduled;
    const arn = order.state.identity.arn as ExecutionArn;
    const { recovered } = order;
    const handOver = ++this.handOvers;
    this.offer({ arn, frame, by, from: peers.id, handOver, resource, recovered });
  }

  /** Unknown here and everywhere: the dispatcher says so. */
  private isForPeers(resource: string): boolean {
    return this.knows(resource) || (this.peers?.othersServe(resource) ?? false);
  }

  private offer(task: PooledTask): void {
    const { peers } = this;
    if (peers === null || this.closed) return;
    this.offered.set(nameOf(task.arn, task.by), task);
    peers.offer(task).catch((error) => {
      if (this.closed) return;
      this.say(task.resource, error);
      const at = (this.clock.now() + OFFER_AGAIN_MS) as EpochMs;
      const cancel = this.clock.at(at, () => {
        this.waiting.delete(cancel);
        if (this.offered.has(nameOf(task.arn, task.by))) this.offer(task);
      });
      this.waiting.add(cancel);
    });
  }

  /** Once a minute for a resource, however many tasks wait. */
  private say(resource: string, error: unknown): void {
    const now = this.clock.now();
    if ((this.saidAt.get(resource) ?? 0) > now - SAY_AGAIN_MS) return;
    if (this.saidAt.size > MAX_SAID) this.saidAt.clear();
    this.saidAt.set(resource, now);
    this.troubles.report('Tasks wait for a worker that serves their resource.', error, {
      resource,
    });
  }

  /** A worker has claimed it, or it is over. */
  forget(arn: ExecutionArn, by: Seq): void {
    this.offered.delete(nameOf(arn, by));
  }

  /** Stops tasks that are over, or another's by now, in case nobody told. */
  async verify(): Promise<void> {
    const { peers } = this;
    if (peers === null) return;
    for (const { arn, by } of this.dispatcher.list()) {
      const effect = (await peers.store.effect(arn, outboxKey(by))) as { on?: string } | null;
      if (effect === null) this.dispatcher.cancel(arn, by);
      // It runs elsewhere: let go, without a failure of its own and without stopping what both follow.
      else if (effect.on !== undefined && effect.on !== peers.id) {
        this.dispatcher.cancel(arn, by, SHUTDOWN);
      }
    }
    for (const [name, task] of [...this.offered].slice(0, LOOKED_AT_ONCE)) {
      const { arn, by } = task;
      // The others first, the next time.
      this.offered.delete(name);
      this.offered.set(name, task);
      const effect = (await peers.store.effect(arn, outboxKey(by))) as { on?: string } | null;
      if (effect === null || effect.on !== peers.id) this.forget(arn, by);
      // The same hand-over is the same job: nothing happens unless the queue has lost it.
      else await peers.offer(task).catch(() => undefined);
    }
  }

  close(): void {
    this.closed = true;
    for (const cancel of this.waiting) cancel();
  }
}

function nameOf(arn: string, by: number): string {
  return `${arn} ${by}`;
}
