/**
 * Facts as the journal stores them: the bytes of JSON.stringify, written faster. One payload passes
 * through several facts of a turn (the task's result, the state's output, the next task's parameters)
 * and is put into text once; the words that every journal repeats are quoted once for all.
 */
import type { Fact } from '../core/fact.js';

/** Words that are quoted once, of each member: types, kinds, names of states. */
const MAX_WORDS = 1_000;
const LONGEST_WORD = 80;
/** Shorter values are written faster than they are found again. */
const SHORTEST_SHARED = 100;

/** `,"name":` of each member, and `,"name":"word"` of the words it has had. */
const members = new Map<string, Member>();

interface Member {
  readonly prefix: string;
  readonly words: Map<string, string>;
}

/**
 * The text in pieces, joined at the end: a string that grows piece by piece stays a tree of its pieces,
 * and a store that keeps it keeps them all. One array for all texts, since none is written while another is.
 */
const pieces: (string | number)[] = [];

/** `on` is added to the first fact: whose commit it is. */
export function factsText(facts: readonly Fact[], on: string | null = null): string {
  const shared: Shared = { value: null, text: '', at: -1, frame: '', where: '' };
  pieces.length = 0;
  for (let index = 0; index < facts.length; index++) {
    pieces.push(index === 0 ? '[{"seq":' : ',{"seq":');
    pushFact(facts[index] as Fact, shared, index === 0 ? on : null);
  }
  pieces.push(facts.length === 0 ? '[]' : ']');
  return pieces.join('');
}

/** What the facts of one turn have in common. */
interface Shared {
  /** The large value written last, and its text. */
  value: object | null;
  text: string;
  /** The instant and the frame written last, and their text. */
  at: number;
  frame: string;
  where: string;
}

function pushFact(fact: Fact, shared: Shared, on: string | null): void {
  const { seq, at, frame, event } = fact;
  if (at !== shared.at || frame !== shared.frame) {
    shared.at = at;
    shared.frame = frame;
    shared.where = `,"at":${at},"frame":${JSON.stringify(frame)},"event":`;
  }
  pieces.push(seq, shared.where);
  if (event === null) pieces.push('null');
  else pieces.push('{"id":', event.id, ',"previousId":', event.previousId, '}');
  const record = fact as unknown as Readonly<Record<string, unknown>>;
  for (const name in record) {
    if (name === 'seq' || name === 'at' || name === 'frame' || name === 'event') continue;
    const value = record[name];
    if (value !== undefined && (name !== 'on' || on === null)) pushMember(name, value, shared);
  }
  if (on !== null) pushMember('on', on, shared);
  pieces.push('}');
}

function pushMember(name: string, value: unknown, shared: Shared): void {
  const member = memberOf(name);
  // A nonce comes once: it would only push others out.
  if (typeof value === 'string' && value.length <= LONGEST_WORD && name !== 'nonce') {
    pieces.push(wordOf(member, value));
  } else pieces.push(member.prefix, valueText(value, shared));
}

function valueText(value: unknown, shared: Shared): string {
  if (value === null) return 'null';
  if (typeof value !== 'object') return JSON.stringify(value);
  if (value === shared.value) return shared.text;
  const text = JSON.stringify(value);
  if (text.length >= SHORTEST_SHARED) {
    shared.value = value;
    shared.text = text;
  }
  return text;
}

function memberOf(name: string): Member {
  const known = members.get(name);
  if (known !== undefined) return known;
  const member: Member = { prefix: `,${JSON.stringify(name)}:`, words: new Map() };
  members.set(name, member);
  return member;
}

function wordOf({ prefix, words }: Member, word: string): string {
  const known = words.get(word);
  if (known !== undefined) return known;
  if (words.size >= MAX_WORDS) words.clear();
  const text = prefix + JSON.stringify(word);
  words.set(word, text);
  return text;
}
