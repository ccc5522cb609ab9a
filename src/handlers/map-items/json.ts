/**
 * The items of a JSON document, read piece by piece: the elements of its array, or of the array or
 * object that ItemsPointer (RFC 6901) names. Only one item is held at a time.
 */
import { fromEntries, type Json } from '../../lib/json.js';
import { NOT_ITERABLE, readerFailed } from './failures.js';
import type { Text } from './text.js';

/** AWS: an item may have 8 MB. */
const MAX_ITEM_CHARACTERS = 8 * 1024 * 1024;
const ITEMS_PER_CHUNK = 500;

export async function* jsonItems(
  text: Text,
  pointer: string | null,
): AsyncGenerator<readonly Json[]> {
  const scanner = new Scanner(text);
  const keys = pointer === null ? [] : parsePointer(pointer);
  for (const key of keys) await descend(scanner, key);
  const open = await scanner.peek();
  // Recorded: an object as the whole document is refused; ItemsPointer may name one (AWS docs).
  if (open !== '[' && !(open === '{' && pointer !== null)) throw readerFailed(NOT_ITERABLE);
  let items: Json[] = [];
  for await (const item of open === '[' ? elements(scanner) : members(scanner)) {
    items.push(item);
    if (items.length < ITEMS_PER_CHUNK) continue;
    yield items;
    items = [];
  }
  if (items.length > 0) yield items;
}

/** JSON Lines: one value per line, empty lines are skipped. */
export async function* jsonLines(text: Text): AsyncGenerator<readonly Json[]> {
  let rest = '';
  for await (const piece of text) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_ITEM_CHARACTERS) throw tooLarge();
    const items = lines.filter(isFilled).map(parseItem);
    if (items.length > 0) yield items;
  }
  if (isFilled(rest)) yield [parseItem(rest)];
}

function isFilled(line: string): boolean {
  return line.trim() !== '';
}

function parseItem(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw readerFailed(`The file is not valid JSON: ${(error as Error).message}`);
  }
}

function parsePointer(pointer: string): readonly string[] {
  if (pointer === '') return [];
  if (!pointer.startsWith('/')) throw readerFailed(`ItemsPointer '${pointer}' is no JSON Pointer.`);
  const tokens = pointer.slice(1).split('/');
  return tokens.map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** Moves to the member or element that `key` names. */
async function descend(scanner: Scanner, key: string): Promise<void> {
  const open = await scanner.peek();
  if (open === '{') {
    for await (const name of memberNames(scanner)) {
      if (name === key) return;
      await scanner.value(false);
    }
  } else if (open === '[' && /^(0|[1-9]\d*)$/.test(key)) {
    let index = 0;
    for await (const _ of elementStarts(scanner)) {
      if (index++ === Number(key)) return;
      await scanner.value(false);
    }
  }
  throw readerFailed(NOT_ITERABLE);
}

async function* elements(scanner: Scanner): AsyncGenerator<Json> {
  for await (const _ of elementStarts(scanner)) yield parseItem(await scanner.value(true));
}

async function* members(scanner: Scanner): AsyncGenerator<Json> {
  for await (const name of memberNames(scanner)) {
    const value = parseItem(await scanner.value(true));
    yield fromEntries([
      ['Key', name],
      ['Value', value],
    ]);
  }
}

/** Yields before every element; the caller reads or skips it. */
async function* elementStarts(scanner: Scanner): AsyncGenerator<true> {
  await scanner.expect('[');
  if ((await scanner.peek()) === ']') return scanner.skip();
  for (;;) {
    yield true;
    if ((await scanner.peek()) !== ',') return scanner.expect(']');
    scanner.skip();
  }
}

async function* memberNames(scanner: Scanner): AsyncGenerator<string> {
  await scanner.expect('{');
  if ((await scanner.peek()) === '}') return scanner.skip();
  for (;;) {
    const name = parseItem(await scanner.value(true));
    if (typeof name !== 'string')
      throw readerFailed('The file is not valid JSON: a name is missing');
    await scanner.expect(':');
    yield name;
    if ((await scanner.peek()) !== ',') return scanner.expect('}');
    scanner.skip();
  }
}

function tooLarge(): Error {
  return readerFailed('An item is larger than 8 MB.');
}

const SPACE = /[ \t\r\n]/;

class Scanner {
  private readonly source: AsyncIterator<string>;
  private buffer = '';
  private position = 0;

  constructor(text: Text) {
    this.source = text[Symbol.asyncIterator]();
  }

  /** Appends more text; false at the end. */
  private async fill(): Promise<boolean> {
    const { done, value } = await this.source.next();
    if (done) return false;
    this.buffer = this.buffer.slice(this.position) + value;
    this.position = 0;
    return true;
  }

  /** The next character that is no white space, without taking it; '' at the end. */
  async peek(): Promise<string> {
    for (;;) {
      while (this.position < this.buffer.length) {
        const char = this.buffer[this.position] as string;
        if (!SPACE.test(char)) return char;
        this.position++;
      }
      if (!(await this.fill())) return '';
    }
  }

  skip(): void {
    this.position++;
  }

  async expect(char: string): Promise<void> {
    const found = await this.peek();
    if (found === char) return this.skip();
    const what = found === '' ? 'it ends too early' : `'${char}' is expected before '${found}'`;
    throw readerFailed(`The file is not valid JSON: ${what}`);
  }

  /** Takes one value; its text, or '' when it is not to be kept. */
  async value(keep: boolean): Promise<string> {
    await this.peek();
    let depth = 0;
    let inString = false;
    let escaped = false;
    let at = this.position;
    for (;;) {
      for (; at < this.buffer.length; at++) {
        const char = this.buffer[at] as string;
        if (inString) {
          if (escaped) escaped = false;
          else if (char === '\\') escaped = true;
          else if (char === '"') {
            inString = false;
            if (depth === 0) return this.take(at + 1, keep);
          }
        } else if (char === '"') inString = true;
        else if (char === '{' || char === '[') depth++;
        else if (char === '}' || char === ']') {
          if (depth === 0) return this.take(at, keep);
          if (--depth === 0) return this.take(at + 1, keep);
        } else if (depth === 0 && (char === ',' || char === ':' || SPACE.test(char))) {
          return this.take(at, keep);
        }
      }
      if (!keep) this.position = at;
      const scanned = at - this.position;
      if (scanned > MAX_ITEM_CHARACTERS) throw tooLarge();
      if (!(await this.fill())) return this.take(at, keep);
      at = scanned;
    }
  }

  private take(end: number, keep: boolean): string {
    const text = keep ? this.buffer.slice(this.position, end) : '';
    this.position = end;
    return text;
  }
}
