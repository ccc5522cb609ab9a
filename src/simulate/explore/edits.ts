/** Makes a value be what is wanted at a place of a run: changes the input or the answer it came from. */
import { isObject, type Json, type JsonObject } from '../../lib/json.js';
import type { CallRecord } from '../call.js';
import { type Candidate, withOverride } from './candidate.js';
import { ABSENT, readAt, type Wanted, writeAt } from './location.js';
import type { Origin } from './origins.js';

/** Our reason: a computed value has many sources, and each is tried with a few values. */
const MAX_GUESSES = 24;

/** Candidates that should have `wanted` where `origin` ends; empty when the definition fixes it. */
export function edited(candidate: Candidate, origin: Origin, wanted: Wanted): readonly Candidate[] {
  switch (origin.from) {
    case 'input':
      return [{ ...candidate, input: writeAt(candidate.input, origin.location, wanted) }];
    case 'result': {
      const call = origin.sighting.calls.at(-1);
      if (call === undefined) return [];
      const given = 'return' in call.answer ? call.answer.return : {};
      return [override(candidate, call, { return: writeAt(given, origin.location, wanted) })];
    }
    case 'items': {
      const call = origin.sighting.calls.find(({ kind }) => kind === 'item-reader');
      if (call === undefined) return [];
      const given = 'return' in call.answer ? call.answer.return : [];
      const items = writeAt(given, origin.location, wanted);
      return [override(candidate, call, { items }, 'items')];
    }
    case 'error': {
      const call = origin.sighting.calls.at(-1);
      if (call === undefined || typeof wanted !== 'string') return [];
      const was = 'throw' in call.answer ? call.answer.throw : {};
      const member = origin.location[0] === 'Error' ? 'error' : 'cause';
      const thrown = { error: 'Explore.Failed', ...was, [member]: wanted } as JsonObject;
      return [override(candidate, call, { throw: thrown })];
    }
    case 'computed':
      return guesses(candidate, origin.of, wanted);
    case 'constant':
    case 'nowhere':
      return [];
  }
}

function override(
  candidate: Candidate,
  call: CallRecord,
  outcome: JsonObject,
  kind: 'task' | 'items' = 'task',
): Candidate {
  const { invocation, state } = call;
  return withOverride(candidate, { state, call: invocation, kind, outcome });
}

/** Each source with the value itself and with what commonly becomes it. */
function guesses(
  candidate: Candidate,
  origins: readonly Origin[],
  wanted: Wanted,
): readonly Candidate[] {
  const found: Candidate[] = [];
  for (const variant of variantsOf(wanted)) {
    for (const origin of origins) {
      if (found.length >= MAX_GUESSES) return found;
      found.push(...edited(candidate, origin, variant));
    }
  }
  return found;
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
  if (origin.from !== 'result') return undefined;
  const answer = origin.sighting.calls.at(-1)?.answer;
  if (answer === undefined || !('return' in answer)) return undefined;
  return isObject(answer.return) || origin.location.length === 0
    ? readAt(answer.return, origin.location)
    : undefined;
}
