/**
 * Facts as the journal stores them: the bytes of JSON.stringify, written faster. One payload passes
 * through several facts of a turn (the task's result, the state's output, the next task's parameters)
 * and is put into text once; the words that every journal repeats are quoted once for all.
 */
import type { Fact } from '../core/fact.js';

/** Texts that are quoted once: types, kinds, names of states. */
const MAX_WORDS = 5_000;
const LONGEST_WORD = 80;
/** Shorter values are written faster than they are found again. */
const SHORTEST_SHARED = 100;

const words = new Map<string, string>();

/**
 * The text in pieces, joined at the end: a string that grows piece by piece stays a tree of its pieces,
 * and a store that keeps it keeps them all. One array for all texts, since none is written while another is.
 */
const pieces: (string | number)[] = [];

/** `on` is added to the first fact: whose commit it is. */
export function factsText(facts: readonly Fact[], on: string | null = null): string {
  const shared: Shared = { value: null, text: '' };
  pieces.length = 0;
  for (let index = 0; index < facts.length; index++) {
    pieces.push(index === 0 ? '[' : ',');
    pushFact(facts[index] as Fact, shared, index === 0 ? on : null);
  }
  pieces.push(facts.length === 0 ? '[]' : ']');
  return pieces.join('');
}

/** The large value written last, and its text. */
interface Shared {
  value: object | null;
  text: string;
}

function pushFact(fact: Fact, shared: Shared, on: string | null): void {
  const { seq, at, frame, event } = fact;
  pieces.push('{"seq":', seq, ',"at":', at, ',"frame":', quoted(frame), ',"event":');
  if (event === null) pieces.push('null');
  else pieces.push('{"id":', event.id, ',"previousId":', event.previousId, '}');
  const members = fact as unknown as Readonly<Record<string, unknown>>;
  for (const name in members) {
    if (name === 'seq' || name === 'at' || name === 'frame' || name === 'event') continue;
    const value = members[name];
    if (value === undefined || (name === 'on' && on !== null)) continue;
    pieces.push(',', quoted(name), ':', valueText(name, value, shared));
  }
  if (on !== null) pieces.push(',"on":', quoted(on));
  pieces.push('}');
}

function valueText(name: string, value: unknown, shared: Shared): string {
  if (value === null) return 'null';
  // A nonce comes once: it would only push others out.
  if (typeof value === 'string') return name === 'nonce' ? JSON.stringify(value) : quoted(value);
  if (typeof value !== 'object') return JSON.stringify(value);
  if (value === shared.value) return shared.text;
  const text = JSON.stringify(value);
  if (text.length >= SHORTEST_SHARED) {
    shared.value = value;
    shared.text = text;
  }
  return text;
}

function quoted(word: string): string {
  if (word.length > LONGEST_WORD) return JSON.stringify(word);
  const known = words.get(word);
  if (known !== undefined) return known;
  if (words.size >= MAX_WORDS) words.clear();
  const text = JSON.stringify(word);
  words.set(word, text);
  return text;
}
