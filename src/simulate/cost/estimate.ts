/** From what a run used to what it costs: as Standard, and as Express. */
import type { Prices } from './prices.js';
import type { Usage } from './usage.js';

export interface EstimateOptions {
  readonly prices: Prices;
  readonly runsPerMonth: number;
  /** Memory of an Express execution; billed in whole chunks. */
  readonly memoryMb: number;
  /** Milliseconds of an Express execution; the run's own when null. */
  readonly durationMs: number | null;
}

export interface Estimate {
  readonly standard: {
    readonly transitionsPerRun: number;
    readonly perRun: number;
    /** After the free tier, which all machines of an account share. */
    readonly perMonth: number;
    readonly perMonthWithoutFreeTier: number;
  };
  readonly express: {
    readonly requestsPerRun: number;
    readonly gbHoursPerRun: number;
    readonly billedMs: number;
    readonly perRun: number;
    readonly perMonth: number;
  };
}

const MS_PER_HOUR = 3_600_000;

export function estimate(usage: Usage, options: EstimateOptions): Estimate {
  const { prices, runsPerMonth } = options;
  const { standard } = prices;
  const transitions = usage.transitions + usage.childStarts * standard.transitionsPerChildStart;
  const priceOf = (count: number): number => (count / 1000) * standard.perThousandTransitions;
  const children = expressCost(usage.expressChildren, usage.expressChildren.length, options);
  const monthly = transitions * runsPerMonth;
  const ownMs = options.durationMs ?? usage.durationMs;
  const whole = expressCost([ownMs], 1, options);
  return {
    standard: {
      transitionsPerRun: transitions,
      perRun: priceOf(transitions) + children.perRun,
      perMonth:
        priceOf(Math.max(0, monthly - standard.freeTransitionsPerMonth)) + children.perMonth,
      perMonthWithoutFreeTier: priceOf(monthly) + children.perMonth,
    },
    express: {
      requestsPerRun: 1,
      gbHoursPerRun: whole.gbHours,
      billedMs: roundedMs(ownMs, prices),
      perRun: whole.perRun,
      perMonth: whole.perMonth,
    },
  };
}

function roundedMs(ms: number, { express }: Prices): number {
  return Math.max(1, Math.ceil(ms / express.durationStepMs)) * express.durationStepMs;
}

function expressCost(durations: readonly number[], requests: number, options: EstimateOptions) {
  const { memoryMb, prices, runsPerMonth } = options;
  const { express } = prices;
  const memory = Math.max(1, Math.ceil(memoryMb / express.memoryChunkMb)) * express.memoryChunkMb;
  const ms = durations.reduce((sum, one) => sum + roundedMs(one, prices), 0);
  const gbHours = (memory / 1024) * (ms / MS_PER_HOUR);
  const request = (requests / 1_000_000) * express.perMillionRequests;
  const [first] = express.tiers;
  return {
    gbHours,
    perRun: request + gbHours * (first?.perGbHour ?? 0),
    perMonth: request * runsPerMonth + tiered(gbHours * runsPerMonth, prices),
  };
}

/** Each tier's price for the GB-hours that fall into it. */
export function tiered(gbHours: number, { express }: Prices): number {
  let left = gbHours;
  let from = 0;
  let sum = 0;
  for (const { perGbHour, upToGbHours } of express.tiers) {
    const width = upToGbHours === null ? Number.POSITIVE_INFINITY : upToGbHours - from;
    const inside = Math.min(left, width);
    sum += inside * perGbHour;
    left -= inside;
    from = upToGbHours ?? from;
    if (left <= 0) break;
  }
  return sum;
}
