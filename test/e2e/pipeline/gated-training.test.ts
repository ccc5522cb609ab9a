/** The machine with proof as a user runs it, twice: everything is judged, and the second run is cached. */
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openRuns } from '../../../src/ml/tracking/run-store.js';
import { type Loose, Project, ROOT } from './project.js';

const MACHINE = 'state-machines/ml-gated-training.asl.json';
const input = JSON.parse(
  readFileSync(join(ROOT, 'state-machines/ml-gated-training.input.json'), 'utf8'),
) as Loose;
let project: Project;
beforeAll(() => {
  project = new Project({ rows: 10 });
  // The channels are what fairness is measured by; the usual test data leaves them out.
  cpSync(
    join(ROOT, 'data/customer_feedback.csv'),
    join(project.path, 'data/customer_feedback.csv'),
  );
});
afterAll(() => project.remove());

it('profiles, validates, trains, judges and passes the gate; then answers from the cache', async () => {
  const first = await project.run(MACHINE, input);
  expect(first.result.cause ?? first.result.status).toBe('SUCCEEDED');
  const { gate, fairness, calibration, explanation } = first.result.output;
  expect(gate).toMatchObject({ passed: true, policy: { version: '1.0.0' } });
  expect(gate.clauses).toHaveLength(input.policy.clauses.length);
  expect(fairness.findings[0].groups.length).toBeGreaterThan(2);
  expect(calibration.test.after.logLoss).toBeGreaterThan(0);
  expect(explanation.explanations[0]).toMatchObject({ method: 'shap-exact' });
  expect(explanation.maximumAdditivityError).toBeLessThan(1e-5);
  const strict = structuredClone(input);
  strict.policy.version = '2.0.0';
  strict.policy.clauses[0].value = 0.999;
  const second = await project.run(MACHINE, strict);
  expect(second.result).toMatchObject({ status: 'FAILED', error: 'Gate.NotPassed' });
  expect(second.result.cause).toContain('is not >= 0.999');
  // One training for two executions: the second was answered from the cache.
  const runs = await openRuns(join(project.path, '.stepwell/mlruns')).list();
  expect(runs.map((run) => run.name.split('/')[1]).sort()).toEqual([
    'Evaluate',
    'Evaluate',
    'EvaluateValidation',
    'EvaluateValidation',
    'Train',
  ]);
}, 120_000);
