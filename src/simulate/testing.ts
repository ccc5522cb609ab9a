/**
 * `stepwell/testing`: the simulator for vitest, node:test and the like. A run in virtual time, mocks as
 * objects or functions, the expectations of scenario files, coverage, histories and recordings.
 *
 *   const run = await simulate({ machine: 'order.asl.json', input: { id: 7 }, mocks: { Charge: { return: 1 } } });
 *   await expectRun(run, { status: 'SUCCEEDED', path: ['Charge', 'Ship'], took: '30d' });
 */
import { resolve } from 'node:path';
import type { Limits } from '../core/limits.js';
import { isObject, type Json, type JsonObject } from '../lib/json.js';
import type { Answer, Call, CallRecord } from './call.js';
import { Coverage, type CoverageReport, percentOf } from './coverage/coverage.js';
import { readDocument, readTextFile } from './documents.js';
import { checkPlan } from './mocks/check.js';
import { defaultResponder, plausibleInput } from './mocks/defaults.js';
import { parseDuration } from './mocks/durations.js';
import { loadPlan } from './mocks/load.js';
import { type Plan, responderOf } from './mocks/plan.js';
import { FileProblems, Problems } from './mocks/problems.js';
import { recordMocks } from './mocks/record.js';
import type { MockFunction } from './mocks/outcomes.js';
import { nestedResponder } from './nested.js';
import type { HistoryDiff } from './replay/diff.js';
import { readHistory } from './replay/history-file.js';
import { replay } from './replay/replay.js';
import { type ExpectationFailure, readExpectations } from './scenarios/expectations.js';
import { judge } from './scenarios/scenario.js';
import { type ScenarioResult, Suite } from './scenarios/suite.js';
import {
  InvalidMachine,
  ownJournals,
  type Simulation,
  simulate as simulateDefinition,
  type TimeMode,
} from './simulate.js';

/** A rule of a mock file, or a function that answers (it may throw: the error's name is the task's). */
export type Mock = MockRule | MockFunction | readonly (MockRule | MockFunction)[];

/** Conditions, one outcome, timing: the members of a rule in a mock file; `function` may be one. */
export type MockRule = { readonly [member: string]: Json | MockFunction };

export interface SimulateOptions {
  /** Path of the definition, relative to the working folder, or the definition itself. */
  readonly machine: string | JsonObject;
  /** Made up from what the machine reads when absent. */
  readonly input?: Json;
  /** By state name; or the path of a mock file. */
  readonly mocks?: Readonly<Record<string, Mock>> | string;
  /** By resource: `sns:publish`, `arn:aws:states:::lambda:*`. */
  readonly resources?: Readonly<Record<string, Mock>>;
  /** Definitions or paths that nested executions run for real, by machine name. */
  readonly machines?: Readonly<Record<string, string | JsonObject>>;
  /** Test case, when `mocks` is a MockConfigFile.json. */
  readonly testCase?: string;
  /** `plausible` (default): calls without a mock get a made-up answer; `fail`: they fail. */
  readonly unmocked?: 'plausible' | 'fail';
  /** Hold mocked results against the services' API models, as TestState does. */
  readonly validateMocks?: 'NONE' | 'PRESENT' | 'STRICT';
  readonly seed?: number;
  /** Virtual beginning: 2026-01-01T00:00:00Z when absent. */
  readonly startAt?: string | Date;
  readonly time?: TimeMode;
  readonly type?: 'STANDARD' | 'EXPRESS';
  readonly stateMachineName?: string;
  readonly executionName?: string;
  readonly limits?: Limits;
  /** Counts this run. */
  readonly coverage?: Coverage;
}

/** Runs a machine to its end. Throws FileProblems and InvalidMachine, never because the run fails. */
export async function simulate(options: SimulateOptions): Promise<Simulation> {
  const { coverage, machine, startAt, type = 'STANDARD', unmocked = 'plausible' } = options;
  const definition = await loadMachine(machine);
  const plan = await planOf(options, definition);
  const mocked = plan === null ? [] : [{ name: 'mock', answer: responderOf(plan) }];
  const machines = new Map<string, string>();
  for (const [name, nested] of Object.entries(options.machines ?? {})) {
    machines.set(name, JSON.stringify(await loadMachine(nested)));
  }
  const fails = unmocked === 'fail' || plan?.fallback === 'fail';
  const run = await simulateDefinition({
    definition,
    input: options.input === undefined ? plausibleInput(definition) : options.input,
    responders: [
      ...mocked,
      nestedResponder(machines),
      ...(fails ? [] : [defaultResponder(definition)]),
    ],
    machines,
    type,
    time: options.time ?? 'skip',
    seed: options.seed ?? 0,
    ...(startAt === undefined ? {} : { startAt: new Date(startAt).getTime() }),
    ...(options.stateMachineName === undefined
      ? {}
      : { stateMachineName: options.stateMachineName }),
    ...(options.executionName === undefined ? {} : { executionName: options.executionName }),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  coverage?.add(options.executionName ?? `run ${run.arn}`, ownJournals(run));
  return run;
}

/** The definition at a path, or the object itself. */
export async function loadMachine(machine: string | JsonObject): Promise<JsonObject> {
  if (typeof machine !== 'string') return machine;
  const text = await readTextFile(machine, 'state machine');
  try {
    const definition = JSON.parse(text) as Json;
    if (isObject(definition)) return definition;
  } catch {
    // Said below.
  }
  throw new InvalidMachine([], machine);
}

async function planOf(options: SimulateOptions, definition: JsonObject): Promise<Plan | null> {
  const { machine, mocks, resources, testCase = null } = options;
  if (mocks === undefined && resources === undefined) return null;
  const wanted = { machine: typeof machine === 'string' ? machineName(machine) : null, testCase };
  const isPath = typeof mocks === 'string';
  const functions = new Map<string, MockFunction>();
  const value: Json = isPath
    ? await readDocument(mocks, 'mock file')
    : {
        states: withoutFunctions(mocks ?? {}, functions),
        resources: withoutFunctions(resources ?? {}, functions),
      };
  const path = isPath ? mocks : resolve('mocks');
  const { plan } = await loadPlan(value, path, wanted, '', functions);
  const errors = checkPlan(plan, definition, options.validateMocks ?? 'NONE').filter(
    ({ severity }) => severity === 'error',
  );
  if (errors.length > 0) throw new FileProblems(isPath ? mocks : 'mocks', errors);
  return plan;
}

function machineName(path: string): string {
  return (path.split('/').at(-1) ?? path).replace(/(\.asl)?\.json$/, '');
}

/** Functions get names, so that mocks are the same data as in files. */
function withoutFunctions(
  mocks: Readonly<Record<string, Mock>>,
  functions: Map<string, MockFunction>,
): JsonObject {
  const named = (mock: MockRule | MockFunction): JsonObject => {
    const own = typeof mock === 'function' ? mock : mock.function;
    if (typeof own !== 'function') return mock as JsonObject;
    const name = `function ${functions.size + 1}`;
    functions.set(name, own);
    return typeof mock === 'function'
      ? { function: name }
      : ({ ...mock, function: name } as JsonObject);
  };
  return Object.fromEntries(
    Object.entries(mocks).map(([state, mock]) => [
      state,
      Array.isArray(mock) ? mock.map(named) : named(mock as MockRule | MockFunction),
    ]),
  );
}

/** What a run is expected to be; the members are those of `expect` in scenario files. */
export type Expectations = Readonly<Record<string, Json>>;

/** Throws an error that shows every difference when the run is not as expected. */
export async function expectRun(run: Simulation, expectations: Expectations): Promise<void> {
  const failures = await checkRun(run, expectations);
  if (failures.length === 0) return;
  const lines = failures.flatMap(({ differences, expectation, message }) => [
    `${expectation}: ${message}`,
    ...differences.flatMap(({ actual, expected, pointer }) => [
      `  at ${pointer === '' ? '/' : pointer}`,
      `    - expected ${JSON.stringify(expected)}`,
      `    + actual   ${JSON.stringify(actual)}`,
    ]),
  ]);
  throw new Error(
    `The run is not as expected.\n${lines.join('\n')}\npath ${run.pathTaken.join(' → ')}`,
  );
}

/** The same as a list; empty when all is as expected. */
export async function checkRun(
  run: Simulation,
  expectations: Expectations,
): Promise<readonly ExpectationFailure[]> {
  const problems = new Problems();
  const checks = readExpectations(expectations, '', problems);
  problems.refuse('The expectation');
  return judge(run, checks);
}

/** Counts what runs reach of a machine: give it to `simulate` as `coverage`. */
export async function coverageOf(machine: string | JsonObject): Promise<Coverage> {
  return new Coverage(await loadMachine(machine));
}

/** A history (GetExecutionHistory as JSON, or its path) against the machine. */
export async function replayHistory(options: {
  readonly machine: string | JsonObject;
  readonly history: string | Json;
  /** Milliseconds by which instants may differ; null (default): they are not compared. */
  readonly timing?: number | null;
  readonly ignore?: readonly string[];
}): Promise<{ readonly run: Simulation; readonly diff: HistoryDiff }> {
  const { history, timing = null, ignore = [] } = options;
  const definition = await loadMachine(options.machine);
  const isPath = typeof history === 'string';
  const value = isPath ? await readDocument(history, 'history') : history;
  const { diff, simulation } = await replay({
    definition,
    history: readHistory(value, isPath ? history : 'history'),
    timing,
    ignore,
    responders: [defaultResponder(definition)],
  });
  return { run: simulation, diff };
}

/** The mock file that answers as this run was answered; with its machine, ItemReaders too. */
export function mocksOf(run: Simulation, machine: JsonObject | null = null): JsonObject {
  return recordMocks(run.journals, run.arn, machine);
}

/** Runs scenario files (`*.test.yaml`), as `stepwell test` does. */
export async function runScenarios(files: readonly string[]): Promise<readonly ScenarioResult[]> {
  const suite = new Suite();
  const results: ScenarioResult[] = [];
  for (const file of files) {
    for (const prepared of await suite.prepare(file)) results.push(await suite.run(prepared));
  }
  return results;
}

export {
  type Answer,
  type Call,
  type CallRecord,
  Coverage,
  type CoverageReport,
  type ExpectationFailure,
  FileProblems,
  type HistoryDiff,
  InvalidMachine,
  type Json,
  type JsonObject,
  type MockFunction,
  parseDuration,
  percentOf,
  type ScenarioResult,
  type Simulation,
  type TimeMode,
};
