/**
 * Scenario files: a machine, an input, mocks, and what is expected. A file holds one scenario, or
 * several that share what stands beside them. docs/testing.md is the reference.
 */
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { at, Problems } from '../mocks/problems.js';
import type { Simulation } from '../simulate.js';
import { type Check, type ExpectationFailure, readExpectations } from './expectations.js';

export interface Scenario {
  readonly name: string;
  /** JSON pointer into its file. */
  readonly pointer: string;
  /** Path of the definition, relative to the file. */
  readonly machine: string;
  /** Definitions for nested executions, by machine name; paths relative to the file. */
  readonly machines: readonly (readonly [string, string])[];
  /** Undefined: made up from what the machine reads. */
  readonly input: Json | undefined;
  /** Tried in order: the scenario's own, then the file's. A path, or mocks themselves. */
  readonly mocks: readonly MockSource[];
  /** Test case of a MockConfigFile. */
  readonly testCase: string | null;
  readonly unmocked: 'plausible' | 'fail';
  readonly validateMocks: 'NONE' | 'PRESENT' | 'STRICT';
  readonly seed: number;
  /** Epoch milliseconds, or null. */
  readonly startAt: number | null;
  readonly type: 'STANDARD' | 'EXPRESS';
  readonly executionName: string;
  readonly skip: boolean;
  readonly only: boolean;
  readonly checks: readonly Check[];
}

export interface MockSource {
  readonly pointer: string;
  readonly value: Json;
}

export interface ScenarioFile {
  readonly scenarios: readonly Scenario[];
  /** Ids of places that coverage does not ask for. */
  readonly ignoreCoverage: readonly string[];
}

const SHARED = [
  'machine',
  'machines',
  'input',
  'mocks',
  'case',
  'unmocked',
  'validateMocks',
  'seed',
  'startAt',
  'type',
  'executionName',
];
const OWN = ['name', 'expect', 'skip', 'only', 'comment'];
const FILE = [...SHARED, 'scenarios', 'ignoreCoverage', 'comment'];
/** Our reason: more belong into several files. */
const MAX_SCENARIOS = 10_000;

/** Throws FileProblems that name every place. `name`: of a scenario without one. */
export function readScenarios(value: Json, source: string, name: string): ScenarioFile {
  const problems = new Problems();
  if (!isObject(value)) problems.error('', 'Must be an object with "machine" and "scenarios".');
  const file: JsonObject = isObject(value) ? value : {};
  const list = getOwn(file, 'scenarios');
  const scenarios: Scenario[] = [];
  if (list === undefined) {
    problems.unknownKeys(file, [...FILE, ...OWN], '');
    scenarios.push(readScenario(file, {}, '', name, problems));
  } else if (!isArray(list) || list.length > MAX_SCENARIOS) {
    problems.error('/scenarios', `Must be a list of at most ${MAX_SCENARIOS} scenarios.`);
  } else {
    problems.unknownKeys(file, FILE, '');
    for (const [index, given] of list.entries()) {
      const pointer = at('/scenarios', index);
      if (!isObject(given)) {
        problems.error(pointer, 'Must be an object with "name" and "expect".');
        continue;
      }
      problems.unknownKeys(given, [...SHARED, ...OWN], pointer);
      scenarios.push(readScenario(given, file, pointer, `${name} ${index + 1}`, problems));
    }
    refuseDoubles(scenarios, problems);
  }
  const ignore = getOwn(file, 'ignoreCoverage') ?? [];
  if (!isArray(ignore) || !ignore.every((id) => typeof id === 'string')) {
    problems.error('/ignoreCoverage', 'Must be a list of places such as "catch Charge 0".');
  }
  problems.refuse(source);
  return { scenarios, ignoreCoverage: ignore as readonly string[] };
}

function refuseDoubles(scenarios: readonly Scenario[], problems: Problems): void {
  const seen = new Set<string>();
  for (const { name, pointer } of scenarios) {
    if (seen.has(name)) problems.error(at(pointer, 'name'), `Two scenarios are called "${name}".`);
    seen.add(name);
  }
}

function readScenario(
  own: JsonObject,
  file: JsonObject,
  pointer: string,
  otherwise: string,
  problems: Problems,
): Scenario {
  const read = new Fields(own, file, pointer, problems);
  const expect = getOwn(own, 'expect');
  if (expect === undefined)
    problems.error(pointer, 'There is no "expect": nothing would be tested.');
  const startAt = read.optional(
    'startAt',
    (value) => typeof value === 'string' && !Number.isNaN(Date.parse(value)),
    'an instant such as "2026-01-31T08:00:00Z"',
  );
  return {
    name: read.text('name', otherwise),
    pointer,
    machine: read.text('machine', null),
    machines: read.paths('machines'),
    input: getOwn(own, 'input') ?? getOwn(file, 'input'),
    mocks: [...mockSource(own, pointer), ...(own === file ? [] : mockSource(file, ''))],
    testCase: read.optional(
      'case',
      (value) => typeof value === 'string',
      'the name of a test case',
    ) as string | null,
    unmocked: read.choice('unmocked', ['plausible', 'fail'] as const),
    validateMocks: read.choice('validateMocks', ['NONE', 'PRESENT', 'STRICT'] as const),
    seed: (read.optional(
      'seed',
      (value) => Number.isSafeInteger(value) && (value as number) >= 0,
      'a whole number from 0',
    ) ?? 0) as number,
    startAt: startAt === null ? null : Date.parse(startAt as string),
    type: read.choice('type', ['STANDARD', 'EXPRESS'] as const),
    executionName: read.text('executionName', 'simulation'),
    skip: getOwn(own, 'skip') === true,
    only: getOwn(own, 'only') === true,
    checks: expect === undefined ? [] : readExpectations(expect, at(pointer, 'expect'), problems),
  };
}

function mockSource(object: JsonObject, pointer: string): readonly MockSource[] {
  const value = getOwn(object, 'mocks');
  return value === undefined ? [] : [{ pointer: at(pointer, 'mocks'), value }];
}

/** Members of a scenario, or of its file when it has none itself. */
class Fields {
  constructor(
    private readonly own: JsonObject,
    private readonly file: JsonObject,
    private readonly pointer: string,
    private readonly problems: Problems,
  ) {}

  private find(key: string): readonly [Json | undefined, string] {
    const value = getOwn(this.own, key);
    if (value !== undefined) return [value, at(this.pointer, key)];
    return [getOwn(this.file, key), at('', key)];
  }

  text(key: string, otherwise: string | null): string {
    const [value, place] = this.find(key);
    if (typeof value === 'string' && value !== '') return value;
    if (value !== undefined || otherwise === null) {
      const missing = value === undefined ? `There is no "${key}".` : 'Must be a text.';
      this.problems.error(value === undefined ? this.pointer : place, missing);
    }
    return otherwise ?? '';
  }

  optional(key: string, fits: (value: Json) => boolean, what: string): Json {
    const [value = null, place] = this.find(key);
    if (value !== null && !fits(value)) this.problems.error(place, `Must be ${what}.`);
    return value !== null && fits(value) ? value : null;
  }

  paths(key: string): readonly (readonly [string, string])[] {
    const [value = {}, place] = this.find(key);
    const entries = isObject(value) ? (Object.entries(value) as [string, Json][]) : [];
    if (!isObject(value) || !entries.every(([, path]) => typeof path === 'string')) {
      this.problems.error(place, 'Must be an object of paths: {"Child": "child.asl.json"}.');
      return [];
    }
    return entries as [string, string][];
  }

  /** The first is the default. */
  choice<T extends string>(key: string, choices: readonly [T, ...T[]]): T {
    const [value, place] = this.find(key);
    const found = choices.find((one) => one === value);
    if (value !== undefined && found === undefined) {
      this.problems.error(place, `Must be one of ${choices.join(', ')}.`);
    }
    return found ?? choices[0];
  }
}

/** What was not as expected; empty: passed. */
export async function judge(
  run: Simulation,
  checks: readonly Check[],
): Promise<readonly ExpectationFailure[]> {
  return (await Promise.all(checks.map((check) => check(run)))).flat();
}
