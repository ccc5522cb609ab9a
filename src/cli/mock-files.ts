/** Mock files from the command line: found, read, their functions loaded, and held against the machine. */
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { getOwn, isObject, type Json, type JsonObject } from '../lib/json.js';
import { isMockConfig, readMockConfig } from '../simulate/mocks/aws-config.js';
import { checkPlan } from '../simulate/mocks/check.js';
import { type ReadPlan, readMockFile } from '../simulate/mocks/file.js';
import type { Plan } from '../simulate/mocks/plan.js';
import { type FileProblem, FileProblems } from '../simulate/mocks/problems.js';
import type { MockFunction } from '../simulate/mocks/rules.js';
import type { FieldValidationMode } from '../wire/service-outputs/check.js';
import { readDocument } from './documents.js';
import type { MachineFile } from './input.js';
import { Problem } from './problem.js';

export interface MockChoice {
  readonly mocks: string | undefined;
  /** A test case of a MockConfigFile. */
  readonly testCase: string | undefined;
  readonly validate: FieldValidationMode;
}

export interface LoadedMocks {
  readonly plan: Plan;
  readonly warnings: readonly FileProblem[];
}

export async function loadMocks(
  choice: MockChoice,
  machine: MachineFile,
): Promise<LoadedMocks | null> {
  const { mocks, testCase } = choice;
  if (mocks === undefined) {
    if (testCase === undefined) return null;
    throw new Problem(
      '--case names a test case of a mock file.',
      'Add --mocks MockConfigFile.json.',
    );
  }
  const value = await readDocument(mocks, 'mock file');
  const read = await readPlan(value, mocks, { machine: machine.name, testCase: testCase ?? null });
  return checked(read, machine, choice.validate);
}

/** Throws FileProblems for what the machine does not have. */
export function checked(
  { plan, warnings }: ReadPlan,
  machine: MachineFile,
  validate: FieldValidationMode,
): LoadedMocks {
  const found = checkPlan(plan, JSON.parse(machine.text) as JsonObject, validate);
  const errors = found.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw new FileProblems(plan.source, errors);
  return { plan, warnings: [...warnings, ...found] };
}

/** A plan from a document: AWS's format or ours. `path` is the file it stands in. */
export async function readPlan(
  value: Json,
  path: string,
  wanted: { readonly machine: string; readonly testCase: string | null },
  pointer = '',
): Promise<ReadPlan> {
  if (isMockConfig(value)) return readMockConfig(value, path, wanted);
  if (wanted.testCase !== null) {
    throw new Problem(
      `${path} has no test cases: --case is for AWS's MockConfigFile.json.`,
      'Leave --case out, or give a file with "StateMachines" and "MockedResponses".',
    );
  }
  return readMockFile(value, path, await functionsOf(value, path), pointer);
}

/** Functions that the rules name: `name` of the file's `module`, or `./file.js#name`. */
async function functionsOf(value: Json, path: string): Promise<ReadonlyMap<string, MockFunction>> {
  const found = new Map<string, MockFunction>();
  const names = functionNames(value);
  const own = isObject(value) ? getOwn(value, 'module') : undefined;
  if (typeof own === 'string') {
    for (const [name, exported] of Object.entries(await load(own, path))) {
      if (typeof exported === 'function') found.set(name, exported as MockFunction);
    }
  }
  for (const name of names) {
    const hash = name.indexOf('#');
    if (hash < 0) continue;
    const exported = (await load(name.slice(0, hash), path))[name.slice(hash + 1)];
    if (typeof exported !== 'function') {
      throw new Problem(
        `${path}: ${name.slice(0, hash)} exports no function "${name.slice(hash + 1)}".`,
      );
    }
    found.set(name, exported as MockFunction);
  }
  return found;
}

function functionNames(value: Json): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(functionNames);
  if (!isObject(value)) return [];
  const own = getOwn(value, 'function');
  const inner = Object.entries(value).flatMap(([key, member]) =>
    // Results are data: what looks like a rule in them is none.
    key === 'return' || key === 'payload' ? [] : functionNames(member as Json),
  );
  return typeof own === 'string' ? [own, ...inner] : inner;
}

async function load(module: string, from: string): Promise<Record<string, unknown>> {
  const file = resolve(dirname(resolve(from)), module);
  try {
    return (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (error) {
    throw new Problem(
      `${from}: the module ${module} cannot be loaded: ${(error as Error).message}`,
    );
  }
}
