/**
 * The machine that closes the loop, in virtual time: real training of the shipped base, real children,
 * real requests and labels on loopback. Users write English, then German; hours pass in seconds.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'csv-parse/sync';
import { afterEach, expect, it } from 'vitest';
import type { JsonObject } from '../../../src/lib/json.js';
import { type LifecycleWorld, openLifecycle } from '../../support/lifecycle-world.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const read = (name: string) =>
  parse(readFileSync(join(ROOT, 'data', name), 'utf8'), { columns: true }) as {
    text: string;
    sentiment: string;
  }[];
const english = read('customer_feedback.csv').slice(1500);
const german = read('customer_feedback_german.csv');

let world: LifecycleWorld;
afterEach(() => world.close());

function inputOf(changes: JsonObject = {}, rounds = 2): JsonObject {
  const shipped = JSON.parse(
    readFileSync(join(ROOT, 'state-machines/ml-closed-loop.input.json'), 'utf8'),
  ) as JsonObject & { training: JsonObject };
  const { rehearsal: _, ...input } = shipped;
  return {
    ...input,
    // Few rows and a frozen base: quick, and good enough to be beaten by one that has seen German.
    limit: 900,
    gate: { minimumAccuracy: 0.5 },
    source: { type: 'file', path: join(ROOT, 'data/customer_feedback.csv') },
    training: { ...input.training, model: join(ROOT, 'models/stepwell-mini-bert') },
    monitor: { ...(input.monitor as JsonObject), intervalSeconds: 60, rounds },
    ...changes,
  };
}

/** Sends rows as users would; their labels come back at once. */
async function send(
  rows: readonly { text: string; sentiment: string }[],
  from: number,
): Promise<void> {
  const { url } = world.serving;
  await Promise.all(
    rows.map(async ({ text, sentiment }, index) => {
      const id = `r-${from + index}`;
      const answer = await fetch(`${url}/endpoints/customer-sentiment/invocations`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-amzn-sagemaker-inference-id': id },
        body: JSON.stringify({ inputs: text }),
      });
      expect(answer.status).toBe(200);
      await answer.arrayBuffer();
      await fetch(`${url}/endpoints/customer-sentiment/feedback`, {
        method: 'POST',
        body: JSON.stringify({ inferenceId: id, label: sentiment }),
      });
    }),
  );
}

let sent = 0;
let roundsServed = 0;
const CANARY = ['Canary', 'Rollout', 'SendsMeanwhile', 'RealTraffic'];

/** Once a round while the machine waits for traffic; again and again while a canary bakes. */
async function users(current: LifecycleWorld): Promise<void> {
  const entered = await current.states('ml-closed-loop');
  const rounds = entered.filter((name) => name === 'WaitForTraffic').length;
  const baking = CANARY.includes(entered.at(-1) ?? '');
  const waiting = entered.at(-1) === 'WaitForTraffic' && rounds > roundsServed;
  if (!baking && !waiting) return;
  roundsServed = rounds;
  const rows = rounds === 1 ? english : german;
  const count = baking ? 60 : 200;
  const begin = sent % (rows.length - count);
  sent += count;
  await send(rows.slice(begin, begin + count), sent);
}

it('ingests, trains, gates, deploys, monitors, sees drift, retrains, compares, promotes by canary, and goes on', async () => {
  sent = roundsServed = 0;
  world = await openLifecycle({ virtual: true, onInstant: users });
  const result = await world.run('ml-closed-loop', inputOf());
  // First, so that a failure says why nothing was promoted.
  expect(world.alerts.map((alert) => [alert.Subject, alert.Message])).toEqual([
    ['Model promoted', expect.any(String)],
  ]);
  expect(result).toMatchObject({
    outcome: 'Finished',
    rounds: 2,
    promotions: 1,
    champion: { name: 'customer-sentiment', version: 'v1.1.0' },
  });
  const path = await world.states('ml-closed-loop');
  const at = (name: string): number => path.indexOf(name);
  const story = [
    'FirstCandidate',
    'DeployFirst',
    'Baseline',
    'Monitor',
    'Acquire',
    'CollectFeedback',
    'Retrain',
    'EvaluateChampion',
    'EvaluateCandidate',
    'Canary',
    'NewChampion',
    'NewBaseline',
    'Finished',
  ];
  expect(story.map(at)).toEqual([...story.map(at)].sort((a, b) => a - b));
  expect(at('FirstCandidate')).toBe(0);
  // The first round was clean, the second one was not.
  expect(path.filter((name) => name === 'Monitor')).toHaveLength(2);
  expect(path.filter((name) => name === 'Retrain')).toHaveLength(1);
  const [v1, v2] = await world.registry.versions('customer-sentiment');
  expect(v1).toMatchObject({ version: 'v1.0.0', stage: 'Archived' });
  expect(v2).toMatchObject({ version: 'v1.1.0', stage: 'Production', aliases: ['champion'] });
  // Whoever asks later learns what was in production at noon and in the evening.
  const log = await world.registry.history('customer-sentiment');
  const promoted = log.filter((entry) => entry.what === 'StageChanged');
  expect(promoted.map((entry) => entry.data.version)).toEqual(['v1.0.0', 'v1.1.0']);
  const between = new Date(Date.parse(promoted[1]?.at ?? '') - 1000);
  expect((await world.registry.productionAt('customer-sentiment', between))?.version).toBe(
    'v1.0.0',
  );
  expect((await world.registry.verify()).valid).toBe(true);
});

it('holds a retraining back, and tells people, when the day has had its share', async () => {
  sent = roundsServed = 0;
  world = await openLifecycle({ virtual: true, onInstant: users });
  const result = await world.run(
    'ml-closed-loop',
    inputOf({ trigger: { cooldownSeconds: 0, maxPerDay: 0 } }),
  );
  expect(result).toMatchObject({ promotions: 0, champion: { version: 'v1.0.0' } });
  const subjects = world.alerts.map((alert) => alert.Subject);
  expect(new Set(subjects)).toEqual(new Set(['Drift, but retraining is held back']));
  expect(await world.states('ml-closed-loop')).not.toContain('Retrain');
});
