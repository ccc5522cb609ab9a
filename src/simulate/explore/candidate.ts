/**
 * One thing to try: an input and the answers of some calls; everything else is made up as always. It
 * is a mock file and an input from the start, so whatever it reaches can be written down and replayed.
 */
import { isObject, type Json, type JsonObject } from '../../lib/json.js';
import { readMockFile } from '../mocks/file.js';
import { responderOf } from '../mocks/plan.js';
import type { Responder } from '../call.js';

export interface Override {
  readonly state: string;
  /** Which call of the state in the run, from 0; `'3+'`: from there on; null: all others. */
  readonly call: number | `${number}+` | null;
  /** Item readers and tasks of one state answer apart. */
  readonly kind: 'task' | 'items';
  /** An outcome of a mock file: `{"return": …}`, `{"throw": …}`, `{"hang": true}`, `{"items": […]}`. */
  readonly outcome: JsonObject;
}

export interface Candidate {
  readonly input: Json;
  readonly overrides: readonly Override[];
  /** What it was made for; for people. */
  readonly aim: string;
}

/** With one more answer; an older one of the same call is replaced, and by one for all calls all. */
export function withOverride(candidate: Candidate, override: Override): Candidate {
  const { call, kind, state } = override;
  const others = candidate.overrides.filter(
    (one) => one.state !== state || one.kind !== kind || (call !== null && one.call !== call),
  );
  return { ...candidate, overrides: [...others, override] };
}

/** The mock file of a candidate. */
export function mocksOf({ overrides }: Candidate): JsonObject {
  const states = new Map<string, JsonObject[]>();
  const ordered = [...overrides].sort((a, b) => rank(a) - rank(b));
  for (const { call, outcome, state } of ordered) {
    const rule = call === null ? outcome : { call, ...outcome };
    states.set(state, [...(states.get(state) ?? []), rule]);
  }
  const entries = [...states].map(([state, rules]): [string, Json] => {
    const [only] = rules;
    return [state, rules.length === 1 && only !== undefined ? only : rules];
  });
  return entries.length === 0 ? {} : { states: Object.fromEntries(entries) };
}

/** One call first, then ranges, the later ones first, then all. */
function rank({ call }: Override): number {
  if (call === null) return Number.POSITIVE_INFINITY;
  return typeof call === 'number' ? call : 1e9 - Number.parseInt(call, 10);
}

export function responderFor(candidate: Candidate): Responder {
  const { plan } = readMockFile(mocksOf(candidate), 'explore', new Map(), '');
  return responderOf(plan);
}

/** The same trial has the same key. */
export function keyOf(candidate: Candidate): string {
  return JSON.stringify([candidate.input, mocksOf(candidate)]);
}

/** How much a person has to read of it: the smaller one is the better script. */
export function weightOfCandidate(candidate: Candidate): number {
  const input = isObject(candidate.input) ? JSON.stringify(candidate.input).length : 2;
  return candidate.overrides.length * 1000 + JSON.stringify(mocksOf(candidate)).length + input;
}
