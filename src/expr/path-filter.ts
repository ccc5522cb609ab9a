/**
 * Jayway's inline filters, `[?(@.price < 10 && @.tags contains 'x')]`, compiled to a closure.
 * Regular expressions run on RE2, in linear time; nothing of a filter is ever run as JavaScript.
 */
import { RE2JS } from 're2js';
import { deepEqual, isArray, isObject, type Json } from '../lib/json.js';
import { MAX_FILTER_NESTING } from './limits.js';
import { evaluatePath, type Selection } from './path-evaluate.js';
import {
  closingIndex,
  closingQuote,
  type ParsedPath,
  parsePath,
  resolveEscapes,
} from './path-parser.js';
import { ExpressionSyntaxError } from './scope.js';

export type FilterTest = (item: Json, root: Json) => boolean;

/** `undefined` is Jayway's UndefinedNode: a path that selects nothing. */
type Value = Json | undefined | RE2JS;
type Operand = (item: Json, root: Json) => Value;

interface Reader {
  readonly text: string;
  readonly depth: number;
  position: number;
}

/** `text` is what stands between `[?` and `]`. */
export function parseFilter(text: string, depth: number): FilterTest {
  if (depth >= MAX_FILTER_NESTING) {
    throw new ExpressionSyntaxError('Filters are nested too deeply');
  }
  if (!text.startsWith('(') || !text.endsWith(')')) {
    throw new ExpressionSyntaxError(`Filter must start with '[?(' and end with ')]'. ${text}`);
  }
  const reader: Reader = { text, depth: depth + 1, position: 0 };
  const test = readOr(reader, 0);
  skipBlanks(reader);
  if (reader.position < text.length) fail(reader, 'Failed to parse filter');
  return test;
}

function readOr(reader: Reader, nesting: number): FilterTest {
  const tests = [readAnd(reader, nesting)];
  while (take(reader, '||')) tests.push(readAnd(reader, nesting));
  if (tests.length === 1) return tests[0] as FilterTest;
  return (item, root) => tests.some((test) => test(item, root));
}

function readAnd(reader: Reader, nesting: number): FilterTest {
  const tests = [readTerm(reader, nesting)];
  while (take(reader, '&&')) tests.push(readTerm(reader, nesting));
  if (tests.length === 1) return tests[0] as FilterTest;
  return (item, root) => tests.every((test) => test(item, root));
}

function readTerm(reader: Reader, nesting: number): FilterTest {
  if (nesting > MAX_FILTER_NESTING) return fail(reader, 'Filter is nested too deeply');
  if (take(reader, '!')) {
    const test = readTerm(reader, nesting + 1);
    return (item, root) => !test(item, root);
  }
  if (take(reader, '(')) {
    const test = readOr(reader, nesting + 1);
    if (!take(reader, ')')) fail(reader, 'Failed to parse filter. Brackets are not balanced.');
    return test;
  }
  return readExpression(reader);
}

function readExpression(reader: Reader): FilterTest {
  const { operand: left, path } = readOperand(reader);
  skipBlanks(reader);
  const rest = reader.text.slice(reader.position);
  if (rest === '' || /^(\)|&&|\|\|)/.test(rest)) {
    if (path === null) fail(reader, 'Expected an operator');
    return (item, root) => left(item, root) !== undefined;
  }
  const match = /^(===|!==|==|!=|<=|>=|<|>|=~|[A-Za-z]+)/.exec(rest);
  const compare = match === null ? undefined : OPERATORS[(match[0] as string).toLowerCase()];
  if (match === null || compare === undefined) return fail(reader, 'Filter operator not supported');
  reader.position += match[0].length;
  const { operand: right } = readOperand(reader);
  return (item, root) => compare(left(item, root), right(item, root));
}

function readOperand(reader: Reader): { operand: Operand; path: ParsedPath | null } {
  skipBlanks(reader);
  const character = reader.text[reader.position];
  if (character === '@' || character === '$') return readPathOperand(reader);
  const value = readLiteral(reader, character);
  return { operand: () => value, path: null };
}

function readPathOperand(reader: Reader): { operand: Operand; path: ParsedPath } {
  const { text } = reader;
  const start = reader.position;
  let end = start + 1;
  let parentheses = 0;
  for (; end < text.length; end += 1) {
    const character = text[end] as string;
    if (character === '[') {
      end = closingIndex(text, end, '[', ']');
      if (end === -1) return fail(reader, 'Square brackets does not match in filter');
    } else if (character === '(') parentheses += 1;
    else if (character === ')' && parentheses-- === 0) break;
    else if (parentheses <= 0 && ' <>=!~&|,'.includes(character)) break;
  }
  const path = parsePath(text.slice(start, end), reader.depth);
  if (path.root === 'context' || path.root === 'variable') {
    fail(reader, 'A filter may only refer to its own document');
  }
  reader.position = end;
  const operand: Operand = (item, root) =>
    selected(evaluatePath(path.tokens, path.root === 'item' ? item : root, root));
  return { operand, path };
}

function selected(selection: Selection): Value {
  if (!selection.found) return undefined;
  if (!selection.definite && (selection.value as readonly Json[]).length === 0) return undefined;
  return selection.value;
}

function readLiteral(reader: Reader, character: string | undefined): Value {
  const { text } = reader;
  const start = reader.position;
  if (character === "'" || character === '"') {
    const end = closingQuote(text, start);
    if (end === -1) fail(reader, 'String not closed.');
    reader.position = end + 1;
    return resolveEscapes(text.slice(start + 1, end));
  }
  if (character === '/') return readPattern(reader);
  if (character === '[' || character === '{') return readJson(reader, character);
  const match = /^[^\s()&|,]+/.exec(text.slice(start));
  if (match === null) return fail(reader, 'Expected a value');
  reader.position += match[0].length;
  const word = match[0];
  if (word === 'true' || word === 'false') return word === 'true';
  if (word === 'null') return null;
  if (/^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(word)) return Number(word);
  // AWS's own samples write [?(@.Type==INVOICE_DATE)]: a bare word is a string.
  return word;
}

function readJson(reader: Reader, open: '[' | '{'): Json {
  const end = closingIndex(reader.text, reader.position, open, open === '[' ? ']' : '}');
  if (end === -1) return fail(reader, 'JSON literal not closed.');
  const text = reader.text.slice(reader.position, end + 1);
  reader.position = end + 1;
  try {
    return JSON.parse(text.replace(/'((?:[^'\\]|\\.)*)'/g, (_, inner) => JSON.stringify(inner)));
  } catch {
    return fail(reader, 'JSON literal is not valid.');
  }
}

function readPattern(reader: Reader): RE2JS {
  const { text } = reader;
  const end = closingQuote(text, reader.position);
  if (end === -1) return fail(reader, 'Pattern not closed. Expected /');
  const flags = /^[a-zA-Z]*/.exec(text.slice(end + 1))?.[0] ?? '';
  const source = text.slice(reader.position + 1, end).replaceAll('\\/', '/');
  reader.position = end + 1 + flags.length;
  let bits = 0;
  if (flags.includes('i')) bits |= RE2JS.CASE_INSENSITIVE;
  if (flags.includes('m')) bits |= RE2JS.MULTILINE;
  if (flags.includes('s')) bits |= RE2JS.DOTALL;
  try {
    return RE2JS.compile(source, bits);
  } catch {
    return fail(reader, `Pattern is not valid: ${source}`);
  }
}

type Compare = (left: Value, right: Value) => boolean;

const OPERATORS: Readonly<Record<string, Compare>> = {
  '==': equal,
  '!=': (left, right) => !equal(left, right),
  '===': (left, right) => typeof left === typeof right && equal(left, right),
  '!==': (left, right) => !(typeof left === typeof right && equal(left, right)),
  '<': (left, right) => ordered(left, right, (order) => order < 0),
  '<=': (left, right) => ordered(left, right, (order) => order <= 0),
  '>': (left, right) => ordered(left, right, (order) => order > 0),
  '>=': (left, right) => ordered(left, right, (order) => order >= 0),
  '=~': matches,
  in: (left, right) => items(right).some((item) => equal(left, item)),
  nin: (left, right) => !items(right).some((item) => equal(left, item)),
  subsetof: (left, right) =>
    Array.isArray(left) && items(left).every((item) => items(right).some((r) => equal(item, r))),
  anyof: (left, right) => items(left).some((item) => items(right).some((r) => equal(item, r))),
  noneof: (left, right) =>
    Array.isArray(left) && !items(left).some((item) => items(right).some((r) => equal(item, r))),
  all: (left, right) =>
    typeof left === 'object' &&
    left !== null &&
    items(right).every((item) => items(left).some((l) => equal(l, item))),
  contains: (left, right) =>
    typeof left === 'string'
      ? typeof right === 'string' && left.includes(right)
      : items(left).some((item) => equal(item, right)),
  size: (left, right) => sizeOf(left) === right,
  empty: (left, right) => {
    const size = sizeOf(left);
    return size !== null && (size === 0) === right;
  },
};

/** Jayway compares a number with the text of a number as equal unless `===` is asked for. */
function equal(left: Value, right: Value): boolean {
  if (left === undefined || right === undefined) return false;
  if (left instanceof RE2JS || right instanceof RE2JS) return false;
  if (typeof left === 'string' && typeof right === 'number') return left === String(right);
  if (typeof left === 'number' && typeof right === 'string') {
    return right.trim() !== '' && left === Number(right);
  }
  return deepEqual(left, right);
}

function ordered(left: Value, right: Value, accept: (order: number) => boolean): boolean {
  if (typeof left === 'number' && typeof right === 'number') return accept(left - right);
  if (!isScalarText(left) || !isScalarText(right)) return false;
  const a = String(left);
  const b = String(right);
  return accept(a < b ? -1 : a > b ? 1 : 0);
}

function isScalarText(value: Value): value is string | number {
  return typeof value === 'string' || typeof value === 'number';
}

function matches(left: Value, right: Value): boolean {
  const [pattern, input] = left instanceof RE2JS ? [left, right] : [right, left];
  if (!(pattern instanceof RE2JS) || input instanceof RE2JS) return false;
  const texts = Array.isArray(input) ? items(input) : [input];
  return texts.some((text) => {
    const subject = typeof text === 'object' || text === undefined ? '' : String(text);
    return pattern.matcher(subject).matches();
  });
}

function items(value: Value): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

function sizeOf(value: Value): number | null {
  if (typeof value === 'string') return value.length;
  if (value instanceof RE2JS || value === undefined) return null;
  if (isArray(value)) return value.length;
  return isObject(value) ? Object.keys(value).length : null;
}

function take(reader: Reader, text: string): boolean {
  skipBlanks(reader);
  if (!reader.text.startsWith(text, reader.position)) return false;
  if (text === '!' && /^!=/.test(reader.text.slice(reader.position))) return false;
  reader.position += text.length;
  return true;
}

function skipBlanks(reader: Reader): void {
  while (/\s/.test(reader.text[reader.position] ?? '')) reader.position += 1;
}

function fail(reader: Reader, reason: string): never {
  throw new ExpressionSyntaxError(`${reason} at position ${reader.position} in ${reader.text}`);
}
