import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { compareHandler } from '../../../src/handlers/ml/evaluation/compare.js';
import { fairnessHandler } from '../../../src/handlers/ml/evaluation/fairness.js';
import { gateHandler } from '../../../src/handlers/ml/evaluation/gate.js';
import { openLoop } from '../../../src/handlers/ml/evaluation/load-test.js';
import type { Handler } from '../../../src/handlers/handler.js';
import type { JsonObject } from '../../../src/lib/json.js';
import { openPolicies } from '../../../src/ml/gates/policy-store.js';
import { type Bench, bench, failureOf } from '../../services/support/handler-context.js';

let at: Bench;
let gate: Handler;
beforeEach(async () => {
  at = await bench();
  gate = gateHandler({ policies: openPolicies(join(at.folder, 'policies')) });
  await at.write(
    'good.jsonl',
    predictions((i) => i % 20 === 0),
  );
  await at.write(
    'poor.jsonl',
    predictions((i) => i % 4 === 0),
  );
});
afterEach(() => at.close());

const predictions = (wrong: (i: number) => boolean): string =>
  Array.from({ length: 200 }, (_, i) => {
    const [label, other] = i % 2 === 0 ? ['yes', 'no'] : ['no', 'yes'];
    const predicted = wrong(i) ? other : label;
    const kept = { channel: i % 3 === 0 ? 'web' : 'email' };
    return JSON.stringify({ text: `row ${i}`, label, predicted, kept });
  }).join('\n');

const policy = {
  name: 'sentiment',
  version: '1.0.0',
  clauses: [
    { metric: 'accuracy', value: 0.9 },
    { metric: 'accuracy', versus: 'champion', margin: 0, significance: 0.05 },
    { metric: 'accuracy', slice: 'channel', value: 0.9, minimumRows: 30 },
    { metric: 'channel.demographicParityRatio', value: 0.8 },
    { metric: 'modelBytes', value: 100 },
  ],
};
const good = { metrics: { accuracy: 0.95 }, predictionsUri: 'good.jsonl' };
const poor = { metrics: { accuracy: 0.75 }, predictionsUri: 'poor.jsonl' };

test('the whole gate: bound, champion with significance, slices, fairness, size', async () => {
  await at.write('model/a.bin', 'x'.repeat(60));
  await at.write('model/onnx/b.bin', 'x'.repeat(40));
  const fair = await at.run(fairnessHandler, {
    predictions: good,
    sensitive: ['channel'],
    favourable: 'yes',
  });
  const parameters = { policy, evaluation: good, champion: poor, reports: [fair], model: 'model' };
  const result = await at.run(gate, parameters);
  expect(result).toMatchObject({
    passed: true,
    failed: 0,
    policy: { name: 'sentiment', version: '1.0.0' },
  });
  expect((result.clauses as JsonObject[]).map((clause) => clause.kind)).toEqual([
    'bound',
    'champion',
    'slice',
    'bound',
    'bound',
  ]);
  const other = await at.run(gate, { ...parameters, evaluation: poor, champion: good });
  expect(other).toMatchObject({ passed: false });
  // From now on the name is enough.
  const named = await at.run(gate, { ...parameters, policy: { name: 'sentiment' } });
  expect(named).toEqual(result);
});

test('what was not measured fails: no fairness report, no model, no champion', async () => {
  const result = await at.run(gate, { policy, evaluation: good });
  const clauses = result.clauses as JsonObject[];
  expect(clauses.map((clause) => clause.passed)).toEqual([true, false, true, false, false]);
  expect(clauses[3]?.reason).toBe('the metric "channel.demographicParityRatio" is missing');
  const failure = await failureOf(at.run(gate, { policy, evaluation: good, onFailure: 'fail' }));
  expect(failure.error).toBe('Gate.NotPassed');
  expect(failure.reason).toContain('modelBytes <= 100: the metric "modelBytes" is missing');
});

test('a version of a policy never changes', async () => {
  await at.run(gate, { policy, evaluation: good });
  const eased = { ...policy, clauses: policy.clauses.slice(0, 1) };
  const failure = await failureOf(at.run(gate, { policy: eased, evaluation: good }));
  expect(failure.error).toBe('Gate.PolicyChanged');
  const next = await at.run(gate, { policy: { ...eased, version: '1.10.0' }, evaluation: good });
  expect(next.passed).toBe(true);
  await at.run(gate, { policy: { ...eased, version: '1.9.0' }, evaluation: good });
  const latest = await at.run(gate, { policy: { name: 'sentiment' }, evaluation: good });
  expect(latest.policy).toMatchObject({ version: '1.10.0' });
  const unknown = await failureOf(at.run(gate, { policy: { name: 'other' }, evaluation: good }));
  expect(unknown.error).toBe('Gate.UnknownPolicy');
  const outside = { policy: { name: '../../etc', version: '1' }, evaluation: good };
  expect((await failureOf(at.run(gate, outside))).error).toBe('Gate.BadPolicy');
});

test('two models compared: McNemar and bootstrap agree that one is better', async () => {
  const result = await at.run(compareHandler, { baseline: poor, candidate: good });
  expect(result).toMatchObject({ rows: 200, mcNemar: { onlyBaseline: 0, onlyCandidate: 40 } });
  expect((result.metrics as JsonObject[]).map((one) => one.verdict)).toEqual(['better', 'better']);
});

test('an open loop counts from the instant a request was due: a stall shows in every waiting one', async () => {
  // The endpoint answers one at a time and stands still once, as a garbage collection does.
  let free = Promise.resolve();
  let calls = 0;
  const invoke = () => {
    const pause = ++calls === 5 ? 150 : 0;
    free = free.then(() => new Promise((done) => setTimeout(done, pause)));
    return free.then(() => ({ status: 200 }));
  };
  const plan = { perSecond: 200, requests: 40, texts: ['a', 'b'] };
  const result = await openLoop(plan, invoke, new AbortController().signal);
  expect(result).toMatchObject({ sent: 40, answered: 40, errors: 0, overloaded: false });
  // A closed loop would have had a single slow answer; here the requests behind it were late too.
  expect(result.latenciesMs.filter((ms) => ms > 50).length).toBeGreaterThan(5);
});

test('errors of the endpoint are counted, not thrown', async () => {
  let calls = 0;
  const invoke = async () => {
    if (++calls % 2 === 0) throw new Error('refused');
    return { status: calls === 1 ? 503 : 200 };
  };
  const plan = { perSecond: 1000, requests: 4, texts: ['a'] };
  const result = await openLoop(plan, invoke, new AbortController().signal);
  expect(result).toMatchObject({ sent: 4, answered: 1, errors: 3 });
});
