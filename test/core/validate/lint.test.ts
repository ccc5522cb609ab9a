import { describe, expect, it } from 'vitest';
import { validateDefinition } from '../../../src/core/validate.js';
import { LAMBDA, LENIENT, machine, one, STRICT, warnings } from './support.js';

const task = { Type: 'Task', Resource: LAMBDA };
const token = { Type: 'Task', Resource: 'arn:aws:states:::sqs:sendMessage.waitForTaskToken' };
const request = { QueueUrl: 'q', MessageBody: { 'T.$': '$$.Task.Token' } };
const JSONATA = { QueryLanguage: 'JSONata' };

function codes(text: string, options = LENIENT): readonly string[] {
  return warnings(text, options).map((said) => said.split(':')[0] as string);
}

describe('warnings', () => {
  it.each([
    [
      'a retry of what is never retried',
      { ...task, Retry: [{ ErrorEquals: ['States.Runtime'] }] },
      'SW_RETRY_RUNTIME',
    ],
    [
      'an error name that does not exist',
      { ...task, Retry: [{ ErrorEquals: ['States.TaskFail'] }] },
      'SW_UNKNOWN_ERROR_NAME',
    ],
    [
      'the whole input twice',
      { ...task, Parameters: { 'in.$': '$$.Execution.Input', 'all.$': '$' } },
      'SW_WHOLE_EXECUTION_INPUT',
    ],
    [
      'a token that nobody gets',
      { ...token, HeartbeatSeconds: 60, Parameters: { QueueUrl: 'q', MessageBody: 'm' } },
      'SW_TASK_TOKEN_NOT_PASSED',
    ],
    ['a callback without limit', { ...token, Parameters: request }, 'SW_CALLBACK_WITHOUT_LIMIT'],
    ['a path in a constant', { ...task, Parameters: { a: '$.b' } }, 'NO_DOLLAR'],
    ['a call in a constant', { ...task, Parameters: { a: [{ b: 'States.UUID()' }] } }, 'NO_DOLLAR'],
    ['a path in a Result', { Type: 'Pass', Result: { 'a.$': '$.b' } }, 'PASS_RESULT_IS_STATIC'],
    ['an open substitution', { Type: 'Wait', Seconds: '${Delay}' }, 'SW_UNRESOLVED_SUBSTITUTION'],
    [
      'a variable nobody assigns',
      { Type: 'Pass', InputPath: '$nobody.a' },
      'POSSIBLY_UNDEFINED_VARIABLE',
    ],
  ])('%s', (_, state, code) => {
    const { definition, diagnostics } = validateDefinition(one(state), LENIENT);
    expect(diagnostics.map((found) => found.code)).toEqual([code]);
    expect(diagnostics[0]?.hint).toBeTruthy();
    expect(definition).not.toBeNull();
  });

  it.each([
    ['a path', { Type: 'Pass', InputPath: '${Path}' }],
    ['a path in a template', { Type: 'Pass', Parameters: { 'a.$': '${Path}' } }],
    ['a list of branches', { Type: 'Parallel', Branches: '${Branches}' }],
  ])('an open substitution for %s is refused: no machine can be made of it', (_, state) => {
    const { definition, diagnostics } = validateDefinition(one(state), LENIENT);
    expect(diagnostics[0]).toMatchObject({
      severity: 'ERROR',
      hint: expect.stringContaining('substitution'),
    });
    expect(definition).toBeNull();
  });

  it.each([
    ['amounts of money', { ...task, Parameters: { price: '$5.00', regex: '^$', path: '$' } }],
    [
      'a token within the whole context',
      { ...token, HeartbeatSeconds: 9, Parameters: { QueueUrl: 'q', 'MessageBody.$': '$$' } },
    ],
    [
      'an HTTP status',
      { ...task, Catch: [{ ErrorEquals: ['States.Http.StatusCode.404'], Next: 'S' }] },
    ],
    ['a parts of the execution input', { ...task, Parameters: { 'a.$': '$$.Execution.Input.a' } }],
  ])('nothing about %s', (_, state) => {
    expect(codes(one(state))).toEqual([]);
  });

  it('a substitution is an error where exactly AWS is asked for', () => {
    expect(
      validateDefinition(one({ Type: 'Wait', Seconds: '${Delay}' }), STRICT).definition,
    ).toBeNull();
  });

  it('a Choice without Default', () => {
    const rule = { Variable: '$.a', IsNull: true, Next: 'E' };
    const text = machine({ C: { Type: 'Choice', Choices: [rule] }, E: { Type: 'Succeed' } });
    expect(codes(text)).toEqual(['SW_CHOICE_WITHOUT_DEFAULT']);
  });

  it('states that only unreachable states lead to', () => {
    const pass = (next: string) => ({ Type: 'Pass', Next: next });
    const text = machine({ A: { Type: 'Succeed' }, B: pass('C'), C: pass('B') });
    expect(warnings(text)).toEqual([
      'SW_UNREACHABLE_STATE: No path from StartAt leads to the state "B" at /States/B',
      'SW_UNREACHABLE_STATE: No path from StartAt leads to the state "C" at /States/C',
    ]);
  });

  it('an instant that has passed, where the caller says what time it is', () => {
    const text = one({ Type: 'Wait', Timestamp: '2020-01-01T00:00:00Z' });
    expect(codes(text)).toEqual([]);
    expect(codes(text, { ...LENIENT, now: Date.UTC(2026, 0, 1) })).toEqual(['SW_WAIT_IN_THE_PAST']);
    expect(codes(text, { ...LENIENT, now: Date.UTC(2019, 0, 1) })).toEqual([]);
  });

  it('JSONata: names that nothing assigns and functions that do not exist', () => {
    const states = {
      A: { Type: 'Pass', Assign: { known: 1 }, Next: 'B' },
      B: {
        Type: 'Pass',
        Output: '{% $known + $unknwon + $lenght("x") + ($local := 1; $local) %}',
        End: true,
      },
    };
    expect(warnings(machine(states, JSONATA))).toEqual([
      "POSSIBLY_UNDEFINED_VARIABLE: Variable 'lenght' is possibly not defined. at /States/B/Output",
      "POSSIBLY_UNDEFINED_VARIABLE: Variable 'unknwon' is possibly not defined. at /States/B/Output",
    ]);
  });

  it('inner scopes see outer variables, the items of a Map Run do not', () => {
    const inner = { StartAt: 'I', States: { I: { Type: 'Pass', Output: '{% $x %}', End: true } } };
    const config = { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' };
    const map = (processor: object) =>
      one({ Type: 'Map', Assign: { x: 1 }, ItemProcessor: processor }, JSONATA);
    expect(codes(map(inner))).toEqual([]);
    expect(codes(map({ ...inner, ProcessorConfig: config }))).toEqual([
      'POSSIBLY_UNDEFINED_VARIABLE',
    ]);
  });
});
