/** The shipped machine tested with vitest: the same power as scenario files, from TypeScript. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Coverage, coverageOf, expectRun, percentOf, simulate } from 'stepwell/testing';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const machine = here('../../state-machines/ml-lifecycle.asl.json');
const mocks = here('./ml-lifecycle.mocks.yaml');
const input = {
  source: { type: 'file', path: 'data/customer_feedback.csv' },
  training: { model: 'models/stepwell-mini-bert', hyperparameters: { epochs: 4 } },
  gate: { minimumAccuracy: 0.85 },
  endpoint: 'customer-sentiment',
};

describe('the model lifecycle', () => {
  let coverage: Coverage;

  beforeAll(async () => {
    coverage = await coverageOf(machine);
  });

  it('deploys a good model after forty-two minutes, in milliseconds', async () => {
    const run = await simulate({ machine, mocks, input, coverage });
    await expectRun(run, {
      outputIncludes: { deployment: { endpoint: 'customer-sentiment' } },
      calls: { Register: { inputIncludes: { metrics: { accuracy: 0.91 } } } },
      took: { atLeast: '42m', atMost: '43m' },
    });
    expect(run.pathTaken.at(-1)).toBe('Done');
  });

  it('retries a source that cannot be reached, and then tells', async () => {
    const seen: number[] = [];
    const run = await simulate({
      machine,
      input,
      coverage,
      mocks: {
        IngestFeedback: (_input, call) => {
          seen.push(call.attempt);
          throw Object.assign(new Error('connection refused'), { name: 'DataSource.Unreachable' });
        },
      },
    });
    expect(seen).toEqual([0, 1, 2]);
    await expectRun(run, { error: 'DataSource.Unreachable', took: '10m' });
  });

  afterAll(() => {
    const report = coverage.report();
    expect(percentOf(report.totals.choice)).toBe(50);
    expect(report.places.find(({ id }) => id === 'exhausted IngestFeedback 0')?.hits).toBe(1);
  });
});
