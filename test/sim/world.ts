/**
 * One simulated world: time, the shared disk, the processes, the network between clients and them,
 * and the ledger of what clients were promised. Everything in it is decided by one seed.
 */
import type { ExecutionArn } from '../../src/lib/brand.js';
import type { HandlerContext, Logger } from '../../src/handlers/handler.js';
import type { JsonObject } from '../../src/lib/json.js';
import { type Clock, clockOver } from '../../src/runtime/clock.js';
import type { SharedStore } from '../../src/store/store.js';
import { ApiError } from '../../src/wire/errors.js';
import type { Script } from '../support/scripted-handlers.js';
import { SeededRandom } from '../support/seeded-random.js';
import { Checker } from './checker.js';
import { Disk, viewOf } from './disk.js';
import type { FaultPlan, PlannedFault } from './faults.js';
import { Hub, type Weather } from './hub.js';
import { Ledger } from './ledger.js';
import { Network } from './network.js';
import type { Place } from './peers.js';
import { SimProcess } from './process.js';
import { SimTime } from './time.js';

export interface WorldOptions {
  readonly seed: number;
  readonly plan: FaultPlan;
  readonly script: Script;
  /** Engines on the one store; several need a `neighbourhood`. */
  readonly processes: number;
  readonly neighbourhood?: Neighbourhood | null;
  /** Longest delay of an ordinary call to the store, in milliseconds. */
  readonly latencyMs: number;
  /** A bug planted between the engine and its view of the disk; see mutants.ts. */
  readonly plant?: (store: SharedStore, world: SimWorld) => SharedStore;
  /** Called for what the engine reports. */
  readonly onReport?: (message: string, fields: JsonObject) => void;
}

/** How several engines are set up beside each other. */
export interface Neighbourhood {
  readonly weather: Weather;
  /** By slot. */
  readonly places: readonly Place[];
  /** How far the wall clock of each is from the world's, in milliseconds. */
  readonly skews: readonly number[];
}

const TICK_MS = 2_000;
const TICKS = 60;
const RESTART_MS = [5, 700, 8_000] as const;
/** Where others go on meanwhile, one may stay away for longer than its lease. */
const SHARED_RESTART_MS = [5, 700, 8_000, 40_000] as const;

export class SimWorld {
  readonly time = new SimTime();
  readonly disk = new Disk();
  readonly checker = new Checker();
  readonly plan: FaultPlan;
  readonly script: Script;
  /** Randomness of the engines. */
  readonly random: SeededRandom;
  /** Randomness of the world around them. */
  readonly chance: SeededRandom;
  readonly processes: (SimProcess | null)[];
  readonly network: Network;
  readonly ledger: Ledger;
  /** Null: one engine alone. */
  readonly hub: Hub | null;
  private peerIds = 0;
  /** Time as the people and services outside see it. */
  readonly clock: Clock;
  /** The first law that was broken. */
  broken: unknown = null;
  readonly log: Logger;

  constructor(private readonly options: WorldOptions) {
    const { seed, plan, script, processes, neighbourhood = null } = options;
    this.plan = plan;
    this.script = script;
    this.random = new SeededRandom(seed ^ 0x0e9);
    this.chance = new SeededRandom(seed ^ 0xc4a);
    this.processes = Array.from({ length: processes }, () => null);
    this.clock = clockOver({
      now: () => this.time.wall(),
      after: (ms, wake) => this.time.after(ms, wake),
    });
    this.hub = neighbourhood && new Hub(seed, this.time, neighbourhood.weather);
    // Clocks that differ are clocks that were set, as far as instants in journals are concerned.
    if (neighbourhood?.skews.some((skew) => skew !== 0)) this.checker.clockWasSet = true;
    this.ledger = new Ledger(this);
    this.network = new Network(this);
    const silent = (): void => undefined;
    this.log = {
      debug: silent,
      info: silent,
      warn: silent,
      error: (message, fields) => this.reported(message, fields ?? {}),
    };
    this.disk.onCommit = (commit) => {
      this.ledger.committed(commit);
      this.guard(() => this.checker.committed(commit, this.disk.store));
    };
    this.disk.onRollback = (position) => {
      this.ledger.forgetAfter(position);
    };
    this.disk.onRolledBack = () => {
      this.hub?.forgetQueues();
      this.network.rolledBack();
      this.guard(() => this.checker.reload(this.disk.store));
    };
  }

  /** A bug of ours ends the schedule, whoever notices it. */
  private reported(message: string, fields: JsonObject): void {
    this.options.onReport?.(message, fields);
    const text = `${message} ${JSON.stringify(fields)}`;
    if (/InvariantError|JournalCorrupt|TypeError|quarantined|A listener failed/.test(text)) {
      this.broken ??= new Error(text);
    }
  }

  guard(check: () => Promise<void>): void {
    try {
      check().catch((error) => {
        this.broken ??= error;
      });
    } catch (error) {
      this.broken ??= error;
    }
  }

  async open(): Promise<void> {
    await Promise.all(this.processes.map((_none, slot) => this.startProcess(slot)));
    this.tick(TICKS);
  }

  private async startProcess(slot: number): Promise<void> {
    const process = new SimProcess(this, slot);
    this.processes[slot] = process;
    await Promise.race([
      process.open().catch(() => process.die()),
      new Promise<void>((resolve) => process.whenDead(resolve)),
    ]);
  }

  died({ id }: SimProcess): void {
    this.processes[id] = null;
    this.time.after(this.chance.pick(this.hub === null ? RESTART_MS : SHARED_RESTART_MS), () => {
      this.startProcess(id).catch((error) => {
        this.broken ??= error;
      });
    });
  }

  powerLoss(): void {
    for (const process of [...this.processes]) process?.die();
  }

  private tick(left: number): void {
    const fault = this.plan.at('tick');
    if (fault !== null) this.strike(fault);
    if (left > 0) this.time.after(TICK_MS, () => this.tick(left - 1));
  }

  private strike({ fault, amount, nth }: PlannedFault): void {
    const process = this.processes[nth % this.processes.length];
    const until = this.time.elapsed + amount;
    if (fault === 'jump') {
      this.checker.clockWasSet = true;
      this.time.jump(amount);
    }
    if (fault === 'pause') process?.pause(amount);
    if (fault === 'death') process?.die();
    if (fault === 'leaves') process?.leave();
    if (process && (fault === 'cut-from-store' || fault === 'cut-off')) {
      process.cutFromStoreUntil = until;
    }
    if (process && (fault === 'cut-from-peers' || fault === 'cut-off')) {
      process.cutFromPeersUntil = until;
    }
  }

  skewOf(slot: number): number {
    return this.options.neighbourhood?.skews[slot] ?? 0;
  }

  placeOf({ id }: SimProcess): Place {
    return this.options.neighbourhood?.places[id] ?? { globs: [], concurrency: 100 };
  }

  /** An engine that starts again is another one to its peers. */
  nextPeerId({ id }: SimProcess): string {
    return `peer-${id}-${this.peerIds++}`;
  }

  /** The disk as an engine process sees it, faults, delays and planted bugs included. */
  viewOf(process: SimProcess): SharedStore {
    const view = viewOf(this.disk, process, this);
    return this.options.plant?.(view, this) ?? view;
  }

  latency(): number {
    const { latencyMs } = this.options;
    return latencyMs === 0 || this.chance.chance(0.5) ? 0 : this.chance.between(1, latencyMs);
  }

  called(context: HandlerContext): void {
    this.ledger.called(context);
  }

  /** Holds what living engines remember to the journals. */
  compareMemory(): void {
    const arns = this.checker.changed();
    for (const process of this.processes) {
      const engine = process?.engine as unknown as {
        live: { peek(arn: ExecutionArn): Parameters<Checker['compare']>[1] | null };
      } | null;
      if (!engine) continue;
      for (const arn of arns) {
        const state = engine.live.peek(arn);
        if (state !== null) this.checker.compare(arn, state);
      }
    }
  }
}

export function isRefusal(error: unknown): error is ApiError {
  return error instanceof ApiError;
}
