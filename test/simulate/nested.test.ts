/** Nested executions: mocked like any call, or run for real in the same virtual time. */
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/lib/json.js';
import { ownJournals } from '../../src/simulate/simulate.js';
import { simulate } from '../../src/simulate/testing.js';

const CHILD: JsonObject = {
  StartAt: 'Sleep',
  States: {
    Sleep: { Type: 'Wait', Seconds: 3600, Next: 'Work' },
    Work: { Type: 'Task', Resource: 'local:work', End: true },
  },
};

const parent = (suffix: string, more: JsonObject = {}): JsonObject => ({
  StartAt: 'Start',
  States: {
    Start: {
      Type: 'Task',
      Resource: `arn:aws:states:::states:startExecution${suffix}`,
      Parameters: {
        StateMachineArn: 'arn:aws:states:us-east-1:123456789012:stateMachine:Child',
        'Input.$': '$',
      },
      End: true,
      ...more,
    },
  },
});

const work = { Work: { compute: { got: '{% $input %}' } } };

describe('a nested execution', () => {
  it('runs for real, mocks and all, and hands its output back as .sync and .sync:2 do', async () => {
    const run = async (suffix: string) => {
      const { output, tookMs, history, calls } = await simulate({
        machine: parent(suffix),
        machines: { Child: CHILD },
        input: { n: 1 },
        resources: { 'local:work': work.Work },
      });
      return {
        output: output as JsonObject,
        tookMs,
        types: history.map(({ type }) => type),
        calls,
      };
    };
    const second = await run('.sync:2');
    expect(second.output).toMatchObject({ Status: 'SUCCEEDED', Output: { got: { n: 1 } } });
    expect(second.tookMs).toBe(3_600_000);
    expect(second.types).toContain('TaskSubmitted');
    expect(second.calls.map(({ state, by }) => [state, by])).toEqual([
      ['Start', 'nested'],
      ['Work', 'mock'],
    ]);
    expect((await run('.sync')).output.Output).toBe('{"got":{"n":1}}');
    const started = await run('');
    expect(started.output.ExecutionArn).toContain(':execution:Child:');
    expect(started.tookMs).toBe(0);
  });

  it('fails its parent with what became of it, and ends with the parent that times out', async () => {
    const failed = await simulate({
      machine: parent('.sync:2'),
      machines: { Child: CHILD },
      input: {},
      resources: { 'local:work': { throw: 'Broken' } },
    });
    expect(failed.error).toBe('States.TaskFailed');
    expect(JSON.parse(failed.cause ?? '')).toMatchObject({ Status: 'FAILED', Error: 'Broken' });
    const late = await simulate({
      machine: parent('.sync:2', { TimeoutSeconds: 60 }),
      machines: { Child: CHILD },
      input: {},
    });
    expect([late.error, late.tookMs]).toEqual(['States.Timeout', 60_000]);
    expect(ownJournals(late)).toHaveLength(1);
    expect(late.journals.size).toBe(2);
  });

  it('is mocked where a mock names its state, and made up where its machine is not given', async () => {
    const machine = parent('.sync:2');
    const mocked = await simulate({
      machine,
      machines: { Child: CHILD },
      input: {},
      mocks: { Start: { return: { Output: 1 } } },
    });
    expect(mocked.output).toEqual({ Output: 1 });
    const madeUp = await simulate({ machine, input: {} });
    expect(madeUp.output).toMatchObject({ Status: 'SUCCEEDED' });
  });
});
