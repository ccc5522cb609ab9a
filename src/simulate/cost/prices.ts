/**
 * What AWS charges for Step Functions, as a table with its date: prices change, and differ a little by
 * region. Another table is read from a file (`--prices`), whole or in part.
 * Source: the public pricing page of AWS Step Functions, us-east-1.
 */
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';

export interface Tier {
  /** GB-hours a month up to which it holds; null: the rest. */
  readonly upToGbHours: number | null;
  readonly perGbHour: number;
}

export interface Prices {
  readonly version: string;
  readonly region: string;
  readonly currency: string;
  readonly standard: {
    readonly perThousandTransitions: number;
    readonly freeTransitionsPerMonth: number;
    /** The start of a Map Run's child is a transition of its parent. */
    readonly transitionsPerChildStart: number;
  };
  readonly express: {
    readonly perMillionRequests: number;
    readonly tiers: readonly Tier[];
    readonly memoryChunkMb: number;
    readonly durationStepMs: number;
  };
}

export const PRICES: Prices = {
  version: '2025-01',
  region: 'us-east-1',
  currency: 'USD',
  standard: {
    perThousandTransitions: 0.025,
    freeTransitionsPerMonth: 4000,
    transitionsPerChildStart: 1,
  },
  express: {
    perMillionRequests: 1,
    tiers: [
      { upToGbHours: 1000, perGbHour: 0.06 },
      { upToGbHours: 5000, perGbHour: 0.03 },
      { upToGbHours: null, perGbHour: 0.01642 },
    ],
    memoryChunkMb: 64,
    durationStepMs: 100,
  },
};

/** A table of the user's laid over ours. Throws an Error that names the place. */
export function readPrices(value: Json): Prices {
  if (!isObject(value))
    throw new Error(
      'Prices are an object such as {"standard": {"perThousandTransitions": 0.0279}}.',
    );
  return merged(PRICES as unknown as JsonObject, value, '') as unknown as Prices;
}

function merged(known: JsonObject, given: JsonObject, at: string): JsonObject {
  const result: Record<string, Json> = { ...known };
  for (const [key, value] of Object.entries(given) as [string, Json][]) {
    const place = `${at}/${key}`;
    const was = getOwn(known, key);
    if (was === undefined)
      throw new Error(
        `${place}: There is no such price. Known here: ${Object.keys(known).join(', ')}.`,
      );
    if (isObject(was) && isObject(value)) result[key] = merged(was, value, place);
    else if (key === 'tiers' && isArray(value)) result[key] = checkedTiers(value, place);
    else if (typeof was === typeof value && isFine(value)) result[key] = value;
    else
      throw new Error(
        `${place}: Must be a ${typeof was === 'number' ? 'number from 0' : typeof was}.`,
      );
  }
  return result;
}

function isFine(value: Json): boolean {
  return (
    typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value) && value >= 0)
  );
}

function checkedTiers(tiers: readonly Json[], at: string): Json {
  for (const [index, tier] of tiers.entries()) {
    const limit = isObject(tier) ? getOwn(tier, 'upToGbHours') : undefined;
    const price = isObject(tier) ? getOwn(tier, 'perGbHour') : undefined;
    if (
      typeof price !== 'number' ||
      !isFine(price) ||
      (limit !== null && typeof limit !== 'number')
    ) {
      throw new Error(
        `${at}/${index}: Must be {"upToGbHours": number or null, "perGbHour": number}.`,
      );
    }
  }
  if (tiers.length === 0) throw new Error(`${at}: Must have at least one tier.`);
  return tiers;
}
