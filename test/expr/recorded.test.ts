/**
 * Replays, at the level of values, what AWS recorded: every Pass state of every recorded history,
 * every choice comparison, every failed expression, every refused definition that is about one.
 */
import { describe, expect, it, test } from 'vitest';
import { compileChoiceRule } from '../../src/expr/choice.js';
import { compileJsonataTemplate } from '../../src/expr/jsonata.js';
import { compilePath, compileReferencePath } from '../../src/expr/path.js';
import { ExpressionSyntaxError, StatesError } from '../../src/expr/scope.js';
import { compileTemplate } from '../../src/expr/template.js';
import type { Json, JsonObject } from '../../src/lib/json.js';
import {
  chance,
  type RecordedEvent,
  type RecordedStep,
  recordedCases,
  recordingsMissing,
  scopeOf,
} from './support.js';

const cases = recordedCases();

/** A recorded value is JSON, or a string that holds JSON. */
function decode(value: unknown): Json {
  return typeof value === 'string' ? (JSON.parse(value) as Json) : (value as Json);
}

/** Run-specific texts are `<…>` in recordings; expected results may hold them where inputs do not. */
function matches(actual: unknown, expected: unknown): boolean {
  if (typeof expected === 'string') {
    if (expected === 'RandomNumberGenerated') return Number.isInteger(actual);
    if (expected === 'date' || expected === 'generated-uuid') return typeof actual === 'string';
    const pattern = expected
      .split(/<[A-Za-z][^<>]*>/)
      .map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*');
    return typeof actual === 'string' && new RegExp(`^${pattern}$`, 's').test(actual);
  }
  if (typeof expected !== 'object' || expected === null) return Object.is(actual, expected);
  if (typeof actual !== 'object' || actual === null) return false;
  const keys = Object.keys(expected);
  return (
    Array.isArray(actual) === Array.isArray(expected) &&
    keys.length === Object.keys(actual).length &&
    keys.every((key) => matches((actual as JsonObject)[key], (expected as JsonObject)[key]))
  );
}

interface Machine {
  readonly states: ReadonlyMap<string, JsonObject>;
  readonly language: string;
}

function machineOf(definition: string): Machine | null {
  let parsed: JsonObject;
  try {
    parsed = JSON.parse(definition) as JsonObject;
  } catch {
    return null;
  }
  const states = new Map<string, JsonObject>();
  const walk = (value: Json | undefined): void => {
    if (typeof value !== 'object' || value === null) return;
    const inner = (value as JsonObject).States as JsonObject | undefined;
    if (inner !== undefined) {
      // A name that several machines share says nothing about which of them was visited.
      for (const [name, state] of Object.entries(inner)) {
        states.set(name, states.has(name) ? {} : (state as JsonObject));
      }
    }
    for (const child of Object.values(value)) walk(child);
  };
  walk(parsed);
  return { states, language: String(parsed.QueryLanguage ?? 'JSONPath') };
}

const CONTEXT: JsonObject = {
  Execution: {
    Id: '<id>',
    Input: null,
    Name: 'name',
    RedriveCount: 0,
    RoleArn: '<role>',
    StartTime: '<time>',
  },
  StateMachine: { Id: '<id>', Name: 'machine-name' },
  State: { Name: '<state>', EnteredTime: '<time>' },
};

interface Visit {
  readonly state: JsonObject;
  readonly language: string;
  readonly input: Json;
  readonly context: JsonObject;
  readonly variables: JsonObject;
}

async function jsonata({ state, input, context, variables }: Visit, field: string): Promise<Json> {
  const template = compileJsonataTemplate(state[field] as Json, field);
  return template.evaluate({ ...variables, states: { input, context } }, chance);
}

/** The data flow of a Pass state, as the specification orders it. */
async function passOutput(visit: Visit): Promise<Json> {
  const { state, input, context, variables } = visit;
  if (visit.language === 'JSONata') {
    if (Object.hasOwn(state, 'Assign')) await jsonata(visit, 'Assign');
    if (!Object.hasOwn(state, 'Output')) return input;
    return jsonata(visit, 'Output');
  }
  const path = (field: string, from: Json): Json => {
    if (state[field] === null) return {};
    return typeof state[field] === 'string'
      ? compilePath(state[field]).read(scopeOf(from, context, variables))
      : from;
  };
  const narrowed = path('InputPath', input);
  const effective = Object.hasOwn(state, 'Parameters')
    ? compileTemplate(state.Parameters as Json).evaluate(scopeOf(narrowed, context, variables))
    : narrowed;
  const result = Object.hasOwn(state, 'Result') ? (state.Result as Json) : effective;
  const merged =
    state.ResultPath === null
      ? input
      : compileReferencePath(String(state.ResultPath ?? '$')).write(input, result);
  return path('OutputPath', merged);
}

interface PassVisit {
  readonly title: string;
  readonly visit: Visit;
  readonly event: RecordedEvent;
}

function passVisits(): readonly PassVisit[] {
  return cases.flatMap((recorded) => {
    let machine: Machine | null = null;
    return recorded.steps.flatMap((step) => {
      if (step.params?.definition !== undefined) machine = machineOf(step.params.definition);
      if (step.op !== 'GetExecutionHistory' || machine === null) return [];
      return visitsIn(recorded.id, machine, step.expect?.events ?? []);
    });
  });
}

function visitsIn(
  id: string,
  machine: Machine,
  events: readonly RecordedEvent[],
): readonly PassVisit[] {
  let variables: JsonObject = {};
  let execution: Json = null;
  const visits: PassVisit[] = [];
  for (const [i, event] of events.entries()) {
    const started = (event as { executionStartedEventDetails?: { input: unknown } })
      .executionStartedEventDetails;
    if (started !== undefined) execution = decode(started.input);
    const assigned = event.stateExitedEventDetails?.assignedVariables ?? {};
    for (const [name, value] of Object.entries(assigned)) {
      variables = { ...variables, [name]: decode(value) };
    }
    const entered = event.stateEnteredEventDetails;
    const next = events[i + 1];
    if (event.type !== 'PassStateEntered' || entered === undefined || next === undefined) continue;
    const state = machine.states.get(entered.name);
    if (state?.Type === undefined || JSON.stringify(state).includes('${')) continue;
    // In concurrent branches another state's event may come next.
    if (next.stateExitedEventDetails?.name !== entered.name && !/Failed$/.test(next.type)) continue;
    const language = String(state.QueryLanguage ?? machine.language);
    const executionContext = { ...(CONTEXT.Execution as JsonObject), Input: execution };
    const context = { ...CONTEXT, Execution: executionContext };
    const visit = { state, language, input: decode(entered.input), context, variables };
    visits.push({ title: `${id} #${event.id} ${entered.name}`, visit, event: next });
  }
  return visits;
}

test.skipIf(recordingsMissing === null)('the recordings are there', () => {
  console.warn(recordingsMissing);
});

describe.skipIf(recordingsMissing !== null)('recorded Pass states', () => {
  const visits = passVisits();

  it('are plenty', () => {
    expect(visits.length).toBeGreaterThan(150);
  });

  const exits = visits.filter(({ event }) => event.type === 'PassStateExited');
  it.each(exits)('$title', async ({ visit, event }) => {
    const expected = decode(event.stateExitedEventDetails?.output);
    const usesContext = /\$\$|states\.context/.test(JSON.stringify(visit.state));
    const actual = await passOutput(visit);
    if (matches(actual, expected)) return;
    // Only the shape of what comes from the Context Object is known here.
    if (!usesContext) expect(actual).toEqual(expected);
    expect(Object.keys(actual as JsonObject)).toEqual(Object.keys(expected as JsonObject));
  });

  const failures = visits.filter(({ event }) => /Failed$/.test(event.type));
  it.each(failures)('$title fails as recorded', async ({ visit, event }) => {
    const details = event.evaluationFailedEventDetails ?? event.executionFailedEventDetails;
    const cause = String(details?.cause).replace(/^An error occurred .*?#\d+\)\. /s, '');
    const error = await passOutput(visit).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StatesError);
    expect((error as StatesError).error).toBe(details?.error);
    const actual = (error as StatesError).cause;
    if (!matches(actual, cause)) expect(actual).toBe(cause);
    const location = event.evaluationFailedEventDetails?.location;
    if (location !== undefined) expect((error as StatesError).location).toBe(location);
  });
});

describe.skipIf(recordingsMissing !== null)('recorded choice comparisons', () => {
  const groups = cases.filter(({ area }) => area === 'choice_operators');
  it.each(groups)('$id', ({ steps }) => {
    const rules: JsonObject[] = [];
    const inputs: Json[] = [];
    let rule: JsonObject = {};
    let expected: { readonly output: Json }[] = [];
    for (const step of steps) {
      if (step.params?.definition !== undefined) rule = choiceRule(step);
      if (step.op === 'StartExecution') {
        rules.push(rule);
        inputs.push(JSON.parse(step.params?.input ?? '{}') as Json);
      }
      if (step.compare === 'cases') expected = step.expect as unknown as { output: Json }[];
    }
    const actual = rules.map((compiled, i) => ({
      'TestResult.$': compileChoiceRule(compiled)(scopeOf(inputs[i] as Json))
        ? 'ConditionTrue'
        : 'ConditionFalse',
    }));
    expect(actual).toEqual(expected.map(({ output }) => output));
    expect(actual.length).toBeGreaterThan(0);
  });

  function choiceRule(step: RecordedStep): JsonObject {
    const definition = JSON.parse(step.params?.definition ?? '{}') as {
      States: { CheckValues: { Choices: JsonObject[] } };
    };
    return definition.States.CheckValues.Choices[0] as JsonObject;
  }
});

describe.skipIf(recordingsMissing !== null)('recorded refusals of definitions', () => {
  const refusals = cases.flatMap(({ id, steps }) =>
    steps.flatMap((step) =>
      /must be a valid JSONPath/.test(step.expectError?.message ?? '') ? [{ id, step }] : [],
    ),
  );
  it.each(refusals)('$id', ({ step }) => {
    const machine = machineOf(step.params?.definition ?? '') as Machine;
    const parameters = [...machine.states.values()].map((state) => state.Parameters as Json);
    let message = '';
    try {
      for (const template of parameters) compileTemplate(template);
    } catch (error) {
      expect(error).toBeInstanceOf(ExpressionSyntaxError);
      message = (error as Error).message;
    }
    expect(step.expectError?.message).toContain(`SCHEMA_VALIDATION_FAILED: ${message} at `);
  });
});
