/**
 * Great Expectations suites as data: 1.x `{name, expectations: [{type, kwargs, meta}]}` and the older
 * `{expectation_suite_name, expectations: [{expectation_type, kwargs}]}`. A slip is told at once, by its
 * place and the nearest known name; nothing unknown is skipped.
 */
import {
  fromEntries,
  getOwn,
  isArray,
  isObject,
  type Json,
  type JsonObject,
} from '../../lib/json.js';
import { DataFailure } from '../data/data-failure.js';
import { didYouMeanInside } from '../../lib/suggest.js';

export interface Expectation {
  readonly type: string;
  readonly kwargs: JsonObject;
  readonly meta: JsonObject;
  /** As written, in the 1.x spelling: what a result repeats. */
  readonly config: JsonObject;
}

export interface Suite {
  readonly name: string;
  readonly expectations: readonly Expectation[];
  readonly meta: JsonObject;
}

/** Known expectation -> its own kwargs; `true` marks a required one. */
export type KnownKwargs = ReadonlyMap<string, { readonly [kwarg: string]: boolean }>;

/** Kwargs every expectation takes in GX. Those that would change a result are refused in `catalogue`. */
const COMMON = [
  'batch_id',
  'meta',
  'notes',
  'result_format',
  'catch_exceptions',
  'include_config',
  'row_condition',
  'condition_parser',
  'severity',
  'description',
  'windows',
];

export const badSuite = (reason: string) => new DataFailure('DataQuality.BadSuite', reason);

export function parseSuite(
  value: Json,
  known: KnownKwargs,
  suiteParameters: JsonObject = {},
): Suite {
  if (!isObject(value)) throw badSuite('the suite is no JSON object {name, expectations}.');
  const list = getOwn(value, 'expectations');
  if (!isArray(list)) throw badSuite('the suite has no array "expectations".');
  const name = getOwn(value, 'name') ?? getOwn(value, 'expectation_suite_name') ?? 'unnamed';
  const meta = getOwn(value, 'meta');
  return {
    name: String(name),
    meta: isObject(meta) ? meta : {},
    expectations: list.map((item, index) =>
      parseExpectation(item, `expectations[${index}]`, known, suiteParameters),
    ),
  };
}

function parseExpectation(
  value: Json,
  place: string,
  known: KnownKwargs,
  suiteParameters: JsonObject,
): Expectation {
  if (!isObject(value)) throw badSuite(`${place} is no object {type, kwargs}.`);
  const type = getOwn(value, 'type') ?? getOwn(value, 'expectation_type');
  if (typeof type !== 'string') throw badSuite(`${place} has no "type".`);
  const own = known.get(type);
  if (own === undefined) {
    throw badSuite(
      `${place}: unknown expectation "${type}"${didYouMeanInside(type, [...known.keys()])}. ` +
        `Known: ${[...known.keys()].sort().join(', ')}.`,
    );
  }
  const given = getOwn(value, 'kwargs') ?? {};
  if (!isObject(given)) throw badSuite(`${place} (${type}): kwargs is no object.`);
  checkKwargs(given, own, `${place} (${type})`);
  const kwargs = substitute(given, suiteParameters, `${place} (${type})`) as JsonObject;
  const meta = getOwn(value, 'meta');
  const kept = ['id', 'severity', 'notes', 'description'].filter((key) =>
    Object.hasOwn(value, key),
  );
  return {
    type,
    kwargs,
    meta: isObject(meta) ? meta : {},
    config: fromEntries([
      ['type', type],
      ['kwargs', kwargs],
      ['meta', isObject(meta) ? meta : {}],
      ...kept.map((key): [string, Json] => [key, value[key] as Json]),
    ]),
  };
}

function checkKwargs(
  given: JsonObject,
  own: { readonly [kwarg: string]: boolean },
  place: string,
): void {
  const names = Object.keys(own);
  for (const name of Object.keys(given)) {
    if (names.includes(name) || COMMON.includes(name)) continue;
    throw badSuite(
      `${place}: unknown kwarg "${name}"${didYouMeanInside(name, names)}. It takes: ${names.join(', ')}.`,
    );
  }
  const missing = names.find((name) => own[name] === true && !Object.hasOwn(given, name));
  if (missing !== undefined) throw badSuite(`${place}: the kwarg "${missing}" is missing.`);
}

/** `{"$PARAMETER": "name"}` stands for a value given with the run. */
function substitute(value: Json, parameters: JsonObject, place: string): Json {
  if (isArray(value)) return value.map((item) => substitute(item, parameters, place));
  if (!isObject(value)) return value;
  const name = getOwn(value, '$PARAMETER');
  if (typeof name === 'string') {
    const found = getOwn(parameters, name);
    if (found !== undefined) return found;
    throw badSuite(
      `${place}: suiteParameters has no "${name}"${didYouMeanInside(name, Object.keys(parameters))}.`,
    );
  }
  return fromEntries(
    Object.entries(value).map(([key, item]) => [key, substitute(item, parameters, place)] as const),
  );
}
