/**
 * The text of an intrinsic call to a tree: nested calls, 'strings' with `\'` escapes, numbers,
 * true, false, null, and paths into the input, the Context Object and variables. The structure is
 * checked here (function names, arity, literal types), so definitions fail before they run.
 */
import type { Json } from '../lib/json.js';
import { FUNCTIONS, type IntrinsicName, isIntrinsicName } from './intrinsic-functions.js';
import { MAX_INTRINSIC_PARSED } from './limits.js';
import { compilePath, type PathExpression } from './path.js';
import { ExpressionSyntaxError } from './scope.js';

export type IntrinsicArgument =
  /** `template`: a string literal with the escapes of its braces, for States.Format. */
  | { readonly kind: 'literal'; readonly value: Json; readonly template?: string }
  | { readonly kind: 'path'; readonly path: PathExpression }
  | { readonly kind: 'call'; readonly call: IntrinsicCall };

export interface IntrinsicCall {
  readonly name: IntrinsicName;
  readonly arguments: readonly IntrinsicArgument[];
}

interface Reader {
  readonly text: string;
  position: number;
}

export function parseIntrinsic(text: string): IntrinsicCall {
  const reader: Reader = { text, position: 0 };
  skipBlanks(reader);
  const call = readCall(reader, 0);
  skipBlanks(reader);
  if (reader.position < text.length) fail(reader, 'Unexpected text after the call');
  return call;
}

/** How many calls are inside of each other; 1 for a call without calls among its arguments. */
export function nestingOf(call: IntrinsicCall): number {
  let deepest = 0;
  for (const argument of call.arguments) {
    if (argument.kind === 'call') deepest = Math.max(deepest, nestingOf(argument.call));
  }
  return 1 + deepest;
}

function readCall(reader: Reader, depth: number): IntrinsicCall {
  if (depth >= MAX_INTRINSIC_PARSED) fail(reader, 'Intrinsic functions are nested too deeply');
  const match = /^States\.[A-Za-z0-9]+/.exec(reader.text.slice(reader.position));
  const name = match?.[0] ?? '';
  if (!isIntrinsicName(name)) return fail(reader, 'Expected an intrinsic function');
  reader.position += name.length;
  skipBlanks(reader);
  if (reader.text[reader.position] !== '(') fail(reader, "Expected '('");
  reader.position += 1;
  const args = readArguments(reader, depth);
  const { least, most } = FUNCTIONS[name];
  if (args.length < least || args.length > most) {
    fail(reader, `Wrong number of arguments for ${name}`);
  }
  return { name, arguments: args };
}

function readArguments(reader: Reader, depth: number): IntrinsicArgument[] {
  const args: IntrinsicArgument[] = [];
  skipBlanks(reader);
  if (reader.text[reader.position] === ')') {
    reader.position += 1;
    return args;
  }
  for (;;) {
    skipBlanks(reader);
    args.push(readArgument(reader, depth));
    skipBlanks(reader);
    const next = reader.text[reader.position];
    reader.position += 1;
    if (next === ')') return args;
    if (next !== ',') fail(reader, "Expected ',' or ')'");
  }
}

function readArgument(reader: Reader, depth: number): IntrinsicArgument {
  const first = reader.text[reader.position];
  if (first === "'") return { kind: 'literal', ...readString(reader) };
  if (first === '$') return { kind: 'path', path: compilePath(readPathText(reader)) };
  if (reader.text.startsWith('States.', reader.position)) {
    return { kind: 'call', call: readCall(reader, depth + 1) };
  }
  const word = /^[-+.\w]+/.exec(reader.text.slice(reader.position))?.[0] ?? '';
  reader.position += word.length;
  if (word === 'null') return { kind: 'literal', value: null };
  if (word === 'true' || word === 'false') return { kind: 'literal', value: word === 'true' };
  if (/^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(word)) {
    return { kind: 'literal', value: Number(word) };
  }
  return fail(reader, 'Expected an argument');
}

/**
 * Recorded: only `\'`, `\{`, `\}` and `\\` are escapes; a definition with another is refused.
 * The template of States.Format keeps the escapes of its braces, which mean something only there.
 */
function readString(reader: Reader): { value: string; template: string } {
  const { text } = reader;
  let template = '';
  for (let i = reader.position + 1; i < text.length; i += 1) {
    const character = text[i] as string;
    if (character === "'") {
      reader.position = i + 1;
      return { value: template.replace(/\\([\s\S])/g, '$1'), template };
    }
    if (character !== '\\') template += character;
    else {
      i += 1;
      const escaped = text[i] ?? '';
      if (escaped === '' || !"'{}\\".includes(escaped)) fail(reader, 'Invalid escape in a string');
      template += escaped === "'" ? escaped : `\\${escaped}`;
    }
  }
  return fail(reader, 'String is not closed');
}

/** A path ends at a comma, a blank or the closing parenthesis outside of its own brackets. */
function readPathText(reader: Reader): string {
  const { text } = reader;
  const start = reader.position;
  let brackets = 0;
  let parentheses = 0;
  let end = start;
  for (; end < text.length; end += 1) {
    const character = text[end] as string;
    if (brackets > 0 && (character === "'" || character === '"')) {
      const close = closingQuote(text, end);
      if (close === -1) fail(reader, 'String is not closed');
      end = close;
    } else if (character === '[') brackets += 1;
    else if (character === ']') brackets -= 1;
    else if (brackets > 0) continue;
    else if (character === '(') parentheses += 1;
    else if (character === ')') {
      if (parentheses === 0) break;
      parentheses -= 1;
    } else if (parentheses === 0 && (character === ',' || /\s/.test(character))) break;
  }
  reader.position = end;
  return text.slice(start, end);
}

function closingQuote(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i += 1) {
    if (text[i] === '\\') i += 1;
    else if (text[i] === text[start]) return i;
  }
  return -1;
}

function skipBlanks(reader: Reader): void {
  while (/\s/.test(reader.text[reader.position] ?? '')) reader.position += 1;
}

function fail(reader: Reader, reason: string): never {
  throw new ExpressionSyntaxError(`${reason} at position ${reader.position} in ${reader.text}`);
}
