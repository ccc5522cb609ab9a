/** Payload limits: exact when it matters, nearly free when a value is far below. */
import { isArray, type Json, jsonBytes } from '../lib/json.js';

/** True when the compact JSON text of `value` is longer than `limit` bytes. */
export function exceedsBytes(value: Json, limit: number): boolean {
  return upperBound(value, limit) > limit && jsonBytes(value) > limit;
}

/** An upper bound of the JSON bytes; stops counting past `limit`. */
function upperBound(value: Json, limit: number): number {
  switch (typeof value) {
    case 'string':
      // One UTF-16 unit is at most 6 bytes as `\uXXXX`, 3 bytes as UTF-8.
      return 6 * value.length + 2;
    case 'number':
      return 25;
    case 'boolean':
      return 5;
    default:
  }
  if (value === null) return 4;
  let total = 2;
  if (isArray(value)) {
    for (const item of value) {
      total += upperBound(item, limit - total) + 1;
      if (total > limit) return total;
    }
    return total;
  }
  for (const key in value) {
    total += 6 * key.length + 4 + upperBound(value[key] as Json, limit - total);
    if (total > limit) return total;
  }
  return total;
}
