/**
 * AWS members as a person would like them: dates in ISO 8601, and JSON where AWS sends text that
 * holds JSON. What is inside such text is the user's and stays untouched.
 */
import { fromEntries, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import type { WireObject } from '../../wire/describe.js';

const DATES: ReadonlySet<string> = new Set([
  'creationDate',
  'redriveDate',
  'startDate',
  'stopDate',
  'timestamp',
  'updateDate',
]);
const JSON_TEXTS: ReadonlySet<string> = new Set(['definition', 'input', 'output', 'parameters']);

export function restful(answer: WireObject): JsonObject {
  // Members that are undefined are absent, as on the AWS wire.
  return members(JSON.parse(JSON.stringify(answer)) as JsonObject);
}

function members(object: JsonObject): JsonObject {
  return fromEntries(Object.entries(object).map(([name, value]) => [name, member(name, value)]));
}

function member(name: string, value: Json): Json {
  if (typeof value === 'number' && DATES.has(name)) return new Date(value * 1000).toISOString();
  if (typeof value === 'string' && JSON_TEXTS.has(name)) return parsed(value);
  if (name === 'assignedVariables' && isObject(value)) {
    return fromEntries(
      Object.entries(value).map(([key, text]) => [
        key,
        typeof text === 'string' ? parsed(text) : text,
      ]),
    );
  }
  if (isArray(value)) return value.map((item) => (isObject(item) ? members(item) : item));
  return isObject(value) ? members(value) : value;
}

/** A definition is shown as given when it is no JSON after all. */
function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
