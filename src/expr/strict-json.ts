/**
 * JSON as AWS's `$parse` takes it: what JSON.parse takes, less duplicate member names and numbers
 * too large for a double. A text with nothing in it is not JSON.
 */
import type { Json } from '../lib/json.js';

/** Undefined for text that is refused. */
export function parseStrictJson(text: string): Json | undefined {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
  return hasDuplicateNames(text) || hasHugeNumber(text) ? undefined : value;
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|-?\d[\d.eE+-]*/g;

/** The text is known to be well-formed. */
function hasDuplicateNames(text: string): boolean {
  const open: (Set<string> | null)[] = [];
  let isName = false;
  for (const [token] of text.matchAll(TOKEN)) {
    const names = open.at(-1);
    if (token === '{' || token === '[') {
      open.push(token === '{' ? new Set() : null);
      isName = token === '{';
    } else if (token === '}' || token === ']') {
      open.pop();
      isName = false;
    } else if (token === ',') isName = names instanceof Set;
    else if (token === ':') isName = false;
    else if (isName && names instanceof Set) {
      const name = JSON.parse(token) as string;
      if (names.has(name)) return true;
      names.add(name);
    }
  }
  return false;
}

function hasHugeNumber(text: string): boolean {
  for (const [token] of text.matchAll(TOKEN)) {
    if (/^[-\d]/.test(token) && !Number.isFinite(Number(token))) return true;
  }
  return false;
}
