/** Makes a value be what is wanted at a place of a run: changes the input or the answer it came from. */
import { isArray, type Json, type JsonObject } from '../../lib/json.js';
import type { CallRecord } from '../call.js';
import { type Candidate, withOverride } from './candidate.js';
import { ABSENT, readAt, type Wanted, writeAt } from './location.js';
import type { Origin } from './origins.js';

/** Our reason: a computed value has many sources, and each is tried with a few values. */
const MAX_GUESSES = 24;

/** Candidates that should have `wanted` where `origin` ends; empty when the definition fixes it. */
export function edited(
  candidate: Candidate,
  origin: Origin,
  wanted: Wanted,
  spread = false,
): readonly Candidate[] {
  switch (origin.from) {
    case 'input':
      return [{ ...candidate, input: writeAt(candidate.input, origin.location, wanted, spread) }];
    case 'text': {
      const text = valueAt(candidate, origin.of);
      const changed = writeAt(parsed(text), origin.location, wanted, spread);
      return edited(candidate, origin.of, JSON.stringify(changed), spread);
    }
    case 'result': {
      const call = origin.sighting.calls.at(-1);
      if (call === undefined) return [];
      const given = 'return' in call.answer ? call.answer.return : {};
      const result = writeAt(given, origin.location, wanted, spread);
      return [override(candidate, call, { return: result }, spread ? null : call.invocation)];
    }
    case 'items': {
      const call = origin.sighting.calls.find(({ kind }) => kind === 'item-reader');
      if (call === undefined) return [];
      const given = 'return' in call.answer ? call.answer.return : [];
      const items = writeAt(given, origin.location, wanted, spread);
      if (!isArray(items)) return [];
      return [override(candidate, call, { items }, spread ? null : call.invocation, 'items')];
    }
    case 'error': {
      const call = origin.sighting.calls.at(-1);
      if (call === undefined || typeof wanted !== 'string') return [];
      const was = 'throw' in call.answer ? call.answer.throw : {};
      const member = origin.location[0] === 'Error' ? 'error' : 'cause';
      const thrown = { error: 'Explore.Failed', ...was, [member]: wanted } as JsonObject;
      return [override(candidate, call, { throw: thrown }, call.invocation)];
    }
    case 'computed':
      return guesses(candidate, origin.of, wanted, spread);
    case 'constant':
    case 'nowhere':
      return [];
  }
}

function override(
  candidate: Candidate,
  call: CallRecord,
  outcome: JsonObject,
  at: number | null,
  kind: 'task' | 'items' = 'task',
): Candidate {
  return withOverride(candidate, { state: call.state, call: at, kind, outcome });
}

/** Each source with the value itself and with what commonly becomes it. */
function guesses(
  candidate: Candidate,
  origins: readonly Origin[],
  wanted: Wanted,
  spread: boolean,
): readonly Candidate[] {
  const found: Candidate[] = [];
  const lists = origins.map((origin) => sameTypeFirst(variantsOf(wanted), valueAt(candidate, origin)));
  for (let turn = 0; turn < Math.max(...lists.map(({ length }) => length)); turn++) {
    for (const [index, origin] of origins.entries()) {
      if (found.length >= MAX_GUESSES) return found;
      const variant = lists[index]?.[turn];
      if (variant !== undefined) found.push(...edited(candidate, origin, variant, spread));
    }
  }
  return found;
}

/** A source of some type is likely to stay of it: `"5"` for a text that becomes a number. */
function sameTypeFirst(variants: readonly Wanted[], now: Json | undefined): readonly Wanted[] {
  if (now === undefined) return variants;
  const fits = (one: Wanted): boolean => typeof one === typeof now && isArray(one as Json) === isArray(now);
  return [...variants.filter(fits), ...variants.filter((one) => !fits(one))];
}

function parsed(text: Json | undefined): Json | undefined {
  try {
    return typeof text === 'string' ? (JSON.parse(text) as Json) : undefined;
  } catch {
    return undefined;
  }
}

function variantsOf(wanted: Wanted): readonly Wanted[] {
  if (wanted === ABSENT) return [ABSENT, [], {}];
  const more: Json[] = [];
  if (typeof wanted === 'number') {
    more.push(wanted - 1, wanted + 1);
    if (Number.isInteger(wanted) && wanted >= 0 && wanted <= 50) {
      more.push(Array.from({ length: wanted }, () => ({})), 'x'.repeat(wanted));
    }
    more.push(String(wanted));
  }
  if (typeof wanted === 'boolean') {
    more.push(wanted ? [{}] : [], wanted ? 1 : 0, wanted ? 'text' : '');
  }
  more.push(JSON.stringify(wanted), [wanted]);
  return [wanted, ...more];
}

/** What stands at the origin now, or undefined. */
export function valueAt(candidate: Candidate, origin: Origin): Json | undefined {
  if (origin.from === 'input') return readAt(candidate.input, origin.location);
  if (origin.from === 'text') return readAt(parsed(valueAt(candidate, origin.of)), origin.location);
  if (origin.from !== 'result') return undefined;
  const answer = origin.sighting.calls.at(-1)?.answer;
  if (answer === undefined || !('return' in answer)) return undefined;
  return readAt(answer.return, origin.location);
}
