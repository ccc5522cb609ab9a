/**
 * From a request body to an operation's typed input, or to the error AWS answers with. First the
 * types (SerializationException, the first one found), then all constraints together
 * ("2 validation errors detected: …; …"). Unknown members are ignored, null ones are absent.
 */
import { fromEntries, getOwn, isArray, isObject, type Json, type JsonObject } from '../lib/json.js';
import { ApiError, unserializable } from './errors.js';
import { type Input, OPERATIONS, type Operation } from './operations.js';
import type { ListShape, NumberShape, Shape, StringShape, StructureShape } from './shapes.js';

/** AWS words for at most this many broken constraints; ours, so that an error stays readable. */
const MAX_PROBLEMS = 10;
const MAX_INTEGER = 2 ** 31 - 1;

export function readInput<O extends Operation>(
  operation: O,
  body: JsonObject,
  /** Longest payload that is taken, where that is more than AWS takes. */
  payloadBytes = 0,
): Input<O> {
  const shape = lifted(OPERATIONS[operation], payloadBytes) as StructureShape;
  const value = convert(shape, body) as JsonObject;
  const problems = constraintProblems(shape, value, '');
  if (problems.length === 0) return value as Input<O>;
  const noun = problems.length === 1 ? 'error' : 'errors';
  const shown = problems.slice(0, MAX_PROBLEMS).join('; ');
  throw new ApiError(
    'ValidationException',
    `${problems.length} validation ${noun} detected: ${shown}`,
  );
}

/** The same shape with longer payloads. */
function lifted(shape: Shape, payloadBytes: number): Shape {
  if (payloadBytes === 0) return shape;
  if (shape.type === 'string') {
    return shape.payload ? { ...shape, max: Math.max(shape.max ?? 0, payloadBytes) } : shape;
  }
  if (shape.type !== 'structure') return shape;
  const members = Object.entries(shape.members).map(
    ([name, member]) => [name, lifted(member, payloadBytes)] as const,
  );
  return { ...shape, members: Object.fromEntries(members) };
}

/** The value with known members only; refuses values of another type. */
function convert(shape: Shape, value: Json): Json {
  switch (shape.type) {
    case 'string':
      if (typeof value !== 'string') refuse(value, 'a String');
      return value;
    case 'boolean':
      if (typeof value !== 'boolean') refuse(value, 'a Boolean');
      return value;
    case 'integer':
      // 32 bits at AWS; 1e999 is Infinity here and would be null in the store.
      if (typeof value !== 'number' || Math.abs(value) > MAX_INTEGER) refuse(value, 'an Integer');
      return Math.trunc(value);
    case 'float':
      if (typeof value !== 'number') refuse(value, 'a Float');
      return value;
    case 'list':
      if (!isArray(value)) throw unserializable('Expected list or null');
      return value.map((item) => (item === null ? null : convert(shape.of, item)));
    case 'structure':
      if (!isObject(value)) throw unserializable('Expected structure or null');
      return convertMembers(shape, value);
  }
}

function convertMembers(shape: StructureShape, value: JsonObject): JsonObject {
  const members: [string, Json][] = [];
  for (const [name, member] of Object.entries(shape.members)) {
    const given = getOwn(value, name);
    if (given !== undefined && given !== null) members.push([name, convert(member, given)]);
  }
  return fromEntries(members);
}

function refuse(value: Json, wanted: string): never {
  if (isArray(value)) throw unserializable('Start of list found where not expected');
  if (isObject(value)) {
    throw unserializable('Start of structure or map found where not expected.');
  }
  throw unserializable(`${token(value)} can not be converted to ${wanted}`);
}

/** Jackson's name of a scalar token, which Coral shows. */
function token(value: Json): string {
  if (typeof value === 'string') return 'STRING_VALUE';
  if (typeof value === 'boolean') return value ? 'TRUE_VALUE' : 'FALSE_VALUE';
  return Number.isInteger(value) ? 'NUMBER_VALUE' : 'DECIMAL_VALUE';
}

function constraintProblems(shape: Shape, value: Json, path: string): readonly string[] {
  switch (shape.type) {
    case 'string':
      return stringProblems(shape, value as string, path);
    case 'integer':
    case 'float':
      return numberProblems(shape, value as number, path);
    case 'boolean':
      return [];
    case 'list':
      return listProblems(shape, value as readonly Json[], path);
    case 'structure':
      return memberProblems(shape, value as JsonObject, path);
  }
}

function memberProblems(shape: StructureShape, value: JsonObject, path: string): string[] {
  const problems: string[] = [];
  for (const [name, member] of Object.entries(shape.members)) {
    const at = path === '' ? name : `${path}.${name}`;
    const given = getOwn(value, name);
    if (given !== undefined) problems.push(...constraintProblems(member, given, at));
    else if (shape.required.includes(name)) problems.push(missing(at));
  }
  return problems;
}

function missing(path: string): string {
  return `Value null at '${path}' failed to satisfy constraint: Member must not be null`;
}

function listProblems(shape: ListShape, list: readonly Json[], path: string): string[] {
  const problems = lengthProblems(shape, list.length, path, print(shape, list));
  for (const [index, item] of list.entries()) {
    const at = `${path}.${index + 1}.member`;
    // Lists of this service are not sparse; a null in one is no absent member.
    if (item === null) problems.push(missing(at));
    else problems.push(...constraintProblems(shape.of, item, at));
  }
  return problems;
}

function stringProblems(shape: StringShape, text: string, path: string): string[] {
  const shown = shape.sensitive ? null : text;
  if (shape.enum !== undefined && !shape.enum.includes(text)) {
    const set = `[${shape.enum.join(', ')}]`;
    return [problem(shown, path, `satisfy enum value set: ${set}`)];
  }
  const problems = lengthProblems(shape, text.length, path, shown);
  if (shape.pattern !== undefined && !matches(shape.pattern, text)) {
    problems.push(problem(shown, path, `satisfy regular expression pattern: ${shape.pattern}`));
  }
  return problems;
}

function lengthProblems(
  bounds: { readonly min?: number; readonly max?: number },
  length: number,
  path: string,
  shown: string | null,
): string[] {
  if (length < (bounds.min ?? 0)) {
    return [problem(shown, path, `have length greater than or equal to ${bounds.min}`)];
  }
  if (length > (bounds.max ?? Number.POSITIVE_INFINITY)) {
    return [problem(shown, path, `have length less than or equal to ${bounds.max}`)];
  }
  return [];
}

function numberProblems(shape: NumberShape, value: number, path: string): string[] {
  if (value < (shape.min ?? Number.NEGATIVE_INFINITY)) {
    return [problem(`${value}`, path, `have value greater than or equal to ${shape.min}`)];
  }
  if (value > (shape.max ?? Number.POSITIVE_INFINITY)) {
    return [problem(`${value}`, path, `have value less than or equal to ${shape.max}`)];
  }
  return [];
}

/** `shown` null: a sensitive value, which AWS leaves out. */
function problem(shown: string | null, path: string, constraint: string): string {
  const value = shown === null ? 'Value' : `Value '${shown}'`;
  return `${value} at '${path}' failed to satisfy constraint: Member must ${constraint}`;
}

const PATTERNS = new Map<string, RegExp>();

/** Java's `matches`: the whole text. Patterns come from the table above only. */
function matches(pattern: string, text: string): boolean {
  let compiled = PATTERNS.get(pattern);
  if (compiled === undefined) {
    const source = pattern.replaceAll('\\p{ASCII}', '[\\x00-\\x7f]');
    compiled = new RegExp(`^(?:${source})$`, 's');
    PATTERNS.set(pattern, compiled);
  }
  return compiled.test(text);
}

/** As Java prints it: `[Name(member=value, …), …]`. */
function print(shape: Shape, value: Json): string {
  if (isArray(value)) {
    const of = shape.type === 'list' ? shape.of : shape;
    return `[${value.map((item) => print(of, item)).join(', ')}]`;
  }
  if (shape.type === 'structure' && isObject(value)) {
    const members = Object.keys(shape.members).map(
      (name) => `${name}=${print(shape.members[name] as Shape, getOwn(value, name) ?? null)}`,
    );
    return `${shape.name}(${members.join(', ')})`;
  }
  return String(value);
}
