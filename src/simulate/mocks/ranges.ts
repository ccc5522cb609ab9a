/** Sets of counting numbers in mock files: `3`, `"0"`, `"1-2"`, `"3+"`, and lists of these. */
import { isArray, type Json } from '../../lib/json.js';

export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Null when it is no range. */
export function parseRanges(value: Json): readonly Range[] | null {
  if (isArray(value)) {
    const parts = value.map(parseRanges);
    return parts.includes(null) || parts.length === 0 ? null : (parts as Range[][]).flat();
  }
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string') return null;
  const match = /^(\d{1,9})(?:-(\d{1,9})|(\+))?$/.exec(text.trim());
  if (match === null) return null;
  const from = Number(match[1]);
  const to = match[3] === '+' ? Number.POSITIVE_INFINITY : Number(match[2] ?? match[1]);
  return to < from ? null : [{ from, to }];
}

export function isInside(ranges: readonly Range[], value: number): boolean {
  return ranges.some(({ from, to }) => from <= value && value <= to);
}
