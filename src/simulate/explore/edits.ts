/** Makes a value be what is wanted at a place of a run: changes the input or the answer it came from. */
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import type { CallRecord } from '../call.js';
import { type Candidate, withOverride } from './candidate.js';
import { ABSENT, readAt, type Wanted, writeAt } from './location.js';
import type { Origin } from './origins.js';
import { elementFor, literalsOf } from './values.js';

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
      const given = answerIn(candidate, call) ?? {};
      const result = writeAt(given, origin.location, wanted, spread);
      return [override(candidate, call, { return: result }, spread ? null : call.invocation)];
    }
    case 'items': {
      const call = origin.sighting.calls.find(({ kind }) => kind === 'item-reader');
      if (call === undefined) return [];
      const given = answerIn(candidate, call) ?? [];
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
    case 'filtered': {
      const [first, ...rest] = origin.location;
      const element = elementFor(origin.path);
      const list =
        wanted === ABSENT || first === undefined
          ? Array.isArray(wanted)
            ? wanted.map((one) => ({ ...element, ...(isObject(one) ? one : {}) }))
            : []
          : [writeAt(element, rest, wanted === element ? element : wanted)];
      const fitting = list.map((one) => (isObject(one) ? { ...element, ...one } : { ...element }));
      return edited(candidate, origin.of, fitting, spread);
    }
    case 'computed':
      return guesses(candidate, origin, wanted, spread);
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
  { of: origins, text = '' }: Extract<Origin, { from: 'computed' }>,
  wanted: Wanted,
  spread: boolean,
): readonly Candidate[] {
  const found: Candidate[] = [];
  const lists = origins.map((origin) =>
    sameTypeFirst(variantsOf(wanted, text), valueAt(candidate, origin)),
  );
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
  const fits = (one: Wanted): boolean =>
    typeof one === typeof now && isArray(one as Json) === isArray(now);
  return [...variants.filter(fits), ...variants.filter((one) => !fits(one))];
}

function parsed(text: Json | undefined): Json | undefined {
  try {
    return typeof text === 'string' ? (JSON.parse(text) as Json) : undefined;
  } catch {
    return undefined;
  }
}

/** `text`: the expression; its texts may be separators, or what is looked for. */
function variantsOf(wanted: Wanted, text: string): readonly Wanted[] {
  if (wanted === ABSENT) return [ABSENT, [], {}];
  const more: Json[] = [];
  if (typeof wanted === 'number') {
    more.push(wanted - 1, wanted + 1);
    if (Number.isInteger(wanted) && wanted >= 0 && wanted <= 50) {
      more.push(
        Array.from({ length: wanted }, () => ({})),
        'x'.repeat(wanted),
      );
    }
    more.push(String(wanted));
    for (const separator of literalsOf(text)) {
      const parts = Math.min(Math.max(0, Math.ceil(wanted)), 50);
      more.push(Array.from({ length: parts }, () => 'x').join(String(separator)));
    }
  }
  if (isArray(wanted) && wanted[0] !== undefined) more.push(wanted[0]);
  if (typeof wanted === 'boolean') {
    more.push(wanted ? [{}] : [], wanted ? 1 : 0, wanted ? 'text' : '');
  }
  more.push(...literalsOf(text).flatMap((literal): Json[] => [literal, [literal], `x${literal}x`]));
  more.push(JSON.stringify(wanted), [wanted]);
  return [wanted, ...more];
}

/** What stands at the origin now, or undefined. */
export function valueAt(candidate: Candidate, origin: Origin): Json | undefined {
  if (origin.from === 'input') return readAt(candidate.input, origin.location);
  if (origin.from === 'text') return readAt(parsed(valueAt(candidate, origin.of)), origin.location);
  if (origin.from !== 'result') return undefined;
  const call = origin.sighting.calls.at(-1);
  return call === undefined ? undefined : readAt(answerIn(candidate, call), origin.location);
}

/** What the call returned, with the edits of the candidate since. */
function answerIn(
  { overrides }: Candidate,
  { answer, invocation, kind, state }: CallRecord,
): Json | undefined {
  const wanted = kind === 'item-reader' ? 'items' : 'task';
  const own = overrides.filter((one) => one.state === state && one.kind === wanted);
  const override =
    own.find(({ call }) => call === invocation) ?? own.find(({ call }) => call === null);
  const given =
    override && (getOwn(override.outcome, 'return') ?? getOwn(override.outcome, 'items'));
  return given ?? ('return' in answer ? answer.return : undefined);
}
