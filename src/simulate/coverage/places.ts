/**
 * Everything of a machine that tests can reach: states, transitions, the arms of Choice states (Default
 * among them), catchers, retriers, and retriers used up.
 */
import { getOwn, isArray, isObject, type JsonObject } from '../../lib/json.js';
import { statesOf } from '../machine-states.js';

export type PlaceKind = 'state' | 'transition' | 'choice' | 'catch' | 'retry' | 'exhausted';

export interface Place {
  readonly kind: PlaceKind;
  readonly state: string;
  /** The same in every run: how hits and `ignore` name it. */
  readonly id: string;
  /** For people. */
  readonly title: string;
  /** JSON pointer into the definition. */
  readonly pointer: string;
}

export const KINDS: readonly (readonly [PlaceKind, string])[] = [
  ['state', 'states'],
  ['transition', 'transitions'],
  ['choice', 'choice arms'],
  ['catch', 'catchers'],
  ['retry', 'retriers'],
  ['exhausted', 'exhausted retriers'],
];

export function placeId(kind: PlaceKind, state: string, detail?: string | number): string {
  return detail === undefined ? `${kind} ${state}` : `${kind} ${state} ${detail}`;
}

export function placesOf(definition: JsonObject): readonly Place[] {
  return statesOf(definition).flatMap(({ definition: state, name, pointer }) => [
    place('state', name, undefined, name, pointer),
    ...transitions(state, name, pointer),
    ...arms(state, name, pointer),
    ...catchers(state, name, pointer),
    ...retriers(state, name, pointer),
  ]);
}

function place(
  kind: PlaceKind,
  state: string,
  detail: string | number | undefined,
  title: string,
  pointer: string,
): Place {
  return { kind, state, id: placeId(kind, state, detail), title, pointer };
}

function transitions(state: JsonObject, name: string, pointer: string): readonly Place[] {
  const next = getOwn(state, 'Next');
  if (typeof next === 'string') {
    return [place('transition', name, undefined, `${name} → ${next}`, `${pointer}/Next`)];
  }
  if (getOwn(state, 'End') !== true) return [];
  return [place('transition', name, undefined, `${name} → end`, `${pointer}/End`)];
}

function arms(state: JsonObject, name: string, pointer: string): readonly Place[] {
  if (getOwn(state, 'Type') !== 'Choice') return [];
  const rules = listOf(state, 'Choices').map((rule, index) =>
    place(
      'choice',
      name,
      index,
      `${name}: rule ${index + 1} → ${String(getOwn(rule, 'Next'))}`,
      `${pointer}/Choices/${index}`,
    ),
  );
  const fallback = getOwn(state, 'Default');
  if (typeof fallback !== 'string') return rules;
  const title = `${name}: Default → ${fallback}`;
  return [...rules, place('choice', name, 'Default', title, `${pointer}/Default`)];
}

function catchers(state: JsonObject, name: string, pointer: string): readonly Place[] {
  return listOf(state, 'Catch').map((catcher, index) => {
    const title = `${name}: Catch ${errorsOf(catcher)} → ${String(getOwn(catcher, 'Next'))}`;
    return place('catch', name, index, title, `${pointer}/Catch/${index}`);
  });
}

function retriers(state: JsonObject, name: string, pointer: string): readonly Place[] {
  return listOf(state, 'Retry').flatMap((retrier, index) => {
    const at = `${pointer}/Retry/${index}`;
    const title = `${name}: Retry ${errorsOf(retrier)}`;
    const used = place('exhausted', name, index, `${title}, used up`, at);
    // With no attempts at all, there is nothing but the end of them.
    if (getOwn(retrier, 'MaxAttempts') === 0) return [used];
    return [place('retry', name, index, title, at), used];
  });
}

function errorsOf(rule: JsonObject): string {
  const errors = getOwn(rule, 'ErrorEquals');
  return isArray(errors) ? errors.join(', ') : '';
}

function listOf(state: JsonObject, key: string): readonly JsonObject[] {
  const value = getOwn(state, key);
  return isArray(value) ? value.filter(isObject) : [];
}
