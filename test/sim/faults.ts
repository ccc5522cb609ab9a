/**
 * What goes wrong in one schedule. Every occasion (a commit, a read, a call of a handler, a message, a
 * tick of the world) asks the plan; the plan draws from its seed, or follows a list that was recorded
 * before, so that a failing run can be replayed and its list made shorter.
 */
import { SeededRandom } from '../support/seeded-random.js';

export type Occasion = 'commit' | 'read' | 'write' | 'handler' | 'message' | 'tick' | 'queue';

export type FaultKind =
  | 'dies-before-commit'
  | 'dies-after-commit'
  /** The process dies while the commit is under way; it is durable or not. */
  | 'dies-in-commit'
  | 'reply-lost'
  | 'refused'
  /** The commit, or its reply, takes its time: others overtake it. */
  | 'slow'
  | 'slow-reply'
  /** Every write is refused for a while. */
  | 'disk-full'
  /** Nothing answers for a while. */
  | 'away'
  /** All processes and every write that was not acknowledged are gone. */
  | 'power-loss'
  /** A failover to a replica that had not seen the last writes, acknowledged or not. */
  | 'rollback'
  | 'fails'
  | 'dies-in-handler'
  | 'dies-with-result'
  | 'lost-request'
  | 'lost-reply'
  | 'twice'
  | 'late'
  | 'jump'
  | 'pause'
  | 'death'
  /** One of several processes ends as it should. */
  | 'leaves'
  /** The store, the other processes, or both do not answer one process for a while. */
  | 'cut-from-store'
  | 'cut-from-peers'
  | 'cut-off';

export interface PlannedFault {
  readonly on: Occasion;
  /** Which occasion of its kind, from 1. */
  readonly nth: number;
  readonly fault: FaultKind;
  /** How long, how far, how many: by fault. */
  readonly amount: number;
}

type Weights = readonly (readonly [FaultKind, number])[];

const USUAL: Readonly<Record<Occasion, Weights>> = {
  commit: [
    ['dies-before-commit', 2],
    ['dies-after-commit', 2],
    ['dies-in-commit', 2],
    ['reply-lost', 3],
    ['refused', 2],
    ['slow', 3],
    ['slow-reply', 3],
    ['disk-full', 1],
    ['away', 2],
    ['power-loss', 1],
  ],
  read: [
    ['fails', 2],
    ['slow', 2],
    ['away', 1],
  ],
  write: [
    ['refused', 2],
    ['reply-lost', 2],
    ['dies-in-commit', 1],
    ['slow', 1],
  ],
  handler: [
    ['dies-in-handler', 1],
    ['dies-with-result', 1],
    ['slow', 1],
  ],
  message: [
    ['lost-request', 1],
    ['lost-reply', 1],
    ['twice', 1],
    ['late', 1],
  ],
  tick: [
    ['jump', 1],
    ['pause', 2],
    ['death', 1],
  ],
  queue: [
    ['refused', 1],
    ['reply-lost', 1],
  ],
};

/** Where several processes share the store. */
const SHARED_TICK: Weights = [
  ['jump', 1],
  ['pause', 3],
  ['death', 2],
  ['leaves', 1],
  ['cut-from-store', 2],
  ['cut-from-peers', 2],
  ['cut-off', 2],
];
/** There a tick is the occasion for most of what only several processes can suffer. */
const SHARED_TICK_CHANCE = 0.08;

const ROLLBACK: readonly [FaultKind, number] = ['rollback', 2];
/** A schedule is over when everything that goes wrong has; more faults say no more. */
const MAX_FAULTS = 12;

export interface PlanOptions {
  readonly seed: number;
  /** Chance that an occasion goes wrong. */
  readonly intensity: number;
  /** Acknowledged writes may vanish, as on a replica that lags behind. */
  readonly rollbacks: boolean;
  /** Several processes share the store. */
  readonly shared: boolean;
  /** Follow this list instead of drawing. */
  readonly only?: readonly PlannedFault[];
}

export class FaultPlan {
  /** What has gone wrong so far. */
  readonly happened: PlannedFault[] = [];
  private readonly counts = new Map<Occasion, number>();
  private readonly random: SeededRandom;
  private readonly planned: ReadonlyMap<string, PlannedFault> | null;

  constructor(private readonly options: PlanOptions) {
    this.random = new SeededRandom(options.seed ^ 0x5eed);
    const { only } = options;
    this.planned =
      only === undefined ? null : new Map(only.map((fault) => [`${fault.on} ${fault.nth}`, fault]));
  }

  /** What goes wrong now, or null. */
  at(on: Occasion): PlannedFault | null {
    const nth = (this.counts.get(on) ?? 0) + 1;
    this.counts.set(on, nth);
    const fault = this.planned === null ? this.draw(on, nth) : this.planned.get(`${on} ${nth}`);
    if (fault === null || fault === undefined) return null;
    this.happened.push(fault);
    return fault;
  }

  private draw(on: Occasion, nth: number): PlannedFault | null {
    const { random, options } = this;
    const together = on === 'tick' && options.shared;
    const intensity = together
      ? Math.max(options.intensity, SHARED_TICK_CHANCE)
      : options.intensity;
    if (this.happened.length >= MAX_FAULTS || !random.chance(intensity)) return null;
    const usual = together ? SHARED_TICK : USUAL[on];
    const weights = on === 'commit' && options.rollbacks ? [...usual, ROLLBACK] : usual;
    let left = random.next() * weights.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [fault, weight] of weights) {
      left -= weight;
      if (left < 0) return { on, nth, fault, amount: this.amountOf(fault) };
    }
    return null;
  }

  private amountOf(fault: FaultKind): number {
    const { random } = this;
    switch (fault) {
      case 'jump':
        return random.pick([-3_600_000, -60_000, -1_000, 1_000, 60_000, 3_600_000]);
      case 'pause':
        return random.pick([50, 5_000, 40_000]);
      case 'slow':
      case 'slow-reply':
      case 'late':
        return random.pick([5, 200, 3_000, 35_000]);
      case 'cut-from-store':
      case 'cut-from-peers':
      case 'cut-off':
        return random.pick([1_000, 10_000, 45_000]);
      case 'disk-full':
      case 'away':
        return random.pick([20, 1_000, 45_000]);
      case 'rollback':
        return random.between(1, 5);
      case 'dies-in-commit':
      case 'power-loss':
        return random.between(0, 1);
      default:
        return 0;
    }
  }
}
