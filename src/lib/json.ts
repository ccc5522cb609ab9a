/**
 * JSON values and the only safe ways to touch user data: own keys only, `__proto__` is an ordinary key.
 * Nothing else in the product may use `obj[key] = …`, `Object.assign` or `in` on user data.
 */

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = { readonly [key: string]: Json };

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isArray(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

/** The own value of `key`, or undefined; inherited names such as `constructor` are absent. */
export function getOwn(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

export function hasOwn(object: JsonObject, key: string): boolean {
  return Object.hasOwn(object, key);
}

/** Writes into an object this code has just made; safe for `__proto__`. */
export function setOwn(target: Record<string, Json>, key: string, value: Json): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  } else target[key] = value;
}

/** A shallow copy with one own key set. */
export function withKey(object: JsonObject, key: string, value: Json): JsonObject {
  const copy = shallowCopy(object);
  setOwn(copy, key, value);
  return copy;
}

export function shallowCopy(object: JsonObject): Record<string, Json> {
  const copy: Record<string, Json> = {};
  for (const key of Object.keys(object)) setOwn(copy, key, object[key] as Json);
  return copy;
}

/** Builds an object from entries without touching a prototype. */
export function fromEntries(entries: Iterable<readonly [string, Json]>): JsonObject {
  const result: Record<string, Json> = {};
  for (const [key, value] of entries) setOwn(result, key, value);
  return result;
}

/** Structural equality; object key order does not matter, numbers compare with `===`. */
export function deepEqual(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (isArray(a)) {
    return (
      isArray(b) && a.length === b.length && a.every((item, i) => deepEqual(item, b[i] as Json))
    );
  }
  if (isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every(
    (key) =>
      Object.hasOwn(b, key) &&
      deepEqual((a as JsonObject)[key] as Json, (b as JsonObject)[key] as Json),
  );
}

/** UTF-8 bytes of the compact JSON text of a value: the unit of AWS's payload limits. */
export function jsonBytes(value: Json): number {
  return Buffer.byteLength(JSON.stringify(value), 'utf8');
}

/** Greatest nesting depth; stops early past `limit` so that depth bombs cost nothing. */
export function exceedsDepth(value: Json, limit: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (limit === 0) return true;
  for (const item of isArray(value) ? value : Object.values(value)) {
    if (exceedsDepth(item, limit - 1)) return true;
  }
  return false;
}

/** Canonical text: keys sorted by code unit, for hashing equal values to equal digests. */
export function canonicalJson(value: Json): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const members = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson((value as JsonObject)[key] as Json)}`);
  return `{${members.join(',')}}`;
}
