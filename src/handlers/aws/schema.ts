/**
 * Between JSON and what the SDK takes and gives, guided by the service model that every client of the
 * SDK carries (`command.schema`, the static schema format of @smithy/core): AWS writes members with a
 * capital letter, JSON where the service wants text, text where it wants bytes, ISO 8601 for times.
 */
import { createHash } from 'node:crypto';
import { getOwn, isArray, isObject, type Json, type JsonObject, setOwn } from '../../lib/json.js';
import { capitalised } from './naming.js';

/** A schema, or a function that gives it, or a member: a schema with traits. */
export type SchemaRef = unknown;

/** What a value is, as far as its JSON form depends on it. */
type Kind =
  | 'text'
  | 'number'
  | 'boolean'
  | 'time'
  | 'document'
  | 'bytes'
  /** A body of its own, such as S3's. */
  | 'stream'
  | 'big'
  | { readonly list: SchemaRef }
  | { readonly map: SchemaRef }
  | { readonly members: ReadonlyMap<string, SchemaRef> };

const STRING = 0;
const NUMBER = 1;
const BOOLEAN = 2;
const DOCUMENT = 15;
const BIG_INTEGER = 17;
const BIG_DECIMAL = 19;
const BLOB = 21;
const STREAMING_BLOB = 42;
const LIST_BIT = 64;
const MAP_BIT = 128;
const IDEMPOTENCY_TOKEN_BIT = 4;

/** Input and output schema of an operation; null when the client carries no models. */
export function operationSchemas(
  schema: unknown,
): { readonly input: SchemaRef; readonly output: SchemaRef } | null {
  const operation = resolve(schema);
  if (!Array.isArray(operation) || Math.abs(operation[0] as number) !== 9) return null;
  return { input: operation[4], output: operation[5] };
}

function resolve(ref: SchemaRef): unknown {
  let schema = ref;
  for (let depth = 0; depth < 16; depth++) {
    if (typeof schema === 'function') schema = (schema as () => unknown)();
    else if (Array.isArray(schema) && schema.length === 2) schema = schema[0];
    // [0, namespace, name, traits, schema]: a named simple type.
    else if (Array.isArray(schema) && schema[0] === 0) schema = schema[4];
    else return schema;
  }
  return DOCUMENT;
}

function kindOf(ref: SchemaRef): Kind {
  const schema = resolve(ref);
  if (typeof schema === 'number') return simpleKind(schema);
  if (!Array.isArray(schema)) return 'document';
  switch (schema[0]) {
    case 1:
      return { list: schema[4] };
    case 2:
      return { map: schema[5] };
    case 3:
    case -3:
    case 4: {
      const names = schema[4] as readonly string[];
      const types = schema[5] as readonly SchemaRef[];
      return { members: new Map(names.map((name, index) => [name, types[index]])) };
    }
    default:
      return 'document';
  }
}

function simpleKind(code: number): Kind {
  if (code >= MAP_BIT) return { map: code & 63 };
  if (code >= LIST_BIT) return { list: code & 63 };
  switch (code) {
    case STRING:
      return 'text';
    case NUMBER:
      return 'number';
    case BOOLEAN:
      return 'boolean';
    case BLOB:
      return 'bytes';
    case STREAMING_BLOB:
      return 'stream';
    case BIG_INTEGER:
    case BIG_DECIMAL:
      return 'big';
    case DOCUMENT:
      return 'document';
    default:
      return code >= 4 && code <= 7 ? 'time' : 'document';
  }
}

/** A request member that the service does not have, or cannot take. */
export class ParameterProblem extends Error {}

/**
 * The SDK's input for the parameters of a task. A member that fills itself for idempotency gets a
 * value from `idempotencyKey`, so that a re-run repeats the same request.
 */
export function toSdk(parameters: Json, schema: SchemaRef, idempotencyKey: string): unknown {
  const kind = kindOf(schema);
  const input = inputValue(parameters, schema, '');
  if (
    typeof kind === 'object' &&
    'members' in kind &&
    typeof input === 'object' &&
    input !== null
  ) {
    for (const [name, member] of kind.members) {
      if (!isIdempotencyToken(member) || Object.hasOwn(input, name)) continue;
      const made = createHash('sha256').update(idempotencyKey).digest('hex').slice(0, 32);
      (input as Record<string, unknown>)[name] = made;
    }
  }
  return input;
}

function isIdempotencyToken(member: SchemaRef): boolean {
  if (!Array.isArray(member) || member.length !== 2) return false;
  const traits = member[1] as unknown;
  if (typeof traits === 'number') return (traits & IDEMPOTENCY_TOKEN_BIT) !== 0;
  return typeof traits === 'object' && traits !== null && 'idempotencyToken' in traits;
}

/** Members whose text is the base64 form of bytes; all others hold the bytes of the text. Not recorded. */
const BASE64_MEMBERS = /^(B|BS|CiphertextBlob|Signature|SecretBinary)$/;

function inputValue(value: Json, schema: SchemaRef, name: string): unknown {
  const kind = kindOf(schema);
  if (value === null) return null;
  if (typeof kind === 'object') return inputContainer(value, kind, name);
  switch (kind) {
    case 'text':
      return typeof value === 'string' ? value : JSON.stringify(value);
    case 'bytes':
      if (typeof value !== 'string') return Buffer.from(JSON.stringify(value));
      return Buffer.from(value, BASE64_MEMBERS.test(name) ? 'base64' : 'utf8');
    case 'stream':
      // Recorded: the text `a` is stored with its quotes.
      return Buffer.from(JSON.stringify(value));
    case 'number':
      return typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    case 'boolean':
      return value === 'true' ? true : value === 'false' ? false : value;
    case 'time':
      return inputTime(value);
    case 'big':
    case 'document':
      return value;
  }
}

function inputTime(value: Json): unknown {
  if (typeof value === 'number') return new Date(value * 1000);
  const date = typeof value === 'string' ? new Date(value) : null;
  if (date === null || Number.isNaN(date.getTime())) {
    throw new ParameterProblem(`${JSON.stringify(value)} is not a timestamp`);
  }
  return date;
}

function inputContainer(value: Json, kind: Exclude<Kind, string>, name: string): unknown {
  if ('list' in kind) {
    if (!isArray(value)) return value;
    return value.map((item) => inputValue(item, kind.list, name));
  }
  if (!isObject(value)) return value;
  if ('map' in kind) {
    const made: Record<string, unknown> = {};
    for (const key of Object.keys(value)) {
      setOwn(made as never, key, inputValue(getOwn(value, key) as Json, kind.map, key) as never);
    }
    return made;
  }
  const made: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const member = findMember(kind.members, key);
    if (member === null) {
      throw new ParameterProblem(
        `The field ${JSON.stringify(key)} is not supported by Step Functions`,
      );
    }
    made[member] = inputValue(getOwn(value, key) as Json, kind.members.get(member), member);
  }
  return made;
}

/** AWS writes `StateMachineArn` for the model's `stateMachineArn`, `SseAlgorithm` for `SSEAlgorithm`. */
function findMember(members: ReadonlyMap<string, SchemaRef>, key: string): string | null {
  if (members.has(key)) return key;
  const wanted = key.toLowerCase();
  for (const name of members.keys()) if (name.toLowerCase() === wanted) return name;
  return null;
}

export interface OutputForm {
  /** Instants as ISO 8601 (aws-sdk integrations) or epoch milliseconds (optimised ones). */
  readonly time: 'iso' | 'epoch-ms';
}

/** The result of a task for what the SDK gave; streams have been read before. */
export function fromSdk(value: unknown, schema: SchemaRef, form: OutputForm, name = ''): Json {
  const kind = kindOf(schema);
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return outputTime(value, form);
  if (value instanceof Uint8Array) return outputBytes(value, name);
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'object') return value as Json;
  if (typeof kind !== 'object') return outputUnknown(value, form);
  if ('list' in kind) {
    return Array.isArray(value) ? value.map((item) => fromSdk(item, kind.list, form, name)) : null;
  }
  const made: Record<string, Json> = {};
  if ('map' in kind) {
    for (const [key, item] of Object.entries(value)) {
      if (item !== undefined) setOwn(made, key, fromSdk(item, kind.map, form));
    }
    return made;
  }
  return outputMembers(value, kind.members, form);
}

/** Members in alphabetical order, a body last: the order of every recorded answer. */
function outputMembers(
  value: object,
  members: ReadonlyMap<string, SchemaRef>,
  form: OutputForm,
): JsonObject {
  const made: Record<string, Json> = {};
  const present = [...members.keys()].filter((name) => memberOf(value, name) !== undefined);
  const last = (name: string): number => (isStream(members.get(name)) ? 1 : 0);
  present.sort((a, b) => last(a) - last(b) || (capitalised(a) < capitalised(b) ? -1 : 1));
  for (const name of present) {
    made[capitalised(name)] = fromSdk(memberOf(value, name), members.get(name), form, name);
  }
  return made;
}

function memberOf(value: object, name: string): unknown {
  return Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}

function isStream(schema: SchemaRef): boolean {
  return resolve(schema) === STREAMING_BLOB;
}

/** Without a model, and for a free document: members keep their names. */
function outputUnknown(value: object, form: OutputForm): Json {
  if (Array.isArray(value)) return value.map((item) => fromSdk(item, DOCUMENT, form));
  const made: Record<string, Json> = {};
  for (const [key, item] of Object.entries(value)) {
    if (item !== undefined && typeof item !== 'function' && key !== '$metadata') {
      setOwn(made, key, fromSdk(item, DOCUMENT, form));
    }
  }
  return made;
}

/** As Java prints an Instant: the fraction only when there is one. */
function outputTime(value: Date, form: OutputForm): Json {
  if (form.time === 'epoch-ms') return value.getTime();
  return value.toISOString().replace('.000Z', 'Z');
}

/** Text where the bytes are text, else base64. */
function outputBytes(value: Uint8Array, name: string): string {
  if (BASE64_MEMBERS.test(name)) return Buffer.from(value).toString('base64');
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value);
  } catch {
    return Buffer.from(value).toString('base64');
  }
}
