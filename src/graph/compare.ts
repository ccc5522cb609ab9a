/**
 * Two runs side by side: the first step at which they part. Frames are matched by their place in the
 * machine (a branch by its index, an iteration by its item), never by the order in which they happened
 * to be worked on, so that concurrency alone is no difference.
 */
import type { Fact } from '../core/fact.js';
import { placesOf } from '../core/visits.js';
import type { FrameId } from '../lib/brand.js';
import { deepEqual, getOwn, isArray, isObject, type Json } from '../lib/json.js';

export interface Divergence {
  /** `root`, or the way down: `root › Each[2]`. */
  readonly place: string;
  readonly state: string;
  readonly why: 'another-state' | 'another-input' | 'another-outcome' | 'only-one-goes-on';
  /** One sentence for a reader. */
  readonly said: string;
  readonly events: readonly [number | null, number | null];
}

interface Step {
  readonly place: string;
  readonly state: string;
  readonly what: 'entered' | 'exited' | 'failed' | 'ended';
  /** What is compared, and how it is told. */
  readonly value: Json;
  readonly told: string;
  readonly eventId: number | null;
  readonly order: number;
}

/** Null when both did the same, step by step. */
export function divergenceOf(left: readonly Fact[], right: readonly Fact[]): Divergence | null {
  const [a, b] = [stepsOf(left), stepsOf(right)];
  let first: { order: number; found: Divergence } | null = null;
  for (const place of new Set([...a.keys(), ...b.keys()])) {
    const found = firstDifference(a.get(place) ?? [], b.get(place) ?? []);
    if (found !== null && (first === null || found.order < first.order)) first = found;
  }
  return first?.found ?? null;
}

function firstDifference(
  left: readonly Step[],
  right: readonly Step[],
): { order: number; found: Divergence } | null {
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const [one, other] = [left[index], right[index]];
    const why = differs(one, other);
    if (why === null) continue;
    const shown = (one ?? other) as Step;
    const found: Divergence = {
      place: shown.place,
      state: shown.state,
      why,
      said: said(shown.place, why, one, other),
      events: [one?.eventId ?? null, other?.eventId ?? null],
    };
    return {
      order: Math.min(
        one?.order ?? Number.POSITIVE_INFINITY,
        other?.order ?? Number.POSITIVE_INFINITY,
      ),
      found,
    };
  }
  return null;
}

function said(
  place: string,
  why: Divergence['why'],
  one: Step | undefined,
  other: Step | undefined,
): string {
  if (why === 'another-input' && one !== undefined && other !== undefined) {
    return `${place}: input of ${one.state}: ${differenceOf(one.value, other.value)}`;
  }
  return `${place}: ${tell(one)} ≠ ${tell(other)}`;
}

function differs(one: Step | undefined, other: Step | undefined): Divergence['why'] | null {
  if (one === undefined || other === undefined) return 'only-one-goes-on';
  if (one.state !== other.state) return 'another-state';
  if (one.what === other.what && deepEqual(one.value, other.value)) return null;
  return one.what === 'entered' && other.what === 'entered' ? 'another-input' : 'another-outcome';
}

function tell(step: Step | undefined): string {
  return step === undefined ? 'nothing more' : `${step.state} ${step.told}`;
}

function stepsOf(facts: readonly Fact[]): ReadonlyMap<string, readonly Step[]> {
  const steps = new Map<string, Step[]>();
  const places = placesOf(facts);
  const values = new Map<FrameId, Json>();
  const states = new Map<FrameId, string>();
  const add = (frame: FrameId, fact: Fact, what: Step['what'], value: Json, told: string): void => {
    const place = places.get(frame) ?? 'root';
    const state = states.get(frame) ?? '';
    const step = {
      place,
      state,
      what,
      value,
      told,
      eventId: fact.event?.id ?? null,
      order: fact.seq,
    };
    const known = steps.get(place);
    if (known === undefined) steps.set(place, [step]);
    else known.push(step);
  };
  for (const fact of facts) {
    switch (fact.type) {
      case 'ExecutionStarted':
        values.set(fact.frame, fact.input);
        break;
      case 'ChildStarted':
        values.set(fact.child, fact.input);
        break;
      case 'FrameEdited':
        if (fact.value !== undefined) values.set(fact.frame, fact.value);
        break;
      case 'StateEntered':
        states.set(fact.frame, fact.name);
        add(
          fact.frame,
          fact,
          'entered',
          values.get(fact.frame) ?? null,
          `entered with ${short(values.get(fact.frame) ?? null)}`,
        );
        break;
      case 'StateExited': {
        const output = fact.output === undefined ? (values.get(fact.frame) ?? null) : fact.output;
        values.set(fact.frame, output);
        const { next } = fact;
        add(
          fact.frame,
          fact,
          'exited',
          { output, next },
          `gave ${short(output)}${next === null ? '' : ` → ${next}`}`,
        );
        break;
      }
      case 'AttemptFailed': {
        const { failure, recovery } = fact;
        const value = { error: failure.error, cause: failure.cause, do: recovery.do };
        add(
          fact.frame,
          fact,
          'failed',
          value,
          `failed with ${failure.error ?? 'no error name'} (${recovery.do})`,
        );
        break;
      }
      case 'ExecutionEnded':
        add(fact.frame, fact, 'ended', fact.status, `and the execution ${fact.status}`);
        break;
      default:
    }
  }
  return steps;
}

const SHOWN = 60;

/** What two values differ in: the first path at which they do, with both values there. */
function differenceOf(one: Json, other: Json, path = '$'): string {
  if (isObject(one) && isObject(other)) {
    for (const name of new Set([...Object.keys(one), ...Object.keys(other)])) {
      const [a, b] = [getOwn(one, name), getOwn(other, name)];
      if (a === undefined || b === undefined) return `${path}.${name} is in one only`;
      if (!deepEqual(a, b)) return differenceOf(a, b, `${path}.${name}`);
    }
  }
  if (isArray(one) && isArray(other) && one.length === other.length) {
    const index = one.findIndex((item, at) => !deepEqual(item, other[at] as Json));
    return differenceOf(one[index] ?? null, other[index] ?? null, `${path}[${index}]`);
  }
  return `${path} is ${short(one)} ≠ ${short(other)}`;
}

function short(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > SHOWN ? `${text.slice(0, SHOWN - 1)}…` : text;
}
