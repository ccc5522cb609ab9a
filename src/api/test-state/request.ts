/** What a TestState request asks for, checked in AWS's order and words (recorded area test_state). */
import { parseResource } from '../../core/resource.js';
import type { Outcome } from '../../core/fact.js';
import { parseJson } from '../../lib/jackson.js';
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { ApiError, invalid } from '../../wire/errors.js';
import type { Input } from '../../wire/operations.js';
import type { ApiContext } from '../context.js';
import { invalidDefinition } from '../settings.js';
import { hasErrors } from '../../core/diagnostic.js';
import { readContext } from './context-object.js';
import { checkMockResult } from '../../wire/service-outputs/check.js';

export interface TestedState {
  readonly name: string;
  readonly definition: JsonObject;
  readonly queryLanguage: 'JSONPath' | 'JSONata';
}

export interface TestRequest extends TestedState {
  readonly input: Json;
  readonly variables: JsonObject;
  readonly context: JsonObject | null;
  readonly mock: Outcome | null;
}

/** Recorded: a single state is known under this name. */
const SINGLE = 'StateName';

export function readRequest(api: ApiContext, request: Input<'TestState'>): TestRequest {
  const { mock } = request;
  if (mock?.result !== undefined && mock.errorOutput !== undefined) {
    throw invalid(
      'A test mock should have only one of the following fields: [result, errorOutput].',
    );
  }
  const state = readState(api, request);
  checkSupported(state.definition, request);
  return {
    ...state,
    input: readInput(request.input),
    variables: readVariables(request.variables),
    context: readContext(request.context, mock !== undefined),
    mock: readMock(state.definition, mock),
  };
}

function readState(api: ApiContext, request: Input<'TestState'>): TestedState {
  const { stateName, definition: text } = request;
  const options = { type: 'STANDARD' } as const;
  if (stateName === undefined) {
    const { diagnostics, definition } = api.definitions.validateState(text, options);
    if (hasErrors(diagnostics) || definition === null) throw invalidDefinition(diagnostics);
    const states = getOwn(definition, 'States') as JsonObject;
    return tested(definition, SINGLE, getOwn(states, SINGLE) as JsonObject);
  }
  const { diagnostics, definition } = api.definitions.validate(text, options);
  if (hasErrors(diagnostics) || definition === null) throw invalidDefinition(diagnostics);
  const found = findState(definition, stateName);
  if (found === null) throw invalid('State not found in definition');
  return tested(definition, stateName, found);
}

function tested(machine: JsonObject, name: string, definition: JsonObject): TestedState {
  const language = getOwn(definition, 'QueryLanguage') ?? getOwn(machine, 'QueryLanguage');
  return { name, definition, queryLanguage: language === 'JSONata' ? 'JSONata' : 'JSONPath' };
}

/** The state of that name, wherever in the machine it is. */
function findState(block: JsonObject, name: string): JsonObject | null {
  const states = getOwn(block, 'States');
  if (!isObject(states)) return null;
  const own = getOwn(states, name);
  if (isObject(own)) return own;
  for (const state of Object.values(states)) {
    if (!isObject(state)) continue;
    const branches = getOwn(state, 'Branches');
    const inner = [
      ...(isArray(branches) ? branches : []),
      getOwn(state, 'ItemProcessor') ?? getOwn(state, 'Iterator'),
    ];
    for (const nested of inner) {
      const found = isObject(nested) ? findState(nested, name) : null;
      if (found !== null) return found;
    }
  }
  return null;
}

const MOCKABLE = new Set(['Task', 'Map', 'Parallel']);

function checkSupported(definition: JsonObject, request: Input<'TestState'>): void {
  const type = getOwn(definition, 'Type') as string;
  if (request.mock !== undefined) {
    if (MOCKABLE.has(type)) return;
    throw invalid(`State type '${type}' is not supported when a mock is specified`);
  }
  if (type === 'Map' || type === 'Parallel') {
    throw new ApiError(
      'InvalidDefinition',
      'TestState API does not support Map or Parallel states. Supported state types include: [Task, Wait, Pass, Succeed, Fail, Choice]',
    );
  }
  if (type !== 'Task') return;
  const resource = parseResource(getOwn(definition, 'Resource') as string);
  if (resource.kind === 'activity' || resource.pattern !== 'request-response') {
    throw new ApiError(
      'InvalidDefinition',
      `TestState API does not support the resource ${resource.arn} without a mock: activities, .sync and .waitForTaskToken need one`,
    );
  }
  if (request.roleArn === undefined) {
    throw invalid('RoleArn must be specified when testing a Task state');
  }
}

function readInput(text: string | undefined): Json {
  if (text === undefined) return {};
  const parsed = parseJson(text);
  if ('value' in parsed) return parsed.value;
  throw new ApiError(
    'InvalidExecutionInput',
    `Invalid State Machine Execution Input: '${parsed.error.message}'`,
  );
}

function readVariables(text: string | undefined): JsonObject {
  if (text === undefined) return {};
  const parsed = parseJson(text);
  if ('value' in parsed && isObject(parsed.value)) return parsed.value;
  throw invalid('Variables must be a JSON object');
}

function readMock(definition: JsonObject, mock: Input<'TestState'>['mock']): Outcome | null {
  if (mock === undefined) return null;
  if (mock.errorOutput !== undefined) {
    const { error = null, cause = null } = mock.errorOutput;
    return { ok: false, failure: { error, cause } };
  }
  const parsed = parseJson(mock.result ?? 'null');
  if (!('value' in parsed)) throw invalid('Mocked result must be valid JSON');
  const output = parsed.value;
  checkShape(definition, output);
  if (getOwn(definition, 'Type') === 'Task') {
    const resource = parseResource(getOwn(definition, 'Resource') as string);
    const complaint = checkMockResult(resource, output, mock.fieldValidationMode ?? 'STRICT');
    if (complaint !== null) throw invalid(`Mock result schema validation error: ${complaint}`);
  }
  return { ok: true, output };
}

function checkShape(definition: JsonObject, output: Json): void {
  const type = getOwn(definition, 'Type');
  if (type === 'Map' && getOwn(definition, 'ResultWriter') !== undefined) {
    if (!isObject(output)) throw invalid('Mocked result must be a JSON object.');
    return;
  }
  if (type !== 'Parallel' && type !== 'Map') return;
  if (!isArray(output)) throw invalid('Mocked result must be an array.');
  const branches = getOwn(definition, 'Branches');
  if (isArray(branches) && branches.length !== output.length) {
    throw invalid(
      'Mocked result must contain the same number of items as number of Parallel branches.',
    );
  }
}
