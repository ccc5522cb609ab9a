/**
 * Warnings of our own, codes `SW_…`, and AWS's three warning codes. Only what is nearly always a
 * bug: a warning that is usually wrong is noise, and noise hides the next one.
 */
import { isIntrinsicName } from '../../expr/intrinsics.js';
import { parseTimestampMs } from '../../expr/timestamp.js';
import { getOwn, hasOwn, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { type Diagnostic, warning } from '../diagnostic.js';
import { transitionsOf } from './graph.js';
import { patternOf } from './resource.js';
import {
  leaves,
  objectsIn,
  type ScopeSite,
  type StateSite,
  stringIn,
  stringsIn,
  under,
} from './site.js';

export interface LintOptions {
  /** Epoch milliseconds: with it, literal timestamps in the past are reported. */
  readonly now?: number;
}

export function lintState(site: StateSite, options: LintOptions): readonly Diagnostic[] {
  return [
    ...retryNames(site),
    ...noDefault(site),
    ...doubledInput(site),
    ...pastTimestamp(site, options),
    ...callback(site),
    ...missingDollar(site),
    ...staticResult(site),
  ];
}

/** States that AWS lets pass because something names them, but that no run can enter. */
export function lintReachability(scope: ScopeSite): readonly Diagnostic[] {
  const byName = new Map(scope.states.map((site) => [site.name, site]));
  const reached = new Set<string>();
  const open = [stringIn(scope.definition, 'StartAt') ?? ''];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const site = byName.get(name);
    if (site === undefined || reached.has(name)) continue;
    reached.add(name);
    open.push(...transitionsOf(site).map((one) => one.target));
  }
  return scope.states
    .filter((site) => !reached.has(site.name))
    .map((site) =>
      warning(
        'SW_UNREACHABLE_STATE',
        `No path from StartAt leads to the state "${site.name}"`,
        site.at,
        'Only states that cannot be reached themselves lead here: remove the group or link it.',
      ),
    );
}

const KNOWN_ERRORS = new Set([
  'States.ALL',
  'States.BranchFailed',
  'States.DataLimitExceeded',
  'States.ExceedToleratedFailureThreshold',
  'States.HeartbeatTimeout',
  'States.Http.Socket',
  'States.IntrinsicFailure',
  'States.ItemReaderFailed',
  'States.NoChoiceMatched',
  'States.ParameterPathFailure',
  'States.Permissions',
  'States.QueryEvaluationError',
  'States.ResultPathMatchFailure',
  'States.ResultWriterFailed',
  'States.Runtime',
  'States.TaskFailed',
  'States.Timeout',
]);

function* retryNames(site: StateSite): Generator<Diagnostic> {
  for (const field of ['Retry', 'Catch']) {
    for (const { item, at } of objectsIn(site.state, field, site.at)) {
      const location = under(at, 'ErrorEquals');
      const names = stringsIn(item, 'ErrorEquals');
      if (field === 'Retry' && names.includes('States.Runtime')) {
        yield warning(
          'SW_RETRY_RUNTIME',
          'States.Runtime is never retried',
          location,
          'It stands for a mistake in the definition, such as a path that finds nothing; remove it here and mend the state.',
        );
      }
      for (const name of names) {
        if (!name.startsWith('States.') || isKnownError(name)) continue;
        yield warning(
          'SW_UNKNOWN_ERROR_NAME',
          `No error is ever named '${name}'`,
          location,
          'Names that start with States. are reserved; see the list of error names in the documentation.',
        );
      }
    }
  }
}

function isKnownError(name: string): boolean {
  return KNOWN_ERRORS.has(name) || /^States\.Http\.StatusCode\.\d{3}$/.test(name);
}

function* noDefault(site: StateSite): Generator<Diagnostic> {
  if (site.type !== 'Choice' || hasOwn(site.state, 'Default')) return;
  yield warning(
    'SW_CHOICE_WITHOUT_DEFAULT',
    'Input that matches no rule fails the execution, and nothing can catch that',
    site.at,
    'Add "Default" with the state to go to when no rule matches.',
  );
}

const REQUEST_FIELDS = ['Parameters', 'Arguments', 'ItemSelector'];

function* doubledInput(site: StateSite): Generator<Diagnostic> {
  for (const field of REQUEST_FIELDS) {
    const value = getOwn(site.state, field);
    if (value === undefined) continue;
    for (const leaf of leaves(value, under(site.at, field))) {
      if (
        !/^(\$\$\.Execution\.Input|\{%\s*\$states\.context\.Execution\.Input\s*%\})$/.test(
          leaf.value,
        )
      )
        continue;
      yield warning(
        'SW_WHOLE_EXECUTION_INPUT',
        "The execution's whole input is copied into this state's payload",
        leaf.at,
        'Payloads are limited to 262,144 bytes: select the members that are needed.',
      );
    }
  }
}

function* pastTimestamp(site: StateSite, { now }: LintOptions): Generator<Diagnostic> {
  if (site.type !== 'Wait' || now === undefined) return;
  const text = stringIn(site.state, 'Timestamp');
  const until = text === undefined ? null : parseTimestampMs(text);
  if (until === null || until > now) return;
  yield warning(
    'SW_WAIT_IN_THE_PAST',
    `The timestamp ${text} has passed: this state never waits`,
    under(site.at, 'Timestamp'),
    'Use TimestampPath (JSONPath) or an expression (JSONata) to wait until a computed instant.',
  );
}

const TOKEN = /\$\$\.Task\.Token|\$states\.context\.Task\.Token|\$\$\.Task(?![\w.])|^\$\$$/;
const WHOLE_CONTEXT = /\$states\.context(?!\.)/;

function* callback(site: StateSite): Generator<Diagnostic> {
  const resource = stringIn(site.state, 'Resource') ?? '';
  if (site.type !== 'Task' || patternOf(resource) !== '.waitForTaskToken') return;
  const { state, at } = site;
  if (!REQUEST_FIELDS.some((field) => passesToken(getOwn(state, field)))) {
    yield warning(
      'SW_TASK_TOKEN_NOT_PASSED',
      'The task token is not in the request, so nobody can ever answer',
      at,
      site.language === 'JSONata'
        ? 'Add "{% $states.context.Task.Token %}" to Arguments.'
        : 'Add a member such as "TaskToken.$": "$$.Task.Token" to Parameters.',
    );
  }
  const limits = [
    'HeartbeatSeconds',
    'HeartbeatSecondsPath',
    'TimeoutSeconds',
    'TimeoutSecondsPath',
  ];
  if (limits.some((field) => hasOwn(state, field))) return;
  yield warning(
    'SW_CALLBACK_WITHOUT_LIMIT',
    'A lost callback leaves the execution waiting for a year',
    at,
    'Add HeartbeatSeconds (or TimeoutSeconds) and catch States.Timeout.',
  );
}

/** `"$$"` and `$states.context` pass the token along with everything else. */
function passesToken(value: Json | undefined): boolean {
  if (value === undefined) return false;
  for (const leaf of leaves(value, '')) {
    if (TOKEN.test(leaf.value) || WHOLE_CONTEXT.test(leaf.value)) return true;
  }
  return false;
}

/** AWS's NO_DOLLAR. The wording is ours. */
function* missingDollar(site: StateSite): Generator<Diagnostic> {
  if (site.language !== 'JSONPath') return;
  for (const field of ['Parameters', 'ResultSelector', 'ItemSelector', 'Assign']) {
    const template = getOwn(site.state, field);
    if (template !== undefined) yield* constantPaths(template, under(site.at, field), []);
  }
}

function constantPaths(template: Json, at: string, found: Diagnostic[]): readonly Diagnostic[] {
  if (isArray(template)) {
    template.forEach((item, i) => {
      constantPaths(item, `${at}[${i}]`, found);
    });
  } else if (isObject(template)) {
    for (const key of Object.keys(template)) constantMember(template, key, at, found);
  }
  return found;
}

function constantMember(template: JsonObject, key: string, at: string, found: Diagnostic[]): void {
  const value = template[key] as Json;
  if (typeof value !== 'string') constantPaths(value, under(at, key), found);
  else if (!key.endsWith('.$') && looksDynamic(value)) {
    const diagnostic = warning(
      'NO_DOLLAR',
      `The value of the field '${key}' looks like a JSONPath or an intrinsic function, but the name does not end with '.$'`,
      under(at, key),
      `Write "${key}.$" to have it evaluated.`,
    );
    found.push(diagnostic);
  }
}

function looksDynamic(text: string): boolean {
  if (/^\$\$?(\.[A-Za-z_]|\[['\d])/.test(text)) return true;
  const call = /^(States\.\w+)\(.*\)$/.exec(text);
  return call?.[1] !== undefined && isIntrinsicName(call[1]);
}

/** AWS's PASS_RESULT_IS_STATIC. The wording is ours. */
function* staticResult(site: StateSite): Generator<Diagnostic> {
  const result = site.type === 'Pass' ? getOwn(site.state, 'Result') : undefined;
  if (result === undefined || site.language !== 'JSONPath') return;
  if (!hasDynamic(result)) return;
  yield warning(
    'PASS_RESULT_IS_STATIC',
    'Result is a constant: paths and intrinsic functions in it are not evaluated',
    under(site.at, 'Result'),
    'Use Parameters instead of Result.',
  );
}

function hasDynamic(value: Json): boolean {
  if (typeof value === 'string') return looksDynamic(value);
  if (isArray(value)) return value.some(hasDynamic);
  if (!isObject(value)) return false;
  return Object.keys(value).some((key) => key.endsWith('.$') || hasDynamic(value[key] as Json));
}
