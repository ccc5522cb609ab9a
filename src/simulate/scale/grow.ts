/** The same run with more of everything that a Map goes through: lists of the input, of results, of readers. */
import { isArray, isObject, type Json, fromEntries } from '../../lib/json.js';
import type { Machine } from '../../core/machine.js';
import type { Candidate } from '../explore/candidate.js';
import { edited, valueAt } from '../explore/edits.js';
import { itemsOrigin, type Origin } from '../explore/origins.js';
import { type Sighting, sightingsOf } from '../explore/sightings.js';
import type { Simulation } from '../simulate.js';

export interface Grown {
  readonly candidate: Candidate;
  /** What was multiplied, for people: `$.rows (2 items)`. */
  readonly what: readonly string[];
}

/** `factor` times the items of every Map that stands at the top; without one, every list and text of the input. */
export function grown(run: Simulation, machine: Machine, base: Candidate, factor: number): Grown {
  const maps = sightingsOf(run, machine).filter(
    ({ parent, state }) => state.kind === 'Map' && parent === null,
  );
  const what: string[] = [];
  let candidate = base;
  const seen = new Set<string>();
  for (const map of maps) {
    if (seen.has(map.name)) continue;
    seen.add(map.name);
    const items = itemsOf(map);
    const origin = itemsOrigin(map, []);
    const more = repeated(items, factor);
    const made = growAt(candidate, origin, more);
    if (items.length === 0 || made === null) continue;
    candidate = made;
    what.push(`the items of ${map.name} (${items.length})`);
  }
  if (what.length > 0) return { candidate, what };
  return {
    candidate: { ...base, input: enlarged(base.input, factor) },
    what: ['every list and text of the input'],
  };
}

function itemsOf(map: Sighting): readonly Json[] {
  const read = map.calls.find(({ kind }) => kind === 'item-reader')?.answer;
  if (read !== undefined && 'return' in read && isArray(read.return)) return read.return;
  return map.items ?? [];
}

function growAt(candidate: Candidate, origin: Origin, items: readonly Json[]): Candidate | null {
  if (origin.from === 'computed') {
    // What the expression makes of a list grows with the list.
    const source = origin.of.find((one) => isArray(valueAt(candidate, one)));
    const now = source === undefined ? undefined : valueAt(candidate, source);
    if (source === undefined || !isArray(now)) return null;
    const factor = items.length / Math.max(1, now.length);
    return edited(candidate, source, repeated(now, Math.max(1, Math.round(factor))))[0] ?? null;
  }
  return edited(candidate, origin, items)[0] ?? null;
}

function repeated(items: readonly Json[], factor: number): readonly Json[] {
  return Array.from(
    { length: items.length * factor },
    (_, index) => items[index % items.length] as Json,
  );
}

function enlarged(value: Json, factor: number): Json {
  if (typeof value === 'string') return value.repeat(factor);
  if (isArray(value)) return repeated(value, factor);
  if (!isObject(value)) return value;
  return fromEntries(
    (Object.entries(value) as [string, Json][]).map(([key, inner]) => [
      key,
      enlarged(inner, factor),
    ]),
  );
}
