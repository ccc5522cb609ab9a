/** The places that a Choice's rules read: under `$`, under `$$`, or in a variable. */
import { getOwn, isObject, type Json } from '../../lib/json.js';
import { type Location, locationText, readAt } from './location.js';
import { type Origin, originOfEffective, originOfInput, originOfVariable } from './origins.js';
import { jsonataPaths, stepsOf } from './path-texts.js';
import type { Sighting } from './sightings.js';

export interface Slot {
  /** `$`, `$$` or `$name`. */
  readonly root: string;
  readonly location: Location;
  /** For people, and its identity. */
  readonly text: string;
  /** False: a filter or wildcard follows. */
  readonly whole: boolean;
}

export function slotOf(path: string): Slot | null {
  const steps = stepsOf(path);
  return steps === undefined ? null : { ...steps, text: locationText(steps.location, steps.root) };
}

export function slotsOfJsonata(text: string): readonly Slot[] {
  return jsonataPaths(text).flatMap(({ location, root }) => {
    if (root === 'result' || root === 'errorOutput') return [];
    const name = root === 'input' ? '$' : root === 'context' ? '$$' : root;
    return [{ root: name, location, whole: true, text: locationText(location, name) }];
  });
}

/** What `$` is to the fields of a state: the input behind InputPath where that can be followed. */
export function effectiveInput({ input, state }: Sighting): Json {
  const path = getOwn(state.definition, 'InputPath');
  if (path === null) return {};
  const steps = typeof path === 'string' ? stepsOf(path) : undefined;
  if (steps?.root !== '$') return input;
  return readAt(input, steps.location) ?? (isObject(input) ? {} : input);
}

export function originOfSlot(sighting: Sighting, slot: Slot): Origin {
  const { location, root } = slot;
  if (root === '$') {
    return sighting.state.flow.language === 'JSONata'
      ? originOfInput(sighting, location)
      : originOfEffective(sighting, location);
  }
  if (root !== '$$') return originOfVariable(sighting, root.slice(1), location);
  return location[0] === 'Execution' && location[1] === 'Input'
    ? { from: 'input', location: location.slice(2) }
    : { from: 'constant', sighting };
}
