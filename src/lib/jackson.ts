/**
 * JSON text to values with the error messages of Jackson 2.x (ReaderBasedJsonParser), because AWS
 * shows them to users in INVALID_JSON_DESCRIPTION and InvalidExecutionInput. Own keys only: a
 * `__proto__` member is an ordinary key. Never throws; depth and numbers are bounded.
 */
import { exceedsDepth, type Json, setOwn } from './json.js';

export interface JsonError {
  /** Jackson's whole message: what is wrong, then ` at [Source: …]` on its own line. */
  readonly message: string;
  /** What is wrong, alone. */
  readonly summary: string;
  /** `[Source: (String)"…"; line: 1, column: 4]`. */
  readonly location: string;
  readonly line: number;
  readonly column: number;
}

export type JsonResult = { readonly value: Json } | { readonly error: JsonError };

/** Jackson's StreamReadConstraints: the deepest document it reads. */
const MAX_DEPTH = 1000;
/** Jackson shows at most this much of the text in a location. */
const SOURCE_CHARACTERS = 500;
/** Jackson cuts an unrecognised token after this many characters. */
const TOKEN_CHARACTERS = 256;

const TOKENS = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
/** A number that could be infinite as a double: then the slow parser looks at each number. */
const HUGE_NUMBER = /\d[eE]\+?\d{3}|\d{309}/;

/**
 * Parses `text`. `rejectDuplicates` refuses a key that appears twice in one object, as AWS does for
 * definitions; otherwise the last one wins.
 */
export function parseJson(text: string, options?: { rejectDuplicates?: boolean }): JsonResult {
  const rejectDuplicates = options?.rejectDuplicates ?? false;
  if (!rejectDuplicates) {
    const value = parseQuickly(text);
    if (value !== undefined) return { value };
  }
  const parser = new Parser(text, rejectDuplicates);
  try {
    return { value: parser.document() };
  } catch (problem) {
    if (problem instanceof Problem) return { error: problem.error };
    throw problem;
  }
}

/** The engine's own parser, for text that is plainly fine; undefined sends it to the slow one. */
function parseQuickly(text: string): Json | undefined {
  if (HUGE_NUMBER.test(text)) return undefined;
  try {
    const value = JSON.parse(text) as Json;
    return exceedsDepth(value, MAX_DEPTH) ? undefined : value;
  } catch {
    return undefined;
  }
}

class Problem extends Error {
  constructor(readonly error: JsonError) {
    super(error.message);
  }
}

type ContextKind = 'root' | 'Array' | 'Object';

interface Context {
  readonly kind: ContextKind;
  readonly line: number;
  readonly column: number;
}

const END = -1;
const WORD_START = /[\p{L}\p{Nl}\p{Sc}\p{Pc}]/u;
const WORD_PART = /[\p{L}\p{Nl}\p{Nd}\p{Mn}\p{Mc}\p{Sc}\p{Pc}\p{Cf}]/u;

/** One pass over one text; `position` is always just past the last character read, as in Jackson. */
class Parser {
  private position = 0;
  private line = 1;
  private lineStart = 0;
  private context: Context = { kind: 'root', line: 1, column: 0 };
  private depth = 0;

  constructor(
    private readonly text: string,
    private readonly rejectDuplicates: boolean,
  ) {}

  document(): Json {
    const first = this.skipSpace();
    if (first === END) this.endOfInput('No content to map due to end-of-input', '');
    if (isClose(first)) this.mismatchedClose(first);
    const value = this.value(first);
    const next = this.skipSpace();
    if (next === END) return value;
    if (isClose(next)) this.mismatchedClose(next);
    const kind = this.kindOf(this.value(next), next);
    this.fail(
      `Trailing token (of type ${kind}) found after value (bound as ` +
        '`com.fasterxml.jackson.databind.JsonNode`): not allowed as per ' +
        '`DeserializationFeature.FAIL_ON_TRAILING_TOKENS`',
    );
  }

  private kindOf(value: Json, first: number): string {
    if (first === 0x7b) return 'START_OBJECT';
    if (first === 0x5b) return 'START_ARRAY';
    if (value === null) return 'VALUE_NULL';
    if (typeof value === 'boolean') return value ? 'VALUE_TRUE' : 'VALUE_FALSE';
    if (typeof value === 'string') return 'VALUE_STRING';
    return Number.isInteger(value) ? 'VALUE_NUMBER_INT' : 'VALUE_NUMBER_FLOAT';
  }

  private value(first: number): Json {
    switch (first) {
      case 0x22:
        return this.string(': was expecting closing quote for a string value', 'string value');
      case 0x7b:
        return this.nested('Object', () => this.object());
      case 0x5b:
        return this.nested('Array', () => this.array());
      case 0x7d:
        return this.unexpected(first, 'expected a value');
      case 0x74:
        return this.literal('true', true);
      case 0x66:
        return this.literal('false', false);
      case 0x6e:
        return this.literal('null', null);
      case 0x2d:
        return this.number(true);
      default:
        if (isDigit(first)) return this.number(false);
        return this.oddValue(first);
    }
  }

  private nested<T>(kind: 'Array' | 'Object', read: () => T): T {
    const outer = this.context;
    this.context = { kind, line: this.line, column: this.position - this.lineStart };
    this.depth++;
    if (this.depth > MAX_DEPTH) {
      this.fail(
        `Document nesting depth (${this.depth}) exceeds the maximum allowed (${MAX_DEPTH}, from ` +
          '`StreamReadConstraints.getMaxNestingDepth()`)',
      );
    }
    const result = read();
    this.depth--;
    this.context = outer;
    return result;
  }

  private array(): Json {
    const items: Json[] = [];
    for (let next = this.skipToEntry(); ; next = this.skipToEntry()) {
      if (next === 0x5d) return items;
      if (next === 0x7d) this.mismatchedClose(next);
      if (items.length > 0) next = this.afterComma(next);
      items.push(this.value(next));
    }
  }

  private object(): Json {
    const result: Record<string, Json> = {};
    for (let first = true; ; first = false) {
      let next = this.skipToEntry();
      if (next === 0x7d) return result;
      if (next === 0x5d) this.mismatchedClose(next);
      if (!first) next = this.afterComma(next);
      if (next !== 0x22) this.unexpected(next, 'was expecting double-quote to start field name');
      const name = this.string(' in field name', 'name');
      if (this.rejectDuplicates && Object.hasOwn(result, name)) {
        this.fail(`Duplicate field '${name}'`);
      }
      const colon = this.skipSpace();
      if (colon === END) this.endWithinEntries();
      if (colon !== 0x3a) {
        this.unexpected(colon, 'was expecting a colon to separate field name and value');
      }
      setOwn(result, name, this.value(this.skipInsideEntry()));
    }
  }

  /** Whitespace before an entry or a closing bracket; the end of the text is an error here. */
  private skipToEntry(): number {
    const next = this.skipSpace();
    if (next !== END) return next;
    const start = this.source(this.context.line, this.context.column);
    return this.endOfInput(
      'Unexpected end-of-input',
      `: expected close marker for ${this.context.kind} (start marker at ${start})`,
    );
  }

  private skipInsideEntry(): number {
    const next = this.skipSpace();
    return next === END ? this.endWithinEntries() : next;
  }

  private afterComma(next: number): number {
    if (next !== 0x2c) {
      this.unexpected(next, `was expecting comma to separate ${this.context.kind} entries`);
    }
    return this.skipInsideEntry();
  }

  private endWithinEntries(): never {
    return this.endOfInput(
      'Unexpected end-of-input',
      ` within/between ${this.context.kind} entries`,
    );
  }

  private skipSpace(): number {
    while (this.position < this.text.length) {
      const code = this.text.charCodeAt(this.position++);
      if (code > 0x20) return code;
      if (code === 0x0a) this.newLine();
      else if (code === 0x0d) {
        if (this.text.charCodeAt(this.position) === 0x0a) this.position++;
        this.newLine();
      } else if (code !== 0x20 && code !== 0x09) {
        this.fail(
          `Illegal character (${describe(code)}): only regular white space (\\r, \\n, \\t) is ` +
            'allowed between tokens',
        );
      }
    }
    return END;
  }

  private newLine(): void {
    this.line++;
    this.lineStart = this.position;
  }

  private string(endMessage: string, what: string): string {
    let result = '';
    let from = this.position;
    for (;;) {
      if (this.position >= this.text.length) {
        this.endOfInput('Unexpected end-of-input', endMessage);
      }
      const code = this.text.charCodeAt(this.position++);
      if (code === 0x22) return result + this.text.slice(from, this.position - 1);
      if (code < 0x20) {
        this.fail(
          `Illegal unquoted character (${describe(code)}): has to be escaped using backslash to ` +
            `be included in ${what}`,
        );
      }
      if (code !== 0x5c) continue;
      result += this.text.slice(from, this.position - 1) + this.escape();
      from = this.position;
    }
  }

  private escape(): string {
    if (this.position >= this.text.length) {
      this.endOfInput('Unexpected end-of-input', ' in character escape sequence');
    }
    const code = this.text.charCodeAt(this.position++);
    const plain = ESCAPES.get(code);
    if (plain !== undefined) return plain;
    if (code !== 0x75) this.fail(`Unrecognized character escape ${describe(code)}`);
    let unit = 0;
    for (let i = 0; i < 4; i++) {
      if (this.position >= this.text.length) {
        this.endOfInput('Unexpected end-of-input', ' in character escape sequence');
      }
      const digit = this.text.charCodeAt(this.position++);
      const worth = Number.parseInt(String.fromCharCode(digit), 16);
      if (Number.isNaN(worth)) {
        this.unexpected(digit, 'expected a hex-digit for character escape sequence');
      }
      unit = unit * 16 + worth;
    }
    return String.fromCharCode(unit);
  }

  private literal<T extends Json>(word: string, value: T): T {
    for (let i = 1; i < word.length; i++) {
      if (this.text[this.position] !== word[i]) this.unknownToken(word.slice(0, i));
      this.position++;
    }
    const next = this.text[this.position];
    if (next !== undefined && next >= '0' && WORD_PART.test(next)) this.unknownToken(word);
    return value;
  }

  private number(negative: boolean): number {
    const start = this.position - 1;
    if (negative) {
      const first = this.numberCharacter('No digit following minus sign');
      if (!isDigit(first)) this.badNumberStart(first);
    }
    const leading = this.text.charCodeAt(this.position - 1);
    if (leading === 0x30 && isDigit(this.text.charCodeAt(this.position))) {
      this.fail('Invalid numeric value: Leading zeroes not allowed');
    }
    this.skipDigits();
    if (this.text[this.position] === '.') {
      this.position++;
      this.requireDigit('Decimal point not followed by a digit');
    }
    if (this.text[this.position] === 'e' || this.text[this.position] === 'E') {
      this.position++;
      const sign = this.text[this.position];
      if (sign === '+' || sign === '-') this.position++;
      this.requireDigit('Exponent indicator not followed by a digit');
    }
    this.requireRootSpace();
    return this.finite(this.text.slice(start, this.position));
  }

  private finite(text: string): number {
    const value = Number(text);
    // Ours: Jackson would keep the digits, but no JSON payload of ours can hold an infinite number.
    if (!Number.isFinite(value)) {
      this.fail(`Numeric value (${text.slice(0, 80)}) out of range of \`double\``);
    }
    return value;
  }

  private skipDigits(): void {
    while (isDigit(this.text.charCodeAt(this.position))) this.position++;
  }

  private requireDigit(comment: string): void {
    const code = this.position < this.text.length ? this.text.charCodeAt(this.position++) : 0;
    if (!isDigit(code)) this.badNumberCharacter(code, comment);
    this.skipDigits();
  }

  /** A number at the root ends only at white space; inside, the next token decides. */
  private requireRootSpace(): void {
    if (this.context.kind !== 'root' || this.position >= this.text.length) return;
    const code = this.text.charCodeAt(this.position);
    if (code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d) return;
    this.position++;
    this.unexpected(code, 'Expected space separating root-level values');
  }

  private numberCharacter(endMessage: string): number {
    if (this.position >= this.text.length) this.endOfInput('Unexpected end-of-input', endMessage);
    return this.text.charCodeAt(this.position++);
  }

  private badNumberStart(code: number): never {
    if (code === 0x49)
      this.nonStandard(this.text.startsWith('NF', this.position) ? '-INF' : '-Infinity');
    return this.badNumberCharacter(
      code,
      'expected digit (0-9) to follow minus sign, for valid numeric value',
    );
  }

  private badNumberCharacter(code: number, comment: string): never {
    return this.fail(`Unexpected character (${describe(code)}) in numeric value: ${comment}`);
  }

  private nonStandard(token: string): never {
    return this.fail(
      `Non-standard token '${token}': enable JsonParser.Feature.ALLOW_NON_NUMERIC_NUMBERS to allow`,
    );
  }

  private oddValue(code: number): never {
    if (code === 0x4e && this.text.startsWith('aN', this.position)) {
      this.position += 2;
      this.nonStandard('NaN');
    }
    if (code === 0x49 && this.text.startsWith('nfinity', this.position)) {
      this.position += 7;
      this.nonStandard('Infinity');
    }
    if (code === 0x2b) {
      const next = this.numberCharacter(' in a value');
      this.badNumberCharacter(
        next,
        'expected digit (0-9) to follow minus sign, for valid numeric value',
      );
    }
    const character = String.fromCharCode(code);
    if (WORD_START.test(character)) this.unknownToken(character);
    return this.unexpected(code, `expected a valid value ${TOKENS}`);
  }

  private unknownToken(read: string): never {
    let token = read;
    while (this.position < this.text.length) {
      const next = this.text[this.position] as string;
      if (!WORD_PART.test(next)) break;
      this.position++;
      token += next;
      if (token.length >= TOKEN_CHARACTERS) {
        token += '...';
        break;
      }
    }
    return this.fail(`Unrecognized token '${token}': was expecting ${TOKENS}`);
  }

  private mismatchedClose(code: number): never {
    const expected = code === 0x5d ? '}' : ']';
    const start = this.source(this.context.line, this.context.column);
    return this.fail(
      `Unexpected close marker '${String.fromCharCode(code)}': expected '${expected}' ` +
        `(for ${this.context.kind} starting at ${start})`,
    );
  }

  private unexpected(code: number, comment: string): never {
    return this.fail(`Unexpected character (${describe(code)}): ${comment}`);
  }

  private endOfInput(summary: string, detail: string): never {
    return this.fail(summary + detail);
  }

  private fail(summary: string): never {
    const column = this.position - this.lineStart + 1;
    const location = this.source(this.line, column);
    const message = `${summary}\n at ${location}`;
    throw new Problem({ message, summary, location, line: this.line, column });
  }

  private source(line: number, column: number): string {
    return `[Source: (String)${quoteSource(this.text)}; line: ${line}, column: ${column}]`;
  }
}

const ESCAPES = new Map<number, string>([
  [0x22, '"'],
  [0x2f, '/'],
  [0x5c, '\\'],
  [0x62, '\b'],
  [0x66, '\f'],
  [0x6e, '\n'],
  [0x72, '\r'],
  [0x74, '\t'],
]);

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isClose(code: number): boolean {
  return code === 0x5d || code === 0x7d;
}

function isControl(code: number): boolean {
  return code < 0x20 || (code >= 0x7f && code <= 0x9f);
}

/** Jackson's `_getCharDesc`. */
function describe(code: number): string {
  if (isControl(code)) return `(CTRL-CHAR, code ${code})`;
  const character = String.fromCharCode(code);
  if (code > 255) return `'${character}' (code ${code} / 0x${code.toString(16)})`;
  return `'${character}' (code ${code})`;
}

function quoteSource(text: string): string {
  let shown = '';
  for (const character of text.slice(0, SOURCE_CHARACTERS).split('')) {
    const code = character.charCodeAt(0);
    const plain = !isControl(code) || code === 0x0a || code === 0x0d;
    shown += plain ? character : `\\u${code.toString(16).toUpperCase().padStart(4, '0')}`;
  }
  const cut = text.length - SOURCE_CHARACTERS;
  return cut > 0 ? `"${shown}"[truncated ${cut} chars]` : `"${shown}"`;
}
