/**
 * JSON Schema checks (our own schemas only: compiling one runs generated code) with messages for
 * people: where (JSON pointer), what was wrong, and the mend.
 */
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import formats from 'ajv-formats';
import { isObject, type Json, type JsonObject } from '../lib/json.js';
import { didYouMean } from '../lib/suggest.js';

export type Check = (value: Json) => Problem | null;

export interface Problem {
  /** JSON pointer of the offending value; empty for the whole. */
  readonly pointer: string;
  /** One sentence: what is wrong and how to mend it. */
  readonly sentence: string;
}

const ajv = new Ajv({ allErrors: true, strict: false, verbose: true, addUsedSchema: false });
formats.default(ajv);

/** Compiles `schema` at its first use; the check returns the first problem in words, or null. */
export function compileCheck(schema: JsonObject): Check {
  let validate: ValidateFunction | null = null;
  return (value) => {
    validate ??= ajv.compile(schema);
    if (validate(value)) return null;
    const error = mostTelling(validate.errors ?? []);
    return error === null ? { pointer: '', sentence: 'The value is invalid.' } : describe(error);
  };
}

/** The deepest error says most; the `oneOf` around it says least. */
function mostTelling(errors: readonly ErrorObject[]): ErrorObject | null {
  const rank = (error: ErrorObject): number =>
    error.instancePath.split('/').length * 10 -
    (/^(oneOf|anyOf|if|allOf)$/.test(error.keyword) ? 5 : 0) +
    (error.keyword === 'additionalProperties' ? 1 : 0);
  return [...errors].sort((a, b) => rank(b) - rank(a))[0] ?? null;
}

function describe(error: ErrorObject): Problem {
  const { instancePath, keyword, params, message = 'is invalid' } = error;
  const pointer = instancePath;
  const place = pointer === '' ? 'The value' : `The value at ${pointer}`;
  switch (keyword) {
    case 'additionalProperties':
      return unknownKey(error);
    case 'required':
      return {
        pointer: `${pointer}/${escapePointer(String(params.missingProperty))}`,
        sentence: `"${params.missingProperty}" is missing${pointer === '' ? '' : ` at ${pointer}`}.`,
      };
    case 'enum': {
      const allowed = (params.allowedValues as unknown[]).map((item) => JSON.stringify(item));
      const hint = didYouMean(String(error.data), (params.allowedValues as unknown[]).map(String));
      return {
        pointer,
        sentence: `${place} is ${show(error.data)}; it must be one of ${allowed.join(', ')}.${hint}`,
      };
    }
    case 'type': {
      const wanted = [params.type].flat().join(' or ');
      return { pointer, sentence: `${place} is ${show(error.data)}; it must be ${wanted}.` };
    }
    default:
      return { pointer, sentence: `${place} (${show(error.data)}) ${message}.` };
  }
}

function unknownKey(error: ErrorObject): Problem {
  const key = String(error.params.additionalProperty);
  const parent = error.parentSchema as JsonObject | undefined;
  const properties = parent?.properties;
  const known = isObject(properties) ? Object.keys(properties) : [];
  const place = error.instancePath === '' ? '' : ` at ${error.instancePath}`;
  const list = known.length === 0 ? '' : ` Known keys: ${known.join(', ')}.`;
  return {
    pointer: `${error.instancePath}/${escapePointer(key)}`,
    sentence: `"${key}"${place} is not a known key.${didYouMean(key, known)}${list}`,
  };
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

export function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}
