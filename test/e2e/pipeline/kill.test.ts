/**
 * `kill -9` into the lifecycle machine, again and again: while it trains, evaluates, registers and
 * deploys. The same command goes on. What was finished is not done again, training resumes from a
 * checkpoint, and the model is the one that an undisturbed run makes.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startWebServer, type WebServer } from '../../handlers/world.js';
import {
  type Ended,
  feedbackCsv,
  LIFECYCLE,
  leftOver,
  lifecycleInput,
  type Loose,
  Project,
  runOf,
} from './project.js';

/** An epoch has some 55 steps of four rows: longer than the 50 steps between two checkpoints. */
const ROWS = 320;
const EPOCHS = 3;

let web: WebServer;
let calm: Project;
let killed: Project;
beforeAll(async () => {
  const csv = feedbackCsv(ROWS);
  web = await startWebServer((_request, response) => {
    response.setHeader('content-type', 'text/csv').end(csv);
  });
  calm = new Project({ rows: 1, config: (shipped) => listening(shipped, 'calm') });
  killed = new Project({ rows: 1, config: (shipped) => listening(shipped, 'killed') });
});
afterAll(async () => {
  calm.remove();
  killed.remove();
  await web.close();
});

/** Ingestion and alerts go through a server that counts them. */
function listening(shipped: Loose, who: string): Loose {
  const subscriptions = [
    { protocol: 'file', path: './alerts.jsonl' },
    { protocol: 'http', endpoint: `${web.url}/${who}/alert` },
  ];
  return {
    ...shipped,
    topics: { 'ml-alerts': { subscriptions } },
    egress: { allow: [web.host] },
  };
}

function commandFor(who: string): string[] {
  const input = lifecycleInput({
    source: { type: 'http', url: `${web.url}/${who}/feedback.csv`, format: 'csv' },
    hyperparameters: { strategy: 'full', epochs: EPOCHS, batchSize: 4, seed: 7 },
    minimumAccuracy: 0.3,
  });
  return runOf(LIFECYCLE, input);
}

const trains = (epoch: number, step: number) => (line: Loose) =>
  line.stateName === 'FineTune' && line.details?.epoch >= epoch && line.details.step >= step;
const starts = (resource: string) => (line: Loose) =>
  line.event?.taskStartedEventDetails?.resource === resource;

/** Where it is killed, in the order in which one execution comes by. */
const MOMENTS: readonly [string, (line: Loose) => boolean][] = [
  ['training, after the first checkpoint', trains(1, 51)],
  ['training again, in the last epoch', trains(EPOCHS, 1)],
  ['evaluation', (line) => line.stateName === 'Evaluate'],
  ['registration', starts('register')],
  ['deployment', (line) => line.stateName === 'Deploy'],
];

it('five kills change nothing but the time', async () => {
  const expected = await calm.start(...commandFor('calm')).ended;
  expect(expected.result, expected.stderr).toMatchObject({ status: 'SUCCEEDED' });

  const groups: number[] = [];
  for (const [moment, comes] of MOMENTS) {
    const run = killed.start(...commandFor('killed'));
    groups.push(run.pid);
    await run.until(comes);
    run.kill();
    const { status, stderr } = await run.ended;
    expect({ status, stderr }, moment).toEqual({ status: null, stderr: '' });
  }
  const last = killed.start(...commandFor('killed'));
  groups.push(last.pid);
  const ended = await last.ended;
  expect(ended.result, ended.stderr).toMatchObject({ status: 'SUCCEEDED' });
  expect(ended.stderr).toBe('');

  expectSameModel(ended.result.output, expected.result.output);
  await expectSameHistory(ended, expected);
  expectEffectsOnce();
  expectTrainedOnce(ended.result.output);
  for (const group of groups) expect(await leftOver(group)).toEqual([]);
});

function expectSameModel(output: Loose, expected: Loose): void {
  expect(expected.training.result.resumedFromStep).toBe(0);
  expect(output.evaluation.confusionMatrix).toEqual(expected.evaluation.confusionMatrix);
  expect(output.evaluation.logLoss).toBe(expected.evaluation.logLoss);
  expect(output.training.result.epochs).toEqual(expected.training.result.epochs);
  const weights = (project: Project, { training }: Loose): Buffer =>
    readFileSync(
      join(project.path, project.artifact(`${training.result.model.uri}/onnx/model.onnx`)),
    );
  expect(weights(killed, output).equals(weights(calm, expected))).toBe(true);
  expect(output.registration.version).toBe('v1.0.0');
}

/** The same events in the same order: one TaskScheduled a task, and no trace of the kills. */
async function expectSameHistory(ended: Ended, expected: Ended): Promise<void> {
  const name = (run: Ended): string => run.result.executionArn.split(':').at(-1);
  const shape = (event: Loose) => [
    event.type,
    event.stateEnteredEventDetails?.name ?? event.taskScheduledEventDetails?.resource ?? null,
  ];
  const events = await killed.history(name(ended));
  const printed = ended.lines.flatMap(({ event }) => event?.id ?? []);
  const ids = events.map((event) => event.id);
  expect(printed.length).toBeGreaterThan(0);
  expect(printed).toEqual(ids.slice(-printed.length));
  expect(events.map(shape)).toEqual((await calm.history(name(expected))).map(shape));
}

function expectEffectsOnce(): void {
  const asked = (url: string) => web.received.filter((request) => request.url === url).length;
  expect(asked('/killed/feedback.csv')).toBe(1);
  expect(asked('/killed/alert')).toBe(1);
  expect(killed.jsonLines('alerts.jsonl')).toMatchObject([{ Subject: 'Model deployed' }]);
  expect(killed.registered()).toHaveLength(1);
  const record = killed.read('.stepwell/serving/endpoints/customer-sentiment.json');
  expect(JSON.parse(record)).toMatchObject({ revision: 1, history: [{ revision: 1 }] });
}

/** Killed in its last epoch, it went on from that epoch's beginning; the first step was taken once. */
function expectTrainedOnce({ training }: Loose): void {
  const { steps, resumedFromStep, history } = training.result;
  expect(resumedFromStep).toBe((steps / EPOCHS) * (EPOCHS - 1));
  const curve = killed.jsonLines(killed.artifact(history.uri));
  expect(curve.filter((event) => event.step === 1)).toHaveLength(1);
}
