import { describe, expect, it } from 'vitest';
import {
  invalidDefinitionMessage,
  validateDefinition,
  validateState,
} from '../../../src/core/validate.js';
import { shared, skipLoudly } from './support.js';

/** Every definition that AWS was ever recorded with: refused with these words, or accepted. */
interface Step {
  readonly op?: string;
  readonly params?: {
    readonly definition?: unknown;
    readonly type?: string;
    readonly stateName?: string;
  };
  readonly expect?: { readonly diagnostics?: readonly object[]; readonly result?: string };
  readonly expectError?: { readonly type: string; readonly message?: string };
}
interface Case {
  readonly id: string;
  readonly steps: readonly Step[];
}

const AREAS =
  'activities api arguments assign base callback choice_operators comments context_object credentials error_handling ' +
  'evaluate_jsonata express intrinsic_functions local_mocking logs map_labels outputdecl query_language s3 scenarios ' +
  'services states_variables task_lambda test_state timeouts';

const DEFINING = [
  'CreateStateMachine',
  'UpdateStateMachine',
  'ValidateStateMachineDefinition',
  'TestState',
];

interface Recorded {
  readonly id: string;
  readonly step: Step;
  readonly text: string;
}

function recorded(): readonly Recorded[] {
  return AREAS.split(' ').flatMap((area) => {
    const cases = JSON.parse(shared(`conformance/cases/${area}.json`) ?? '[]') as readonly Case[];
    return cases.flatMap(({ id, steps }) =>
      steps
        .filter((step) => DEFINING.includes(step.op ?? '') && step.params?.definition !== undefined)
        .map((step) => ({ id: `${area} ${id}`, step, text: fill(step.params?.definition) })),
    );
  });
}

/** Run-time values of the runner, in a form that AWS would have been given. */
function fill(definition: unknown): string {
  const text = typeof definition === 'string' ? definition : JSON.stringify(definition);
  return text
    .replaceAll('${region}', 'us-east-1')
    .replaceAll('${account}', '111111111111')
    .replace(/\$\{\w*[aA]rn\w*\}/g, 'arn:aws:states:us-east-1:111111111111:activity:work')
    .replace(/\$\{\w+\}/g, 'x');
}

function validate({ step, text }: Recorded) {
  const type = step.params?.type === 'EXPRESS' ? 'EXPRESS' : 'STANDARD';
  const isState = step.op === 'TestState' && step.params?.stateName === undefined;
  return (isState ? validateState : validateDefinition)(text, { type, strict: true });
}

const ALL = recorded();
if (ALL.length === 0) skipLoudly('the replay of AWS recordings');

describe.skipIf(ALL.length === 0)('recorded by AWS', () => {
  const refused = ALL.filter(
    ({ step }) =>
      step.expectError?.type === 'InvalidDefinition' &&
      !step.expectError.message?.startsWith('TestState API does not support'),
  );
  it.each(refused.map((one) => [one.id, one] as const))(
    'refuses %s in the same words',
    (_, one) => {
      const { definition, diagnostics } = validate(one);
      expect(definition).toBeNull();
      const wanted = one.step.expectError?.message?.replace('<partition>', 'aws');
      if (wanted !== undefined) expect(invalidDefinitionMessage(diagnostics)).toBe(wanted);
    },
  );

  const judged = ALL.filter(({ step }) => step.op === 'ValidateStateMachineDefinition');
  it.each(judged.map((one) => [one.id, one] as const))('gives the diagnostics of %s', (_, one) => {
    const found = validate(one)
      .diagnostics.filter(({ severity }) => severity === 'ERROR')
      .map(({ severity, code, message, location }) =>
        location === null ? { severity, code, message } : { severity, code, message, location },
      );
    expect(found).toEqual(one.step.expect?.diagnostics);
  });

  it('accepts every definition that AWS accepted', () => {
    const accepted = ALL.filter(
      ({ step }) => step.expectError === undefined && step.op !== 'ValidateStateMachineDefinition',
    );
    const wrong = accepted.filter((one) => validate(one).definition === null);
    expect(wrong.map(({ id }) => id)).toEqual([]);
    expect(accepted.length).toBeGreaterThan(500);
  });
});
