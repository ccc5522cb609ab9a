/** Mock files from the command line: found, read, and held against the machine. */
import type { JsonObject } from '../lib/json.js';
import { isMockConfig } from '../simulate/mocks/aws-config.js';
import { checkPlan } from '../simulate/mocks/check.js';
import { loadPlan } from '../simulate/mocks/load.js';
import type { Plan } from '../simulate/mocks/plan.js';
import { type FileProblem, FileProblems } from '../simulate/mocks/problems.js';
import { readDocument } from '../simulate/documents.js';
import type { FieldValidationMode } from '../wire/service-outputs/check.js';
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
  if (testCase !== undefined && !isMockConfig(value)) {
    throw new Problem(
      `${mocks} has no test cases: --case is for AWS's MockConfigFile.json.`,
      'Leave --case out, or give a file with "StateMachines" and "MockedResponses".',
    );
  }
  const wanted = { machine: machine.name, testCase: testCase ?? null };
  const { plan, warnings } = await loadPlan(value, mocks, wanted);
  const found = checkPlan(plan, JSON.parse(machine.text) as JsonObject, choice.validate);
  const errors = found.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw new FileProblems(plan.source, errors);
  return { plan, warnings: [...warnings, ...found] };
}
