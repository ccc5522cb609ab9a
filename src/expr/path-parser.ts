/**
 * JSONPath text to tokens, with the grammar of Jayway JsonPath, the library AWS evaluates paths
 * with. A path starts at the input (`$`), the Context Object (`$$`) or a variable (`$name`);
 * inside a filter also at the tested item (`@`). Never evaluates anything.
 */
import { type FilterTest, parseFilter } from './path-filter.js';
import { MAX_PATH_TOKENS } from './limits.js';
import { ExpressionSyntaxError } from './scope.js';

export type PathToken =
  | { readonly kind: 'property'; readonly names: readonly string[] }
  | { readonly kind: 'index'; readonly indexes: readonly number[] }
  | { readonly kind: 'slice'; readonly from: number | null; readonly to: number | null }
  | { readonly kind: 'wildcard' }
  | { readonly kind: 'scan' }
  | { readonly kind: 'filter'; readonly test: FilterTest }
  | { readonly kind: 'function'; readonly name: PathFunction; readonly parameters: Parameters };

export const PATH_FUNCTIONS = [
  'length',
  'size',
  'keys',
  'min',
  'max',
  'avg',
  'sum',
  'stddev',
  'concat',
  'append',
  'first',
  'last',
  'index',
] as const;
export type PathFunction = (typeof PATH_FUNCTIONS)[number];
export type Parameters = readonly ({ readonly literal: unknown } | { readonly path: ParsedPath })[];

export type PathRoot = 'input' | 'context' | 'variable' | 'item';

export interface ParsedPath {
  readonly root: PathRoot;
  readonly variableName: string;
  readonly tokens: readonly PathToken[];
}

interface Reader {
  readonly text: string;
  position: number;
  /** How many filters enclose this path. */
  readonly depth: number;
}

const VARIABLE = /^\$([\p{ID_Start}_][\p{ID_Continue}]*)/u;

export function parsePath(source: string, depth = 0): ParsedPath {
  const text = source.trim();
  const start = readRoot(text, depth);
  const reader: Reader = { text, position: start.length, depth };
  const tokens: PathToken[] = [];
  while (reader.position < text.length) {
    tokens.push(...readToken(reader));
    if (tokens.length > MAX_PATH_TOKENS) fail(reader, 'Path is too long');
  }
  if (tokens.at(-1)?.kind === 'scan') fail(reader, "Path must not end with a '.'");
  const last = tokens.findIndex((token) => token.kind === 'function');
  if (last !== -1 && last !== tokens.length - 1 && !isSelector(tokens[last])) {
    fail(reader, 'A function must be the last part of a path');
  }
  return { root: start.root, variableName: start.variableName, tokens };
}

function isSelector(token: PathToken | undefined): boolean {
  return token?.kind === 'function' && ['first', 'last', 'index'].includes(token.name);
}

function readRoot(text: string, depth: number) {
  if (text.startsWith('$$')) return { root: 'context' as const, variableName: '', length: 2 };
  if (text.startsWith('@') && depth > 0) {
    return { root: 'item' as const, variableName: '', length: 1 };
  }
  if (!text.startsWith('$')) {
    throw new ExpressionSyntaxError(`A path must start with '$': ${text}`);
  }
  const variable = VARIABLE.exec(text);
  if (variable?.[1] === undefined) return { root: 'input' as const, variableName: '', length: 1 };
  return { root: 'variable' as const, variableName: variable[1], length: variable[0].length };
}

function readToken(reader: Reader): PathToken[] {
  const { text } = reader;
  const character = text[reader.position];
  if (character === '[') return [readBracket(reader)];
  if (character !== '.') return fail(reader, `Illegal character '${character}'`);
  const tokens: PathToken[] = [];
  reader.position += 1;
  if (text[reader.position] === '.') {
    reader.position += 1;
    tokens.push({ kind: 'scan' });
  }
  const next = text[reader.position];
  if (next === undefined || next === '.') fail(reader, "Path must not end with a '.'");
  if (next === '[') tokens.push(readBracket(reader));
  else if (next === '*') {
    reader.position += 1;
    tokens.push({ kind: 'wildcard' });
  } else tokens.push(readName(reader));
  return tokens;
}

/** A bare name runs to the next '.', '[' or '('; Jayway accepts any other character but a blank. */
function readName(reader: Reader): PathToken {
  const { text } = reader;
  const start = reader.position;
  let end = start;
  while (end < text.length && !'.[( '.includes(text[end] as string)) end += 1;
  if (text[end] === ' ') fail(reader, "Use bracket notation ['my prop'] for blank characters");
  if (end === start) fail(reader, 'Expected a property name');
  const name = text.slice(start, end);
  reader.position = end;
  if (text[end] !== '(') return { kind: 'property', names: [name] };
  return readFunction(reader, name);
}

function readFunction(reader: Reader, name: string): PathToken {
  const known = PATH_FUNCTIONS.find((candidate) => candidate === name);
  if (known === undefined) return fail(reader, `Function of name: ${name} cannot be created`);
  const end = closingIndex(reader.text, reader.position, '(', ')');
  if (end === -1) fail(reader, `Arguments to function: '${name}' are not closed properly.`);
  const inner = reader.text.slice(reader.position + 1, end);
  reader.position = end + 1;
  const parameters = splitTopLevel(inner).map((part): Parameters[number] => {
    if (part.startsWith('$') || part.startsWith('@')) {
      return { path: parsePath(part, reader.depth + 1) };
    }
    try {
      return { literal: JSON.parse(part.replace(/^'(.*)'$/s, (_, text) => JSON.stringify(text))) };
    } catch {
      return fail(reader, `Arguments to function: '${name}' are not valid.`);
    }
  });
  return { kind: 'function', name: known, parameters };
}

function readBracket(reader: Reader): PathToken {
  const end = closingIndex(reader.text, reader.position, '[', ']');
  if (end === -1) fail(reader, "Could not find the closing ']'");
  const inner = reader.text.slice(reader.position + 1, end).trim();
  const token = bracketToken(reader, inner);
  reader.position = end + 1;
  return token;
}

function bracketToken(reader: Reader, inner: string): PathToken {
  if (inner === '*') return { kind: 'wildcard' };
  if (inner.startsWith('?')) {
    return { kind: 'filter', test: parseFilter(inner.slice(1).trim(), reader.depth) };
  }
  if (inner.startsWith("'") || inner.startsWith('"')) {
    return { kind: 'property', names: readQuotedNames(reader, inner) };
  }
  if (/^[-\d, ]+$/.test(inner)) {
    return { kind: 'index', indexes: inner.split(',').map((part) => readInteger(reader, part)) };
  }
  if (/^[-\d: ]+$/.test(inner)) return readSlice(reader, inner);
  return fail(reader, 'Could not parse token');
}

/** Jayway reads only the first two parts of a slice: a step is accepted and ignored. */
function readSlice(reader: Reader, inner: string): PathToken {
  const [from = '', to = ''] = inner.split(':').map((part) => part.trim());
  if (from === '' && to === '') fail(reader, `Failed to parse SliceOperation: ${inner}`);
  return {
    kind: 'slice',
    from: from === '' ? null : readInteger(reader, from),
    to: to === '' ? null : readInteger(reader, to),
  };
}

function readInteger(reader: Reader, text: string): number {
  const trimmed = text.trim();
  if (!/^-?\d{1,10}$/.test(trimmed)) fail(reader, `Failed to parse index: ${text}`);
  return Number(trimmed) + 0;
}

/** Recorded: `$['Test\""Name"']` reads `Test\""Name"`; a backslash only protects the quote in use. */
function readQuotedNames(reader: Reader, inner: string): string[] {
  const names: string[] = [];
  let position = 0;
  const skipBlanks = () => {
    while (inner[position] === ' ') position += 1;
  };
  while (true) {
    skipBlanks();
    const quote = inner[position];
    if (quote !== "'" && quote !== '"') return fail(reader, 'Property must be quoted');
    const end = closingQuote(inner, position);
    if (end === -1) fail(reader, `Property has not been closed - missing closing ${quote}`);
    names.push(inner.slice(position + 1, end).replaceAll(`\\${quote}`, quote));
    position = end + 1;
    skipBlanks();
    if (position >= inner.length) return names;
    if (inner[position] !== ',') fail(reader, 'Property must be separated by comma');
    position += 1;
  }
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f' };

export function resolveEscapes(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(/\\(u[0-9a-fA-F]{4}|[\s\S])/g, (_, escaped: string) =>
    escaped.length > 1
      ? String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
      : (ESCAPES[escaped] ?? escaped),
  );
}

/** Position of the quote that closes the one at `start`, or -1. */
export function closingQuote(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i += 1) {
    if (text[i] === '\\') i += 1;
    else if (text[i] === text[start]) return i;
  }
  return -1;
}

/** Position of the bracket that closes the one at `start`, skipping strings, or -1. */
export function closingIndex(text: string, start: number, open: string, close: string): number {
  let depth = 0;
  for (let i = start; i < text.length; i += 1) {
    const character = text[i];
    if (character === "'" || character === '"') {
      i = closingQuote(text, i);
      if (i === -1) return -1;
    } else if (character === '/' && /=~\s*$/.test(text.slice(Math.max(0, i - 8), i))) {
      i = closingQuote(text, i);
      if (i === -1) return -1;
    } else if (character === open) depth += 1;
    else if (character === close && --depth === 0) return i;
  }
  return -1;
}

function splitTopLevel(text: string): string[] {
  const parts: string[] = [];
  let start = 0;
  let depth = 0;
  for (let i = 0; i < text.length; i += 1) {
    const character = text[i] as string;
    if (character === "'" || character === '"') {
      const end = closingQuote(text, i);
      if (end === -1) break;
      i = end;
    } else if ('([{'.includes(character)) depth += 1;
    else if (')]}'.includes(character)) depth -= 1;
    else if (character === ',' && depth === 0) {
      parts.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  const rest = text.slice(start).trim();
  if (rest !== '' || parts.length > 0) parts.push(rest);
  return parts;
}

function fail(reader: Reader, reason: string): never {
  throw new ExpressionSyntaxError(`${reason} at position ${reader.position} in ${reader.text}`);
}
