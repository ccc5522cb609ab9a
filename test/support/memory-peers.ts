/** Engines of one process that share one memory store, as peers on Redis do; notices come a little late. */
import type { EpochMs, ExecutionArn } from '../../src/lib/brand.js';
import type { Clock } from '../../src/runtime/clock.js';
import type {
  ActivityOrder,
  LocalEngineFace,
  Notice,
  Peers,
  SharedActivities,
} from '../../src/runtime/peers.js';
import type { SharedStore } from '../../src/store/store.js';

/** What they have in common. */
export class MemoryHub {
  readonly members: MemoryPeers[] = [];
  private readonly orders = new Map<string, ActivityOrder[]>();
  private waiting: (() => void)[] = [];

  constructor(
    readonly clock: Clock,
    /** Delay of the next notice in milliseconds. */
    readonly delay: () => number,
  ) {}

  later(act: () => void): void {
    this.clock.at((this.clock.now() + this.delay()) as EpochMs, act);
  }

  readonly activities: SharedActivities = {
    offer: async (activityArn, order) => {
      const queue = this.orders.get(activityArn) ?? [];
      this.orders.set(activityArn, [...queue, order]);
      const { waiting } = this;
      this.waiting = [];
      for (const tell of waiting) tell();
    },
    take: async (activityArn, signal) => {
      for (;;) {
        if (signal.aborted) return null;
        const order = this.orders.get(activityArn)?.shift();
        if (order !== undefined) return order;
        await new Promise<void>((resolve) => {
          this.waiting.push(resolve);
          signal.addEventListener('abort', () => resolve(), { once: true });
        });
      }
    },
    done: async () => undefined,
  };
}

export class MemoryPeers implements Peers {
  readonly id: string;
  readonly sweepMs = undefined;
  private local: LocalEngineFace | null = null;

  constructor(
    private readonly hub: MemoryHub,
    readonly store: SharedStore,
  ) {
    this.id = `engine-${hub.members.length}`;
    hub.members.push(this);
  }

  get activities(): SharedActivities {
    return this.hub.activities;
  }

  async join(local: LocalEngineFace): Promise<void> {
    this.local = local;
  }

  isAlive(id: string): boolean {
    return this.hub.members.some((member) => member.id === id && member.local !== null);
  }

  isMine(arn: ExecutionArn): boolean {
    const alive = this.hub.members.filter(({ local }) => local !== null);
    return alive[arn.length % alive.length] === this;
  }

  serves(): boolean {
    return true;
  }

  othersServe(): boolean {
    return false;
  }

  takeRoom(): () => void {
    return () => undefined;
  }

  offer(): Promise<void> {
    return Promise.reject(new Error('Every engine serves everything.'));
  }

  async wake(arns: readonly ExecutionArn[]): Promise<void> {
    for (const arn of arns) await this.local?.wake(arn);
  }

  tell(notice: Notice): void {
    for (const member of this.hub.members) {
      if (member !== this) this.hub.later(() => member.local?.noticed(notice));
    }
  }

  async stopTaking(): Promise<void> {}

  async leave(): Promise<void> {
    this.local = null;
  }
}
