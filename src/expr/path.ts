/**
 * JSONPath as AWS Step Functions evaluates it: `compilePath` for everything that reads,
 * `compileReferencePath` for ResultPath. Compiled once, evaluated often: a chain of names and
 * indexes becomes a loop over own properties, everything else goes to the general evaluator.
 */
import { getOwn, isArray, isObject, type Json, type JsonObject, withKey } from '../lib/json.js';
import { evaluatePath, isDefinite, type Selection } from './path-evaluate.js';
import { type ParsedPath, type PathToken, parsePath } from './path-parser.js';
import { quoteJson } from './quote.js';
import { ExpressionSyntaxError, type Scope, StatesError } from './scope.js';

export type Found = { readonly found: true; readonly value: Json } | { readonly found: false };

export interface PathExpression {
  readonly text: string;
  readonly root: 'input' | 'context' | 'variable';
  readonly variableName?: string;
  /** At most one node can match: a hit is the value itself, not an array of values. */
  readonly definite: boolean;
  /** For InputPath, OutputPath and other `*Path` fields; throws States.Runtime on a miss. */
  read(scope: Scope): Json;
  /** Whether something is there; an index past the end of an array is not. */
  find(scope: Scope): Found;
  /** For payload templates and ErrorPath/CausePath, whose failure names the field. */
  readField(scope: Scope, field: string): Json;
}

const NOT_FOUND: Found = { found: false };

export function compilePath(text: string): PathExpression {
  const parsed = parsePath(text);
  const start = startOf(parsed);
  const keys = simpleKeys(parsed.tokens);
  const lookUp = keys === null ? generalLookUp(parsed, start) : simpleLookUp(parsed, start, keys);
  const { find, select } = lookUp;
  return {
    text,
    root: parsed.root as 'input' | 'context' | 'variable',
    ...(parsed.root === 'variable' ? { variableName: parsed.variableName } : {}),
    definite: isDefinite(parsed.tokens),
    find(scope) {
      const value = find(scope);
      return value === undefined ? NOT_FOUND : { found: true, value };
    },
    read(scope) {
      const value = find(scope);
      if (value !== undefined) return value;
      return settle(select(scope), (reason) => `Invalid path '${text}' : ${reason}`);
    },
    readField(scope, field) {
      const value = find(scope);
      if (value !== undefined) return value;
      return settle(select(scope), () => missingField(text, field, parsed, scope));
    },
  };
}

/** An index past the end is null to AWS's JSON library; any other miss fails the state. */
function settle(selection: Selection, cause: (reason: string) => string): Json {
  if (selection.found) return selection.value;
  if (selection.pastEnd) return null;
  throw new StatesError('States.Runtime', cause(selection.reason));
}

/** Recorded: the document searched is quoted as compact JSON. */
function missingField(text: string, field: string, parsed: ParsedPath, scope: Scope): string {
  const searched = parsed.root === 'context' ? scope.context : scope.input;
  return (
    `The JSONPath '${text}' specified for the field '${field}' could not be found in the input ` +
    `'${quoteJson(searched)}'`
  );
}

type Start = (scope: Scope) => Json | undefined;

function startOf(parsed: ParsedPath): Start {
  if (parsed.root === 'input') return (scope) => scope.input;
  if (parsed.root === 'context') return (scope) => scope.context;
  const name = parsed.variableName;
  return (scope) => getOwn(scope.variables, name);
}

interface LookUp {
  readonly find: Start;
  /** Slow: also says why nothing was found. */
  readonly select: (scope: Scope) => Selection;
}

function generalLookUp(parsed: ParsedPath, start: Start): LookUp {
  const select = (scope: Scope): Selection => {
    const value = start(scope);
    if (value !== undefined) return evaluatePath(parsed.tokens, value, value);
    const reason = `No results for path: $['${parsed.variableName}']`;
    return { found: false, reason, pastEnd: false };
  };
  const find = (scope: Scope) => {
    const selection = select(scope);
    return selection.found ? selection.value : undefined;
  };
  return { find, select };
}

function simpleLookUp(
  parsed: ParsedPath,
  start: Start,
  keys: readonly (string | number)[],
): LookUp {
  const { select } = generalLookUp(parsed, start);
  const [first] = keys;
  if (first === undefined) return { find: start, select };
  if (keys.length === 1) return { find: (scope) => child(start(scope), first), select };
  const find = (scope: Scope) => {
    let value = start(scope);
    for (let i = 0; i < keys.length; i += 1) value = child(value, keys[i] as string | number);
    return value;
  };
  return { find, select };
}

function child(value: Json | undefined, key: string | number): Json | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (isArray(value)) {
    if (typeof key === 'string') return undefined;
    return value[key < 0 ? value.length + key : key];
  }
  return typeof key === 'string' && Object.hasOwn(value, key)
    ? (value as JsonObject)[key]
    : undefined;
}

/** The keys of a path made of single names and indexes only, else null. */
function simpleKeys(tokens: readonly PathToken[]): readonly (string | number)[] | null {
  const keys: (string | number)[] = [];
  for (const token of tokens) {
    if (token.kind === 'property' && token.names.length === 1) keys.push(token.names[0] as string);
    else if (token.kind === 'index' && token.indexes.length === 1) {
      keys.push(token.indexes[0] as number);
    } else return null;
  }
  return keys;
}

export interface ReferencePath {
  readonly text: string;
  /** A copy of `target` with `value` at the path; objects on the way are made as needed. */
  write(target: Json, value: Json): Json;
}

/** ResultPath: names and non-negative indexes below `$`; no variable, no Context Object. */
export function compileReferencePath(text: string): ReferencePath {
  const parsed = parsePath(text);
  const keys = simpleKeys(parsed.tokens);
  if (keys === null || parsed.root !== 'input' || keys.some(isNegative)) {
    throw new ExpressionSyntaxError(`Value is not a Reference Path: ${text}`);
  }
  return {
    text,
    write(target, value) {
      const written = writeAt(target, keys, 0, value);
      if (written !== undefined) return written;
      // The specification calls it States.ResultPathMatchFailure; AWS reports States.Runtime.
      throw new StatesError(
        'States.Runtime',
        `Unable to apply ReferencePath ${text} to input ${quoteJson(target)}`,
      );
    },
  };
}

function isNegative(key: string | number): boolean {
  return typeof key === 'number' && (key < 0 || Object.is(key, -0));
}

function writeAt(
  target: Json | undefined,
  keys: readonly (string | number)[],
  at: number,
  value: Json,
): Json | undefined {
  const key = keys[at];
  if (key === undefined) return value;
  if (typeof key === 'string') {
    const object = target === undefined || target === null ? {} : target;
    if (!isObject(object) || (target === null && at === 0)) return undefined;
    const inner = writeAt(getOwn(object, key), keys, at + 1, value);
    return inner === undefined ? undefined : withKey(object, key, inner);
  }
  if (!isArray(target) || key >= target.length) return undefined;
  const inner = writeAt(target[key], keys, at + 1, value);
  return inner === undefined ? undefined : target.with(key, inner);
}

/** Whether the text is a valid path, for validators. */
export function isReferencePathText(text: string): boolean {
  try {
    return simpleKeys(parsePath(text).tokens) !== null;
  } catch (error) {
    if (error instanceof ExpressionSyntaxError) return false;
    throw error;
  }
}
