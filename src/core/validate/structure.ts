/**
 * Shape of one object: our JSON Schemas run by ajv, their errors turned into AWS's wording.
 * Nothing but shape is judged here; ajv is used nowhere else in the product's core.
 */
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { isArray, type Json, type JsonObject } from '../../lib/json.js';
import { type Diagnostic, schemaError } from '../diagnostic.js';
import { unreadable, unresolved } from './substitution.js';
import { MACHINE_SCHEMA, STATE_SCHEMAS, type StateType } from './schemas/index.js';
import { shown } from './site.js';

/** Shape errors of the machine's own fields. */
export function checkMachineShape(machine: Json, strict: boolean): readonly Diagnostic[] {
  return run('Machine', machine, '', strict);
}

/** Shape errors of a state, its branches and its item processor, but not of the states in them. */
export function checkStateShape(type: StateType, site: Site, strict: boolean) {
  return run(type, site.state, site.at, strict);
}

interface Site {
  readonly state: JsonObject;
  readonly at: string;
}

type SchemaName = StateType | 'Machine';

const compiled = new Map<SchemaName, ValidateFunction>();
const ajv = new Ajv2020({
  allErrors: true,
  verbose: true,
  ownProperties: true,
  allowUnionTypes: true,
  strictRequired: false,
  strictTypes: false,
});
ajv.addKeyword('x-message');

/** Compiled at first use: a process that validates nothing pays nothing. */
function validator(name: SchemaName): ValidateFunction {
  const known = compiled.get(name);
  if (known !== undefined) return known;
  const schema = name === 'Machine' ? MACHINE_SCHEMA : STATE_SCHEMAS[name];
  const validate = ajv.compile(withoutStates(schema) as object);
  compiled.set(name, validate);
  return validate;
}

/** States are visited one by one elsewhere: one clear message instead of ajv's from eight types. */
function withoutStates(schema: Json): Json {
  if (isArray(schema)) return schema.map(withoutStates);
  if (typeof schema !== 'object' || schema === null) return schema;
  const entries = Object.entries(schema as JsonObject);
  if (entries.length === 1 && entries[0]?.[1] === 'state.json') return {};
  return Object.fromEntries(entries.map(([key, value]) => [key, withoutStates(value)]));
}

function run(name: SchemaName, value: Json, at: string, strict: boolean): readonly Diagnostic[] {
  const validate = validator(name);
  if (validate(value)) return [];
  return describe(validate.errors ?? [], value, at).map(({ diagnostic, data, isNumber }) => {
    if (strict) return diagnostic;
    return isNumber ? unresolved(diagnostic, data) : unreadable(diagnostic, data);
  });
}

interface Found {
  readonly diagnostic: Diagnostic;
  /** The value found wanting. */
  readonly data: unknown;
  /** A number was expected: without it a machine can be read, and run until the state needs it. */
  readonly isNumber: boolean;
}

function describe(errors: readonly ErrorObject[], root: Json, at: string): readonly Found[] {
  const whole = errors.filter((one) => one.keyword === 'anyOf' || one.keyword === 'not');
  const inside = (one: ErrorObject) =>
    whole.some(
      (other) =>
        other !== one &&
        one.instancePath.startsWith(other.instancePath) &&
        one.schemaPath.startsWith(`${other.schemaPath}/`),
    );
  const found: Found[] = [];
  const missing = new Map<string, string[]>();
  for (const one of errors) {
    if (one.keyword === 'if' || inside(one)) continue;
    const location = locate(one.instancePath, root, at);
    if (one.keyword === 'required') {
      const fields = missing.get(location) ?? [];
      missing.set(location, [...fields, String(one.params.missingProperty)]);
    } else {
      const diagnostic = schemaError(wording(one), shown(location));
      found.push({ diagnostic, data: one.data, isNumber: isNumeric(one) });
    }
  }
  for (const [location, fields] of missing) {
    const message = `These fields are required: [${fields.join(', ')}]`;
    const diagnostic = schemaError(message, shown(location));
    found.push({ diagnostic, data: undefined, isNumber: false });
  }
  return found;
}

function isNumeric(one: ErrorObject): boolean {
  const { type } = one.parentSchema as JsonObject;
  const types = isArray(type as Json) ? (type as readonly Json[]) : [type];
  return types.includes('integer') || types.includes('number');
}

function wording(one: ErrorObject): string {
  const parent = one.parentSchema as JsonObject;
  const own = parent['x-message'];
  switch (one.keyword) {
    case 'additionalProperties':
      return `Field '${one.params.additionalProperty}' is not supported`;
    case 'type':
      return expectedType(parent.type as Json);
    case 'enum':
      return `Value should be one of the following: [${one.params.allowedValues.join(', ')}]`;
    case 'minimum':
      return `Minimum value is ${bound(parent, one.params.limit)}`;
    case 'maximum':
      return `Maximum value is ${bound(parent, one.params.limit)}`;
    case 'minItems':
    case 'minLength':
    case 'minProperties':
      return 'Value cannot be empty';
    default:
      return typeof own === 'string' ? own : expectedType(parent.type as Json);
  }
}

/** Recorded: `Expected value of type Integer`. The other names follow the same Java style. */
function expectedType(type: Json): string {
  const first = String(isArray(type) ? type[0] : type);
  return `Expected value of type ${first.charAt(0).toUpperCase()}${first.slice(1)}`;
}

/** Recorded: percentages, which are doubles, print as `0.0` and `100.0`. */
function bound(parent: JsonObject, limit: number): string {
  const types = isArray(parent.type as Json) ? (parent.type as readonly Json[]) : [parent.type];
  return types.includes('number') ? limit.toFixed(1) : String(limit);
}

/** A JSON pointer of ajv to an AWS location: array indexes in brackets, names as written. */
function locate(pointer: string, root: Json, at: string): string {
  let location = at;
  let value: Json | undefined = root;
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    location += isArray(value) ? `[${key}]` : `/${key}`;
    value = (value as JsonObject | undefined)?.[key];
  }
  return location;
}
