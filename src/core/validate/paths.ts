/**
 * JSONPath states: every path field, payload template and literal timestamp compiles. The grammar
 * is `expr`'s; here is only which field may hold what, and AWS's sentence when it does not.
 */
import { nestingOf, parseIntrinsic } from '../../expr/intrinsic-parser.js';
import { MAX_INTRINSIC_NESTING } from '../../expr/limits.js';
import { compilePath, compileReferencePath, isReferencePathText } from '../../expr/path.js';
import { ExpressionSyntaxError } from '../../expr/scope.js';
import { compileTemplateValue } from '../../expr/template.js';
import { parseTimestamp } from '../../expr/timestamp.js';
import { getOwn, hasOwn, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { type Diagnostic, schemaError, withHint } from '../diagnostic.js';
import { CHOICE_OPERATORS } from './schemas/choice.js';
import { innerRules } from './choice-rules.js';
import { objectIn, objectsIn, type StateSite, stringIn, under } from './site.js';
import { unreadable, unresolved } from './substitution.js';

/** `any`: every JSONPath. `reference`: one node. `input`: one node of the input, no `$$`. */
type PathKind = 'any' | 'reference' | 'number' | 'result' | 'text';

const STATE_PATHS: Readonly<Record<string, PathKind>> = {
  InputPath: 'any',
  OutputPath: 'any',
  ResultPath: 'result',
  ItemsPath: 'reference',
  TimeoutSecondsPath: 'reference',
  HeartbeatSecondsPath: 'reference',
  SecondsPath: 'reference',
  TimestampPath: 'reference',
  MaxConcurrencyPath: 'number',
  ToleratedFailureCountPath: 'number',
  ToleratedFailurePercentagePath: 'number',
  ErrorPath: 'text',
  CausePath: 'text',
};
const CONFIG_PATHS: Readonly<Record<string, PathKind>> = { MaxItemsPath: 'number' };
const BATCHER_PATHS: Readonly<Record<string, PathKind>> = {
  MaxItemsPerBatchPath: 'number',
  MaxInputBytesPerBatchPath: 'number',
};
const CATCHER_PATHS: Readonly<Record<string, PathKind>> = { ResultPath: 'result' };
const OPERAND_PATHS = CHOICE_OPERATORS.filter((operator) => operator.endsWith('Path'));
const TEMPLATES = ['Parameters', 'ResultSelector', 'ItemSelector', 'Assign', 'Credentials'];
/** Numbers in JSONPath states are literal: an expression there is the wrong type. */
const NUMBERS = [
  'Seconds',
  'TimeoutSeconds',
  'HeartbeatSeconds',
  'MaxConcurrency',
  'ToleratedFailureCount',
  'ToleratedFailurePercentage',
];

/** Our reason: a refused path costs a thrown error, and no one reads more than this. */
const MAX_REFUSED = 1000;

/** Not strict, an instant that a deployment would fill in is a warning; a path has to be there. */
export function checkPaths(site: StateSite, strict: boolean): readonly Diagnostic[] {
  if (site.language !== 'JSONPath') return [];
  const diagnostics: Diagnostic[] = [];
  for (const { diagnostic, data } of problems(site)) {
    diagnostics.push(strict ? diagnostic : unreadable(diagnostic, data));
    if (diagnostics.length === MAX_REFUSED) return diagnostics;
  }
  for (const { diagnostic, data } of timestamp(site.state, site.at)) {
    diagnostics.push(strict ? diagnostic : unresolved(diagnostic, data));
  }
  return diagnostics;
}

interface Found {
  readonly diagnostic: Diagnostic;
  /** The value found wanting. */
  readonly data: Json;
}

function* problems(site: StateSite): Generator<Found> {
  const { state, at } = site;
  yield* pathFields(state, STATE_PATHS, at);
  yield* templates(state, TEMPLATES, at);
  yield* numbers(state, at);
  for (const { item, at: catcherAt } of objectsIn(state, 'Catch', at)) {
    yield* pathFields(item, CATCHER_PATHS, catcherAt);
    yield* templates(item, ['Assign'], catcherAt);
  }
  for (const { item, at: ruleAt } of objectsIn(state, 'Choices', at)) {
    yield* rulePaths(item, ruleAt);
    yield* templates(item, ['Assign'], ruleAt);
  }
  if (site.type === 'Map') yield* mapPaths(state, at);
}

function* pathFields(
  object: JsonObject,
  kinds: Readonly<Record<string, PathKind>>,
  at: string,
): Generator<Found> {
  for (const field of Object.keys(kinds)) {
    const value = stringIn(object, field);
    if (value === undefined) continue;
    const problem = pathProblem(value, kinds[field] as PathKind, field);
    if (problem !== null)
      yield { diagnostic: schemaError(problem, under(at, field)), data: value as string };
  }
}

const NOT_A_PATH = 'Value must be a valid JSONPath.';
const NOT_A_REFERENCE = 'Value is not a Reference Path';

function pathProblem(text: string, kind: PathKind, field: string): string | null {
  if (kind === 'text') return textProblem(text, field);
  const path = attempt(() => compilePath(text));
  if (path === null) return NOT_A_PATH;
  if (kind === 'any') return null;
  if (!isReferencePathText(text)) return NOT_A_REFERENCE;
  if (kind === 'reference') return null;
  if (path.root === 'context') return NOT_A_REFERENCE;
  // What is written through has more to keep to: no variable, no index from the end.
  const writable = kind !== 'result' || attempt(() => compileReferencePath(text)) !== null;
  return writable ? null : NOT_A_REFERENCE;
}

/** Recorded: Choice has its own sentence for a path that does not start with `$`. */
function operandProblem(text: string): string | null {
  if (!text.startsWith('$')) return `${NOT_A_REFERENCE}: Reference path didn't start with '$'`;
  return isReferencePathText(text) ? null : NOT_A_REFERENCE;
}

function textProblem(text: string, field: string): string | null {
  return isValue(text) ? null : notAValue(field);
}

/** A path, or a call that nests no deeper than AWS allows. */
function isValue(text: string): boolean {
  return attempt(() => compileTemplateValue(text)) !== null && !isTooDeep(text);
}

function isTooDeep(text: string): boolean {
  const call = text.trimStart().startsWith('States.') ? attempt(() => parseIntrinsic(text)) : null;
  return call !== null && nestingOf(call) > MAX_INTRINSIC_NESTING;
}

function notAValue(field: string): string {
  return `The value for the field '${field}' must be a valid JSONPath or a valid intrinsic function call`;
}

function rulePaths(rule: JsonObject, at: string, found: Found[] = []): readonly Found[] {
  for (const field of ['Variable', ...OPERAND_PATHS]) {
    const value = stringIn(rule, field);
    const problem = value === undefined ? null : operandProblem(value);
    if (problem !== null) {
      found.push({ diagnostic: schemaError(problem, under(at, field)), data: value as string });
    }
  }
  for (const { item, at: innerAt } of innerRules(rule, at)) rulePaths(item, innerAt, found);
  return found;
}

function* mapPaths(state: JsonObject, at: string): Generator<Found> {
  const reader = objectIn(state, 'ItemReader') ?? {};
  const readerAt = under(at, 'ItemReader');
  yield* templates(reader, ['Parameters'], readerAt);
  const config = objectIn(reader, 'ReaderConfig') ?? {};
  yield* pathFields(config, CONFIG_PATHS, under(readerAt, 'ReaderConfig'));
  const batcher = objectIn(state, 'ItemBatcher') ?? {};
  const batcherAt = under(at, 'ItemBatcher');
  yield* pathFields(batcher, BATCHER_PATHS, batcherAt);
  yield* templates(batcher, ['BatchInput'], batcherAt);
  const writer = objectIn(state, 'ResultWriter') ?? {};
  yield* templates(writer, ['Parameters'], under(at, 'ResultWriter'));
}

function* templates(object: JsonObject, fields: readonly string[], at: string) {
  for (const field of fields) {
    const template = getOwn(object, field);
    if (template !== undefined) yield* templateProblems(template, under(at, field), []);
  }
}

/** Recorded: the location is the object that holds the `.$` member, not the member. */
function templateProblems(template: Json, at: string, found: Found[]): readonly Found[] {
  if (isArray(template)) {
    template.forEach((item, i) => {
      templateProblems(item, `${at}[${i}]`, found);
    });
  } else if (isObject(template)) {
    for (const key of Object.keys(template)) {
      if (key.endsWith('.$')) found.push(...memberProblems(template, key, at));
      else templateProblems(template[key] as Json, under(at, key), found);
    }
  }
  return found;
}

function* memberProblems(template: JsonObject, key: string, at: string): Generator<Found> {
  const value = template[key] as Json;
  if (typeof value !== 'string' || !isValue(value)) {
    const diagnostic = withHint(schemaError(notAValue(key), at), dollarHint(key, value));
    yield { diagnostic, data: value };
  }
  const plain = key.slice(0, -2);
  if (!hasOwn(template, plain)) return;
  const message = `The field '${plain}' is given twice: as '${plain}' and as '${key}'`;
  yield { diagnostic: schemaError(message, at), data: null };
}

function dollarHint(key: string, value: Json): string {
  const plain = key.slice(0, -2);
  if (typeof value === 'string' && value.startsWith('{%')) {
    return `JSONata needs "QueryLanguage": "JSONata"; then write "${plain}" without '.$'.`;
  }
  if (typeof value === 'string' && isTooDeep(value)) {
    return `Intrinsic functions nest ${MAX_INTRINSIC_NESTING} deep at most; compute a part in a state before.`;
  }
  return `A value below '.$' starts with $ or States.; for a constant write "${plain}" without '.$'.`;
}

function* numbers(state: JsonObject, at: string): Generator<Found> {
  for (const field of NUMBERS) {
    if (stringIn(state, field)?.startsWith('{%')) {
      const type = field === 'ToleratedFailurePercentage' ? 'Number' : 'Integer';
      yield {
        diagnostic: schemaError(`Expected value of type ${type}`, under(at, field)),
        data: null,
      };
    }
  }
}

function* timestamp(state: JsonObject, at: string): Generator<Found> {
  const value = stringIn(state, 'Timestamp');
  if (value === undefined || parseTimestamp(value) !== null) return;
  const message = 'String does not match RFC3339 timestamp';
  yield { diagnostic: schemaError(message, under(at, 'Timestamp')), data: value };
}

/** Null when the text does not compile; anything but a syntax error is ours and passes through. */
export function attempt<T>(compile: () => T): T | null {
  try {
    return compile();
  } catch (problem) {
    if (problem instanceof ExpressionSyntaxError) return null;
    throw problem;
  }
}
