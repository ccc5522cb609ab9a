/** A state that failed over its data: what it reads, and values that might do instead. */
import { getOwn, isArray, isObject, type Json } from '../../lib/json.js';
import { numberFor, textFor } from '../mocks/plausible.js';
import type { Candidate } from './candidate.js';
import { edited } from './edits.js';
import { readAt } from './location.js';
import {
  itemOf,
  itemsOrigin,
  type Origin,
  originOfEffective,
  originOfInput,
  originOfResult,
  originOfVariable,
} from './origins.js';
import { jsonataPaths, stepsOf } from './path-texts.js';
import { effectiveInput } from './slots.js';
import type { Sighting } from './sightings.js';

export interface Read {
  /** As it stands in the definition. */
  readonly text: string;
  readonly field: string;
  readonly origin: Origin;
  readonly value: Json | undefined;
  /** Name of the last member, for a plausible value. */
  readonly name: string;
  /** The intrinsic function that it is an argument of. */
  readonly argumentOf: string | null;
}

const OF_RESULT = ['ResultSelector', 'Assign', 'Output'];
const NOT_READ = ['Branches', 'ItemProcessor', 'Iterator', 'Retry', 'Catch', 'Choices', 'Comment'];
/** Our reason: a template with more references is repaired by its first ones or not at all. */
const MAX_READS = 60;

/** Everything that the fields of a state read, with where it comes from and what it is now. */
export function readsOf(sighting: Sighting): readonly Read[] {
  const { definition, flow } = sighting.state;
  const found: Read[] = [];
  for (const [field, value] of Object.entries(definition) as [string, Json][]) {
    if (NOT_READ.includes(field) || field === 'ResultPath') continue;
    const texts = flow.language === 'JSONata' ? expressionsOf(value) : pathsOf(field, value);
    for (const text of texts) {
      if (found.length >= MAX_READS) return found;
      found.push(...readOf(text, field, sighting));
    }
  }
  if (sighting.state.kind === 'Map' && found.length === 0) {
    const value = effectiveInput(sighting);
    found.push({
      text: '$',
      field: 'Items',
      origin: itemsOrigin(sighting, []),
      value,
      name: 'items',
      argumentOf: null,
    });
  }
  return found;
}

function expressionsOf(value: Json): readonly string[] {
  if (typeof value === 'string') return value.startsWith('{%') ? [value] : [];
  if (isArray(value)) return value.flatMap(expressionsOf);
  return isObject(value) ? Object.values(value).flatMap((one) => expressionsOf(one as Json)) : [];
}

function pathsOf(field: string, value: Json): readonly string[] {
  if (typeof value === 'string') {
    if (/Path$/.test(field) && value.startsWith('$')) return [value];
    if (!field.endsWith('.$') && !/Path$/.test(field)) return [];
    return [...value.matchAll(/\$\$?(?:[\w.-]|\[[^\]]*\])*/g)].map(([path]) => path);
  }
  if (isArray(value)) return value.flatMap((one) => pathsOf('', one));
  if (!isObject(value)) return [];
  return (Object.entries(value) as [string, Json][]).flatMap(([key, one]) =>
    key.endsWith('.$') || !/Path$/.test(key) ? pathsOf(key, one) : [],
  );
}

function readOf(text: string, field: string, sighting: Sighting): readonly Read[] {
  if (sighting.state.flow.language === 'JSONata') {
    return jsonataPaths(text).flatMap(({ argumentOf, location, root }) =>
      readFrom(root === 'input' ? '$' : root, location, text, field, sighting).map((read) => ({
        ...read,
        argumentOf,
      })),
    );
  }
  const steps = stepsOf(text);
  if (steps === undefined) return [];
  const { definition, kind } = sighting.state;
  if (field === 'OutputPath') {
    // It reads what the state passes on; where that is the bare result, it can be followed.
    const isBare = kind === 'Task' && getOwn(definition, 'ResultPath') === undefined;
    const isPlain = isBare && getOwn(definition, 'ResultSelector') === undefined;
    return isPlain && steps.root === '$'
      ? readFrom('result', steps.location, text, field, sighting)
      : [];
  }
  const ofResult = OF_RESULT.includes(field) && steps.root === '$' && field !== 'Output';
  return readFrom(ofResult ? 'result' : steps.root, steps.location, text, field, sighting);
}

function readFrom(
  root: string,
  location: readonly (string | number)[],
  text: string,
  field: string,
  sighting: Sighting,
): readonly Read[] {
  const name = String(location.findLast((step) => typeof step === 'string') ?? field);
  const read = (origin: Origin, value: Json | undefined): readonly Read[] => [
    { text, field, origin, value, name, argumentOf: functionAround(text, sighting) },
  ];
  switch (root) {
    case '$':
      if (field === 'InputPath') {
        return read(originOfInput(sighting, location), readAt(sighting.input, location));
      }
      return read(
        originOfEffective(sighting, location),
        readAt(effectiveInput(sighting), location),
      );
    case 'result': {
      const answer = sighting.calls.at(-1)?.answer;
      const value = answer !== undefined && 'return' in answer ? answer.return : undefined;
      return read(originOfResult(sighting, location), readAt(value, location));
    }
    case '$$':
    case 'context':
      if (location.slice(0, 3).join('.') === 'Map.Item.Value' && sighting.state.kind === 'Map') {
        const rest = location.slice(3);
        return read(itemOf(sighting, 0)(rest), readAt(sighting.items?.[0], rest));
      }
      return location[0] === 'Execution' && location[1] === 'Input'
        ? read({ from: 'input', location: location.slice(2) }, readAt(sighting.context, location))
        : [];
    case 'errorOutput':
      return [];
    default: {
      const variable = root.slice(1);
      const value = readAt(getOwn(sighting.variables, variable), location);
      return read(originOfVariable(sighting, variable, location), value);
    }
  }
}

/** `States.JsonMerge` for `$.a` where a field has `States.JsonMerge($.a, $.b, false)`. */
function functionAround(path: string, { state }: Sighting): string | null {
  if (state.flow.language === 'JSONata') return null;
  const text = JSON.stringify(state.definition);
  const at = text.search(new RegExp(`${path.replaceAll(/[^\w]/g, '\\$&')}(?![\\w.[])`));
  return /(States\.\w+)\((?:[^()]*,)?\s*$/.exec(text.slice(0, Math.max(0, at)))?.[1] ?? null;
}

/** What such a function takes; undefined: anything. */
function argumentFor(name: string | null): Json | undefined {
  switch (name) {
    case 'States.JsonMerge':
    case 'States.JsonToString':
      return {};
    case 'States.StringToJson':
      return '{}';
    case 'States.MathAdd':
    case 'States.MathRandom':
      return 1;
    case 'States.StringSplit':
    case 'States.Base64Encode':
    case 'States.Hash':
    case 'States.Format':
      return 'text';
    case '$number':
      return '1';
    case '$parse':
      return '{}';
    case '$each':
    case '$keys':
    case '$merge':
      return { text: 'text' };
    case '$count':
    case '$map':
    case '$filter':
      return [{}];
    case '$sum':
    case '$max':
    case '$min':
      return [1];
    case '$toMillis':
      return '2026-01-01T00:00:00Z';
    default:
      return name?.startsWith('States.Array') === true ? [{}] : undefined;
  }
}

function isOfType(value: Json | undefined, like: Json): boolean {
  // A text has to be of a form here, and what the form is of this one nobody knows.
  if (typeof like === 'string' && like !== 'text') return false;
  return value !== undefined && typeof value === typeof like && isArray(value) === isArray(like);
}

const KINDS: readonly ((name: string) => Json)[] = [
  textFor,
  numberFor,
  () => [{}],
  () => ({}),
  () => '{}',
  () => '1',
  () => true,
  () => '2026-01-01T00:00:00Z',
  () => '[{}]',
  () => ({ text: 'text' }),
  () => [],
  () => ['text'],
  () => [1],
  () => 'a,b',
  () => 'a/b/c/d',
];

/** First what is missing, all at once; then every reading with values of every kind. */
export function repairs(candidate: Candidate, sighting: Sighting): readonly Candidate[] {
  const all = readsOf(sighting);
  // What is read whole and in part is made by its parts.
  const reads = all.filter(
    ({ text }) =>
      !all.some(
        (other) => /^[.[]/.test(other.text.slice(text.length)) && other.text.startsWith(text),
      ),
  );
  const missing = reads.filter(({ value }) => value === undefined);
  const found: Candidate[] = [];
  const untyped = reads.flatMap(({ argumentOf, name, origin, value }) => {
    const like = argumentFor(argumentOf);
    if (like === undefined) return value === undefined ? [{ origin, like: textFor(name) }] : [];
    return isOfType(value, like) ? [] : [{ origin, like }];
  });
  if (untyped.length > 0) {
    const typed = untyped.reduce(
      (made, { like, origin }) => edited(made, origin, like, true)[0] ?? made,
      candidate,
    );
    found.push(typed);
  }
  for (const kind of KINDS) {
    if (missing.length === 0) break;
    found.push(
      missing.reduce(
        (made, { name, origin }) => edited(made, origin, kind(name), true)[0] ?? made,
        candidate,
      ),
    );
  }
  for (const { name, origin } of [
    ...missing,
    ...reads.filter(({ value }) => value !== undefined),
  ]) {
    for (const kind of KINDS) found.push(...edited(candidate, origin, kind(name), true));
  }
  return found;
}

/** Errors that the data or the definition made, not an answer. */
export function isOfData(sighting: Sighting): boolean {
  const { exit } = sighting;
  if (exit?.by !== 'failure' && exit?.by !== 'catch') return false;
  const error = sighting.failure?.error ?? '';
  return /^States\.(Runtime|ParameterPathFailure|ResultPathMatchFailure|IntrinsicFailure|QueryEvaluationError|DataLimitExceeded)$/.test(
    error,
  );
}
