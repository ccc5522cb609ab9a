/** What is recorded from a run answers the same again. */
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../src/lib/json.js';
import type { Responder } from '../../src/simulate/call.js';
import { defaultResponder } from '../../src/simulate/mocks/defaults.js';
import { readMockFile } from '../../src/simulate/mocks/file.js';
import { responderOf } from '../../src/simulate/mocks/plan.js';
import { recordMocks } from '../../src/simulate/mocks/record.js';
import { type Simulation, simulate } from '../../src/simulate/simulate.js';
import { generateMachine } from '../sim/generator.js';

async function again(first: Simulation, definition: JsonObject, input: Json): Promise<Simulation> {
  const { plan, warnings } = readMockFile(recordMocks(first.journals, first.arn), 'recorded.yaml');
  expect(warnings).toEqual([]);
  return simulate({ definition, input, mocks: responderOf(plan) });
}

const TASK = { Type: 'Task', Resource: 'local:task' };

describe('recorded mocks', () => {
  it('say equal answers once, and others by attempt and iteration', async () => {
    const definition: JsonObject = {
      StartAt: 'Flaky',
      States: {
        Flaky: {
          ...TASK,
          Retry: [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 1 }],
          ResultPath: '$.flaky',
          Next: 'Rows',
        },
        Rows: {
          Type: 'Map',
          ItemsPath: '$.rows',
          ItemProcessor: {
            ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
            StartAt: 'Row',
            States: { Row: { ...TASK, Next: 'Same' }, Same: { ...TASK, End: true } },
          },
          End: true,
        },
      },
    };
    const mocks: Responder = ({ state, attempt, input }) => {
      if (state === 'Row') return { return: { row: input }, afterMs: 1500 };
      if (state === 'Same') return { return: 'same' };
      return attempt < 2 ? { throw: { error: 'Busy', cause: 'later' } } : { return: 'ok' };
    };
    const input = { rows: ['a', 'b'] };
    const first = await simulate({ definition, input, mocks });
    expect(recordMocks(first.journals, first.arn)).toEqual({
      states: {
        Flaky: {
          sequence: [{ throw: { error: 'Busy', cause: 'later' }, times: 2 }, { return: 'ok' }],
        },
        Row: [
          { index: { Rows: 0 }, return: { row: 'a' }, after: '1500ms' },
          { index: { Rows: 1 }, return: { row: 'b' }, after: '1500ms' },
        ],
        Same: { return: 'same' },
      },
    });
    const second = await again(first, definition, input);
    expect(second.output).toEqual(first.output);
    expect(second.tookMs).toBe(first.tookMs);
  });

  it('bring generated machines to the same end', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const { definition, input } = generateMachine(seed);
      const responders = [defaultResponder(definition)];
      const first = await simulate({ definition, input, responders });
      const second = await again(first, definition, input);
      expect([seed, second.status, second.output, second.error]).toEqual([
        seed,
        first.status,
        first.output,
        first.error,
      ]);
    }
  });

  it('find again what an ItemReader read', async () => {
    const definition: JsonObject = {
      StartAt: 'Rows',
      States: {
        Rows: {
          Type: 'Map',
          ItemReader: {
            Resource: 'arn:aws:states:::s3:getObject',
            Parameters: { Bucket: 'b', Key: 'k' },
          },
          ItemProcessor: {
            ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'EXPRESS' },
            StartAt: 'Row',
            States: { Row: { Type: 'Pass', End: true } },
          },
          End: true,
        },
      },
    };
    const items = [{ id: 'a' }, { id: 'b' }, { id: 'c' }];
    const first = await simulate({
      definition,
      input: {},
      seed: 5,
      mocks: () => ({ return: items }),
    });
    const mocks = recordMocks(first.journals, first.arn, definition);
    expect(mocks).toEqual({ states: { Rows: { items } } });
    const { plan } = readMockFile(mocks, 'recorded.yaml');
    const second = await simulate({ definition, input: {}, mocks: responderOf(plan) });
    expect(second.output).toEqual(items);
  });
});
