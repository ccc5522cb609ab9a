/**
 * Records the golden journals of a release: `npx tsx test/golden/record.ts 0.2.0`. The corpus under
 * ../shared is needed for it, not for the test. What was recorded is never edited, only added to.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { Fact } from '../../src/core/fact.js';
import { sha256 } from '../../src/lib/digest.js';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { defaultResponder, plausibleInput } from '../../src/simulate/mocks/defaults.js';
import { simulate } from '../../src/simulate/simulate.js';
import { CORPUS } from '../sim/corpus.js';
import { generateMachine } from '../sim/generator.js';
import { runMachine, startRequest, TEST_ARN, openWorld } from '../support/run-machine.js';
import { type Golden, goldenOf } from './golden.js';

const SHARED = new URL('../../../shared/', import.meta.url);
const RANDOM = 700;
/** Long journals say nothing more. */
const MAX_FACTS = 150;

const found = new Map<string, Golden>();

function add(name: string, facts: readonly Fact[]): void {
  if (facts.length === 0 || facts.length > MAX_FACTS) return;
  keep(name, facts);
  // Open journals must fold as well: what a crash half way leaves behind.
  if (facts.length > 6) keep(`${name}, half`, facts.slice(0, Math.ceil(facts.length / 2)));
}

function keep(name: string, facts: readonly Fact[]): void {
  const text = sha256(JSON.stringify(facts.map(({ type, frame }) => [type, frame]).concat([[name.endsWith('half')] as never])));
  if (!found.has(text)) found.set(text, goldenOf(name, facts) satisfies Golden);
}

async function simulated(name: string, definition: JsonObject, input: Json): Promise<void> {
  try {
    const run = await simulate({
      definition,
      input,
      responders: [defaultResponder(definition)],
      signal: AbortSignal.timeout(5_000),
    });
    let number = 0;
    for (const facts of run.journals.values()) add(`${name} #${number++}`, facts);
  } catch {
    // Not every definition of a corpus of mistakes can run.
  }
}

async function corpora(): Promise<void> {
  const samples = JSON.parse(
    readFileSync(new URL('definitions/aws-samples.json', SHARED), 'utf8'),
  ) as { id: string; definition: JsonObject }[];
  for (const { id, definition } of samples) {
    await simulated(id, definition, plausibleInput(definition));
  }
  const folder = new URL('conformance/cases/', SHARED);
  const seen = new Set<string>();
  for (const file of readdirSync(folder)) {
    const cases = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as {
      id: string;
      steps: { op?: string; params?: { definition?: string; input?: string } }[];
    }[];
    for (const { id, steps } of cases) {
      const input = steps.find(({ op }) => op === 'StartExecution')?.params?.input ?? '{}';
      for (const { params } of steps) {
        const text = params?.definition;
        if (text === undefined || seen.has(text + input)) continue;
        seen.add(text + input);
        await simulated(id, ...parsed(text, input));
      }
    }
  }
}

function parsed(definition: string, input: string): [JsonObject, Json] {
  try {
    return [JSON.parse(definition) as JsonObject, JSON.parse(input) as Json];
  } catch {
    return [{}, {}];
  }
}

/** A failure, taken up again: what only a redrive writes. */
async function redriven(): Promise<void> {
  const fails = { 's:t': [{ do: 'fail', error: 'Oops' }, { do: 'ok', output: 1 }] } as const;
  for (const [name, { definition, script, input }] of Object.entries(CORPUS)) {
    const world = await openWorld({ ...script, ...fails });
    await world.engine.start(startRequest(definition, input ?? {}));
    const state = await world.clock.runUntil(world.engine.ended(TEST_ARN)).catch(() => null);
    if (state === null || state.status === 'SUCCEEDED') continue;
    await world.engine.redrive(TEST_ARN);
    await world.clock.runUntil(world.engine.ended(TEST_ARN)).catch(() => null);
    add(`${name}, redriven`, (await world.engine.facts(TEST_ARN)) ?? []);
  }
}

async function main(release: string): Promise<void> {
  const folder = fileURLToPath(new URL(`./${release}/`, import.meta.url));
  mkdirSync(folder, { recursive: false });
  for (const [name, { definition, script, input }] of Object.entries(CORPUS)) {
    add(name, (await runMachine(definition, input ?? {}, script)).facts);
  }
  await redriven();
  await corpora();
  for (let seed = 2000; seed < 2000 + RANDOM; seed++) {
    const { definition, script, input } = generateMachine(seed);
    add(`random ${seed}`, (await runMachine(definition, input, script)).facts);
  }
  const lines = [...found.values()].map((golden) => JSON.stringify(golden));
  writeFileSync(`${folder}journals.jsonl.gz`, gzipSync(`${lines.join('\n')}\n`, { level: 9 }));
  console.log(`${lines.length} journals in ${folder}`);
}

const [release] = process.argv.slice(2);
if (release === undefined) throw new Error('Which release? npx tsx test/golden/record.ts 0.2.0');
void main(release);
