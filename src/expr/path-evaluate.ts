/**
 * Evaluates parsed paths as Jayway JsonPath does with the JSON library AWS uses: definite paths
 * give one value or a miss with Jayway's reason, indefinite ones gather what they find. Reads own
 * properties only. A reason is worked out after a miss, so finding costs nothing extra.
 */
import { exceedsDepth, getOwn, isArray, isObject, type Json } from '../lib/json.js';
import { MAX_NESTING } from './limits.js';
import { applyPathFunction } from './path-functions.js';
import type { PathToken } from './path-parser.js';
import { quoteJson } from './quote.js';
import { StatesError } from './scope.js';

export type Selection =
  | { readonly found: true; readonly definite: boolean; readonly value: Json }
  /** `pastEnd`: the path ends in an array index that the array is too short for. */
  | { readonly found: false; readonly reason: string; readonly pastEnd: boolean };

export function isDefinite(tokens: readonly PathToken[]): boolean {
  if (invertsScan(tokens)) return true;
  return tokens.every((token, i) => isDefiniteToken(token, i === tokens.length - 1));
}

function isDefiniteToken(token: PathToken, isLeaf: boolean): boolean {
  switch (token.kind) {
    case 'property':
      return token.names.length === 1 || isLeaf;
    case 'index':
      return token.indexes.length === 1;
    case 'function':
      return true;
    default:
      return false;
  }
}

/** `$..price.sum()` means: sum over everything that `$..price` finds. */
function invertsScan(tokens: readonly PathToken[]): boolean {
  return tokens[0]?.kind === 'scan' && tokens.at(-1)?.kind === 'function';
}

export function evaluatePath(tokens: readonly PathToken[], start: Json, root: Json): Selection {
  const last = tokens.at(-1);
  const definite = isDefinite(tokens);
  try {
    if (last?.kind === 'function' && invertsScan(tokens)) {
      const found = gather(tokens.slice(0, -1), start, root);
      return hit(applyPathFunction(last.name, found, last.parameters, root), true);
    }
    const found = gather(tokens, start, root);
    if (!definite) return hit(found, false);
    const value = found.at(-1);
    if (value !== undefined) return hit(value, true);
    const text = tokens.map(tokenText).join('');
    return { found: false, reason: `No results for path: $${text}`, pastEnd: false };
  } catch (error) {
    if (!(error instanceof PathMiss)) throw error;
    // Recorded: `$.item.items[*]` finds nothing in `{}`, which is an empty array and no failure.
    if (!definite) return hit([], false);
    return { found: false, reason: error.reason, pastEnd: error.pastEnd };
  }
}

function hit(value: Json, definite: boolean): Selection {
  return { found: true, definite, value };
}

/** Leaves the evaluation of one path; never escapes this folder's path files. */
export class PathMiss extends Error {
  override readonly name = 'PathMiss';
  constructor(
    readonly reason: string,
    readonly pastEnd = false,
  ) {
    super(reason);
  }
}

interface Walk {
  readonly tokens: readonly PathToken[];
  readonly root: Json;
  readonly found: Json[];
}

function gather(tokens: readonly PathToken[], start: Json, root: Json): readonly Json[] {
  const walk: Walk = { tokens, root, found: [] };
  step(walk, 0, start, true);
  return walk.found;
}

/** Applies token `at` to `value`; `definite` says that every token before it was. */
function step(walk: Walk, at: number, value: Json, definite: boolean): void {
  const token = walk.tokens[at];
  if (token === undefined) {
    walk.found.push(value);
    return;
  }
  switch (token.kind) {
    case 'property':
      return stepProperties(walk, at, value, definite, token.names);
    case 'index':
      return stepIndexes(walk, at, value, definite, token.indexes);
    case 'slice':
      return stepSlice(walk, at, value, definite, token);
    case 'wildcard':
      for (const child of childrenOf(value)) step(walk, at + 1, child, false);
      return;
    case 'scan':
      return stepScan(walk, at, value);
    case 'filter':
      return stepFilter(walk, at, value, definite, token.test);
    case 'function':
      step(
        walk,
        at + 1,
        applyPathFunction(token.name, value, token.parameters, walk.root),
        definite,
      );
  }
}

function stepProperties(
  walk: Walk,
  at: number,
  value: Json,
  definite: boolean,
  names: readonly string[],
): void {
  if (!isObject(value)) {
    if (definite) throw new PathMiss(notAnObject(walk, at, value));
    return;
  }
  const isLeaf = at === walk.tokens.length - 1;
  if (names.length > 1 && isLeaf) {
    const entries = names.filter((name) => Object.hasOwn(value, name));
    walk.found.push(Object.fromEntries(entries.map((name) => [name, value[name] as Json])));
    return;
  }
  for (const name of names) {
    const child = getOwn(value, name);
    if (child !== undefined) step(walk, at + 1, child, definite && names.length === 1);
    else if (definite && names.length === 1 && !isLeaf) {
      throw new PathMiss(`Missing property in path ${pathText(walk, at + 1)}`);
    }
  }
}

function stepIndexes(
  walk: Walk,
  at: number,
  value: Json,
  definite: boolean,
  indexes: readonly number[],
): void {
  if (!isArray(value)) return refuseNonArray(walk, at, value, definite);
  const single = indexes.length === 1;
  for (const index of indexes) {
    const child = value[index < 0 ? value.length + index : index];
    if (child !== undefined) step(walk, at + 1, child, definite && single);
    else if (definite && single) throw pastEnd(walk, at);
    // AWS's JSON library answers null, not an error, for an element that is not there.
    else if (at === walk.tokens.length - 1) walk.found.push(null);
  }
}

/** Beyond the end is null to Jayway: fine as a leaf, not a thing to look into. */
function pastEnd(walk: Walk, at: number): PathMiss {
  const path = pathText(walk, at + 1);
  const next = walk.tokens[at + 1];
  if (next === undefined) return new PathMiss(`No results for path: ${path}`, true);
  if (next.kind !== 'property') return new PathMiss(`The path ${path} is null`);
  return new PathMiss(notAnObject(walk, at + 1, undefined));
}

function stepSlice(
  walk: Walk,
  at: number,
  value: Json,
  definite: boolean,
  { from, to }: { readonly from: number | null; readonly to: number | null },
): void {
  if (!isArray(value)) return refuseNonArray(walk, at, value, definite);
  const { length } = value;
  let start = from ?? 0;
  let end = to ?? length;
  // Jayway counts from the end in [-2:] and [:-1] only; [1:-1] selects nothing.
  if (to === null && start < 0) start = Math.max(0, length + start);
  if (from === null && end < 0) end = length + end;
  end = Math.min(length, end);
  for (let i = start; i < end; i += 1) {
    const child = value[i < 0 ? length + i : i];
    if (child !== undefined) step(walk, at + 1, child, false);
  }
}

function refuseNonArray(walk: Walk, at: number, value: Json, definite: boolean): void {
  if (!definite) return;
  const token = tokenText(walk.tokens[at] as PathToken);
  const context = quoteJson(value);
  throw new PathMiss(
    `Filter: ${token} can only be applied to arrays. Current context is: ${context}`,
  );
}

function stepFilter(
  walk: Walk,
  at: number,
  value: Json,
  definite: boolean,
  test: (item: Json, root: Json) => boolean,
): void {
  if (isArray(value)) {
    for (const item of value) if (test(item, walk.root)) step(walk, at + 1, item, false);
  } else if (isObject(value)) {
    if (test(value, walk.root)) step(walk, at + 1, value, false);
  } else if (definite) {
    throw new PathMiss(
      `Filter: [?] can not be applied to primitives. Current context is: ${quoteJson(value)}`,
    );
  }
}

/** `..`: the next token is tried on every container below, outer before inner, in order. */
function stepScan(walk: Walk, at: number, value: Json): void {
  if (exceedsDepth(value, MAX_NESTING)) {
    throw new StatesError('States.Runtime', 'The data is nested too deeply for a recursive path.');
  }
  const next = walk.tokens[at + 1] as PathToken;
  const visit = (node: Json): void => {
    if (typeof node !== 'object' || node === null) return;
    if (scanAccepts(next, node, walk.root)) {
      if (isArray(node) && at + 2 < walk.tokens.length) {
        // Jayway hands every element to the token after next, whatever the next one selects.
        for (const item of node) step(walk, at + 2, item, false);
      } else step(walk, at + 1, node, false);
    }
    for (const child of childrenOf(node)) visit(child);
  };
  visit(value);
}

function scanAccepts(token: PathToken, node: Json, root: Json): boolean {
  switch (token.kind) {
    case 'property':
      return (
        isObject(node) && (token.names.length > 1 || Object.hasOwn(node, token.names[0] as string))
      );
    case 'index':
    case 'slice':
      return isArray(node);
    case 'wildcard':
      return true;
    case 'filter':
      return token.test(node, root);
    default:
      return false;
  }
}

function childrenOf(value: Json): readonly Json[] {
  if (isArray(value)) return value;
  return isObject(value) ? Object.values(value) : [];
}

function notAnObject(walk: Walk, at: number, value: Json | undefined): string {
  const token = tokenText(walk.tokens[at] as PathToken);
  return (
    `Expected to find an object with property ${token} in path ${pathText(walk, at)} but found ` +
    `'${javaClass(value)}'. This is not a json object according to the JsonProvider: ` +
    "'com.jayway.jsonpath.spi.json.JacksonJsonNodeJsonProvider'."
  );
}

function javaClass(value: Json | undefined): string {
  if (value === undefined) return 'null';
  const node = (kind: string) => `com.fasterxml.jackson.databind.node.${kind}Node`;
  if (value === null) return node('Null');
  if (isArray(value)) return node('Array');
  if (typeof value === 'string') return node('Text');
  if (typeof value === 'boolean') return node('Boolean');
  if (!Number.isInteger(value)) return node('Double');
  return node(Math.abs(value as number) <= 0x7fffffff ? 'Int' : 'Long');
}

function pathText(walk: Walk, end: number): string {
  return `$${walk.tokens.slice(0, end).map(tokenText).join('')}`;
}

export function tokenText(token: PathToken): string {
  switch (token.kind) {
    case 'property':
      return `[${token.names.map((name) => `'${name}'`).join(',')}]`;
    case 'index':
      return `[${token.indexes.join(',')}]`;
    case 'slice':
      return `[${token.from ?? ''}:${token.to ?? ''}]`;
    case 'wildcard':
      return '[*]';
    case 'scan':
      return '..';
    case 'filter':
      return '[?]';
    case 'function':
      return `.${token.name}()`;
  }
}
