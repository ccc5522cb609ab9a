/**
 * The claim check: large values leave the journal's text and a reference with their hash stays. The text
 * with references is still JSON, and unmistakable: `{ "$claim"` has a space that JSON.stringify never
 * writes, so no value of a user can look like one. Putting the values back gives the very same text,
 * which is why digests, folding and machines know nothing of it.
 */
import { sha256 } from '../lib/digest.js';

/** AWS's payload limit: under AWS's limits a journal has no claims. */
export const CLAIM_BYTES = 262_144;

const OPENING = '{ "$claim": "';
const PATTERN = /\{ "\$claim": "([0-9a-f]{64})", "bytes": (\d+) \}/g;

export interface Payload {
  readonly hash: string;
  readonly text: string;
}

/** The text as it is stored, and what was taken out of it. */
export function takeOut(text: string): { readonly text: string; readonly taken: Payload[] } {
  if (text.length <= CLAIM_BYTES / 3) return { text, taken: [] };
  const pieces: string[] = [];
  const taken: Payload[] = [];
  let from = 0;
  for (const [start, end] of memberValues(text)) {
    if (!isLarge(text, start, end)) continue;
    const value = text.slice(start, end);
    const hash = sha256(value);
    taken.push({ hash, text: value });
    pieces.push(text.slice(from, start), claimText(hash, Buffer.byteLength(value)));
    from = end;
  }
  if (taken.length === 0) return { text, taken };
  return { text: [...pieces, text.slice(from)].join(''), taken };
}

function claimText(hash: string, bytes: number): string {
  return `${OPENING}${hash}", "bytes": ${bytes} }`;
}

function isLarge(text: string, start: number, end: number): boolean {
  const units = end - start;
  if (units * 3 <= CLAIM_BYTES) return false;
  return units > CLAIM_BYTES || Buffer.byteLength(text.slice(start, end)) > CLAIM_BYTES;
}

export function hasClaims(text: string): boolean {
  return text.includes(OPENING);
}

/** Hashes and sizes of what a stored text refers to. */
export function claimsOf(text: string): { readonly hash: string; readonly bytes: number }[] {
  return [...text.matchAll(PATTERN)].map(([, hash = '', bytes]) => ({
    hash,
    bytes: Number(bytes),
  }));
}

/** A claim whose value is not in `values` stays: the digest of the text will not match. */
export function putBack(text: string, values: ReadonlyMap<string, string>): string {
  return text.replaceAll(PATTERN, (claim, hash: string) => values.get(hash) ?? claim);
}

/** Where the values of the facts' members lie in the compact text of an array of facts. */
function* memberValues(text: string): Generator<readonly [start: number, end: number]> {
  let depth = 0;
  let start = -1;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = endOfString(text, at);
        break;
      case OPEN_BRACE:
      case OPEN_BRACKET:
        depth += 1;
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        if (depth === MEMBER_DEPTH && start !== -1) yield [start, at];
        if (depth === MEMBER_DEPTH) start = -1;
        depth -= 1;
        break;
      case COLON:
        if (depth === MEMBER_DEPTH && start === -1) start = at + 1;
        break;
      case COMMA:
        if (depth === MEMBER_DEPTH && start !== -1) {
          yield [start, at];
          start = -1;
        }
        break;
    }
  }
}

/** The array is depth 1, a fact is depth 2. */
const MEMBER_DEPTH = 2;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COLON = 0x3a;
const COMMA = 0x2c;

function endOfString(text: string, quote: number): number {
  for (let at = text.indexOf('"', quote + 1); ; at = text.indexOf('"', at + 1)) {
    if (at === -1) return text.length;
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes += 1;
    if (slashes % 2 === 0) return at;
  }
}
