/** Where the weight of a value is: the deepest path under which most of its bytes lie. */
import { isArray, isObject, type Json, jsonBytes } from '../lib/json.js';

export interface Weight {
  /** Of the whole value, as AWS counts it: UTF-8 bytes of its compact JSON text. */
  readonly bytes: number;
  /** JSONPath of the part that weighs most; `$` when nothing stands out. */
  readonly path: string;
  readonly pathBytes: number;
}

/** A part carries the weight when it is at least this share of what it is in. */
const SHARE = 0.5;
/** Our reason: deeper than this a path says no more to a reader. */
const MAX_STEPS = 12;

export function weightOf(value: Json): Weight {
  const bytes = jsonBytes(value);
  let [part, path, partBytes] = [value, '$', bytes] as [Json, string, number];
  for (let step = 0; step < MAX_STEPS; step++) {
    const heaviest = heaviestMember(part);
    if (heaviest === null || heaviest.bytes < SHARE * partBytes) break;
    part = heaviest.value;
    path += heaviest.step;
    partBytes = heaviest.bytes;
  }
  return { bytes, path, pathBytes: partBytes };
}

function heaviestMember(
  value: Json,
): { readonly value: Json; readonly step: string; readonly bytes: number } | null {
  const members: [string, Json][] = isArray(value)
    ? value.map((item, index) => [`[${index}]`, item])
    : isObject(value)
      ? Object.entries(value).map(([name, item]) => [stepOf(name), item])
      : [];
  let best: ReturnType<typeof heaviestMember> = null;
  for (const [step, item] of members) {
    const bytes = jsonBytes(item);
    if (best === null || bytes > best.bytes) best = { value: item, step, bytes };
  }
  return best;
}

function stepOf(name: string): string {
  return /^[A-Za-z_]\w*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
}

/** `180.0 KiB`, `312 B`. */
export function kibibytes(bytes: number): string {
  return bytes < 1024 ? `${bytes} B` : `${(bytes / 1024).toFixed(1)} KiB`;
}
