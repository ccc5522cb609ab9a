/** Every state of a machine, nested blocks included, with its place in the definition. */
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../lib/json.js';

export interface PlacedState {
  readonly name: string;
  readonly definition: JsonObject;
  /** JSON pointer into the definition. */
  readonly pointer: string;
  /** The Parallel and Map states around it, outermost first. */
  readonly inside: readonly string[];
}

/** In the order of the text, outer states before inner ones. */
export function statesOf(
  block: JsonObject,
  pointer = '',
  inside: readonly string[] = [],
): readonly PlacedState[] {
  const states = getOwn(block, 'States');
  if (!isObject(states)) return [];
  return (Object.entries(states) as [string, Json][]).flatMap(([name, definition]) => {
    if (!isObject(definition)) return [];
    const place = `${pointer}/States/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    const inner = [...inside, name];
    return [
      { name, definition, pointer: place, inside },
      ...innerBlocks(definition).flatMap(([step, nested]) =>
        statesOf(nested, `${place}/${step}`, inner),
      ),
    ];
  });
}

/** The blocks of a Parallel or Map with the way to them. */
export function innerBlocks(definition: JsonObject): readonly (readonly [string, JsonObject])[] {
  const found: [string, JsonObject][] = [];
  const branches = getOwn(definition, 'Branches');
  if (isArray(branches)) {
    branches.forEach((branch, index) => {
      if (isObject(branch)) found.push([`Branches/${index}`, branch]);
    });
  }
  for (const key of ['ItemProcessor', 'Iterator']) {
    const processor = getOwn(definition, key);
    if (isObject(processor)) found.push([key, processor]);
  }
  return found;
}
