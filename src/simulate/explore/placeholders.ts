/**
 * `${Name}` in a definition stands for what a deployment puts there (SAM's DefinitionSubstitutions).
 * To run such a machine, each becomes its own name, or a number where a number has to be.
 */
import { isArray, isObject, type Json, type JsonObject, fromEntries } from '../../lib/json.js';

const PLACEHOLDER = /\$\{([^${}]+)\}/g;
const NUMBERS =
  /^(Seconds|TimeoutSeconds|HeartbeatSeconds|MaxConcurrency|MaxAttempts|IntervalSeconds)$/;

/** The definition to run, and the placeholders that were filled in. */
export function filledIn(definition: JsonObject): {
  readonly definition: JsonObject;
  readonly names: readonly string[];
} {
  const names = new Set<string>();
  const fill = (value: Json, key: string): Json => {
    if (isArray(value)) return value.map((one) => fill(one, key));
    if (isObject(value)) {
      return fromEntries(
        (Object.entries(value) as [string, Json][]).map(([inner, one]) => [
          inner,
          fill(one, inner),
        ]),
      );
    }
    // What a Resource stands for makes no difference: it is mocked.
    if (typeof value !== 'string' || key === 'Resource' || !value.includes('${')) return value;
    const text = value.replaceAll(PLACEHOLDER, (_, name: string) => {
      names.add(name);
      return name.replaceAll(/\W/g, '_');
    });
    return text !== value && NUMBERS.test(key) ? 1 : text;
  };
  const filled = fill(definition, '') as JsonObject;
  return names.size === 0 ? { definition, names: [] } : { definition: filled, names: [...names] };
}
