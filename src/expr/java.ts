/**
 * The parts of Java that show through ASL: AWS formats, rounds and draws random numbers with the
 * Java library, so exact results need its rules.
 */
import { deepEqual, isArray, type Json } from '../lib/json.js';

/** `Math.round`: half goes towards positive infinity. */
export function javaRound(value: number): number {
  return Math.floor(value + 0.5) + 0;
}

/** Recorded: `States.Format` prints objects as Java maps, `{Arg1=1, Arg2=[]}`. */
export function javaText(value: Json): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return javaNumber(value);
  if (typeof value !== 'object' || value === null) return String(value);
  if (isArray(value)) return `[${value.map(javaText).join(', ')}]`;
  const members = Object.entries(value).map(([key, member]) => `${key}=${javaText(member)}`);
  return `{${members.join(', ')}}`;
}

/** `Double.toString` switches to scientific notation at 10^7 and below 10^-3. */
export function javaNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 2 ** 63) {
    return Object.is(value, -0) ? '0' : BigInt(value).toString();
  }
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e7) return String(value);
  const [digits = '', exponent = ''] = value.toExponential().split('e');
  const mantissa = digits.includes('.') ? digits : `${digits}.0`;
  return `${mantissa}E${exponent.replace('+', '')}`;
}

const MULTIPLIER = 0x5deece66dn;
const MASK = (1n << 48n) - 1n;

/** `java.util.Random` with a seed: the two draws ASL makes. */
export function javaRandom(seed: number) {
  let state = (BigInt(Math.trunc(seed)) ^ MULTIPLIER) & MASK;
  const next = (bits: bigint): number => {
    state = (state * MULTIPLIER + 0xbn) & MASK;
    return Number(BigInt.asIntN(32, state >> (48n - bits)));
  };
  const nextDouble = (): number => {
    const high = BigInt(next(26n));
    return Number((high << 27n) + BigInt(next(27n))) / 2 ** 53;
  };
  /** `nextInt(bound)`: uniform in [0, bound), bound at most 2^31 - 1. */
  const nextInt = (bound: number): number => {
    if ((bound & -bound) === bound) return Number((BigInt(bound) * BigInt(next(31n))) >> 31n);
    for (;;) {
      const bits = next(31n);
      const value = bits % bound;
      if (bits - value + (bound - 1) <= 0x7fffffff) return value;
    }
  };
  return { nextDouble, nextInt };
}

/**
 * The distinct values of an array in the order a `java.util.HashSet` made from it yields them.
 * Measured on AWS: `[true,false]` becomes `[false,true]`, `[[1,2],[2,1]]` becomes `[[2,1],[1,2]]`.
 */
export function javaSetOrder(values: readonly Json[]): Json {
  const distinct = new Map<number, Json[]>();
  const kept: { value: Json; bucket: number }[] = [];
  let buckets = 16;
  while (buckets * 0.75 < values.length) buckets *= 2;
  for (const value of values) {
    const hash = javaHash(value);
    const same = distinct.get(hash) ?? [];
    if (same.some((other) => deepEqual(other, value))) continue;
    distinct.set(hash, [...same, value]);
    kept.push({ value, bucket: (hash ^ (hash >>> 16)) & (buckets - 1) });
  }
  return kept.sort((a, b) => a.bucket - b.bucket).map(({ value }) => value);
}

/** `Object.hashCode` of the Java value a JSON value is read into. */
function javaHash(value: Json): number {
  if (value === null) return 0;
  if (typeof value === 'boolean') return value ? 1231 : 1237;
  if (typeof value === 'number') return numberHash(value);
  if (typeof value === 'string') {
    let hash = 0;
    for (let i = 0; i < value.length; i += 1)
      hash = (Math.imul(hash, 31) + value.charCodeAt(i)) | 0;
    return hash;
  }
  if (isArray(value)) {
    return value.reduce<number>((hash, item) => (Math.imul(hash, 31) + javaHash(item)) | 0, 1);
  }
  return Object.entries(value).reduce(
    (hash, [key, member]) => (hash + (javaHash(key) ^ javaHash(member))) | 0,
    0,
  );
}

function numberHash(value: number): number {
  if (Number.isInteger(value) && Math.abs(value) <= 0x7fffffff) return value | 0;
  const bits = new DataView(new ArrayBuffer(8));
  if (Number.isSafeInteger(value)) bits.setBigInt64(0, BigInt(value));
  else bits.setFloat64(0, value);
  return bits.getInt32(0) ^ bits.getInt32(4);
}
