/**
 * A real `kill -9`: a machine of slow functions and programs that write to a ledger outside is killed
 * at random moments and started again with the same command. It continues, nothing that was done is
 * done again, and the result is that of a run that nobody disturbed.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectHistory } from '../../src/wire/history.js';
import { loadJournal } from '../../src/runtime/journal.js';
import { SqliteStore } from '../../src/store/sqlite.js';
import type { Fact } from '../../src/core/fact.js';
import { assertJournalLaws } from '../sim/laws.js';
import { BUILT, Folder, said } from '../support/command-line.js';
import { SeededRandom } from '../support/seeded-random.js';

const KILLS = Number(process.env.KILLS ?? 15);
const SEED = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000);

/** Says when it begins and when it is done; takes about 150 ms. */
const STEP = `
import { appendFileSync } from 'node:fs';
const note = (text) => appendFileSync('LEDGER', text + '\\n');
export async function handler(event, context) {
  const { stateName, executionArn } = context.task;
  note('begin ' + stateName + ' ' + event.name + ' ' + context.idempotencyKey);
  await new Promise((resolve) => setTimeout(resolve, 150));
  note('end ' + stateName + ' ' + event.name + ' ' + context.idempotencyKey);
  return { name: event.name, length: event.name.length };
}`;

const TOOL = `
const { appendFileSync } = require('node:fs');
let text = '';
process.stdin.on('data', (chunk) => { text += chunk; });
process.stdin.on('end', () => {
  const event = JSON.parse(text);
  const key = process.env.STEPWELL_IDEMPOTENCY_KEY;
  const state = process.env.STEPWELL_STATE_NAME;
  appendFileSync('LEDGER', 'begin ' + state + ' ' + event.name + ' ' + key + '\\n');
  setTimeout(() => {
    appendFileSync('LEDGER', 'end ' + state + ' ' + event.name + ' ' + key + '\\n');
    console.log(JSON.stringify({ name: event.name, length: event.name.length }));
  }, 150);
});`;

const task = (resource: string, name: string, more: object) => ({
  Type: 'Task',
  Resource: resource,
  Parameters: { name },
  ResultPath: `$.${name}`,
  ...more,
});

const MACHINE = {
  StartAt: 'A',
  States: {
    A: task('step', 'a', { Next: 'B' }),
    B: task('tool', 'b', { Next: 'W' }),
    W: { Type: 'Wait', Seconds: 1, Next: 'Both' },
    Both: {
      Type: 'Parallel',
      Branches: [
        {
          StartAt: 'C',
          States: { C: task('step', 'c', { Next: 'C2' }), C2: task('tool', 'cc', { End: true }) },
        },
        {
          StartAt: 'D',
          States: { D: task('tool', 'd', { Next: 'D2' }), D2: task('step', 'dd', { End: true }) },
        },
      ],
      ResultPath: '$.both',
      Next: 'Each',
    },
    Each: {
      Type: 'Map',
      ItemsPath: '$.names',
      MaxConcurrency: 2,
      ItemProcessor: {
        StartAt: 'E',
        States: {
          E: { Type: 'Task', Resource: 'step', Parameters: { 'name.$': '$' }, End: true },
        },
      },
      ResultPath: '$.each',
      Next: 'Z',
    },
    Z: task('step', 'z', { End: true }),
  },
};

const INPUT = JSON.stringify({ names: ['x', 'xx', 'xxx', 'xxxx', 'xxxxx'] });

function prepare(): Folder {
  const folder = new Folder();
  const ledger = join(folder.path, 'ledger.txt');
  folder.write('step.mjs', STEP.replaceAll('LEDGER', ledger));
  folder.write('tool.cjs', TOOL.replaceAll('LEDGER', ledger));
  folder.write('machine.asl.json', MACHINE);
  folder.write('stepwell.config.json', {
    functions: {
      step: './step.mjs#handler',
      tool: { process: [process.execPath, join(folder.path, 'tool.cjs')] },
    },
  });
  return folder;
}

const COMMAND = ['run', 'machine.asl.json', '--name', 'killed', '--input', INPUT, '--json'];

function resultOf(stdout: string): unknown {
  const last = JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as Record<string, unknown>;
  expect(last).toMatchObject({ type: 'result', status: 'SUCCEEDED' });
  return last.output;
}

describe.skipIf(!existsSync(BUILT[0] as string))('kill -9', () => {
  const clean = prepare();
  const killed = prepare();
  let expected: unknown;
  beforeAll(async () => {
    const run = await clean.run(COMMAND, '', BUILT);
    expect(run.status, run.stderr).toBe(0);
    expected = resultOf(run.stdout);
  });
  afterAll(() => {
    clean.remove();
    killed.remove();
  });

  it(`${KILLS} times at random moments changes nothing (seed ${SEED})`, async () => {
    const random = new SeededRandom(SEED);
    let kills = 0;
    let last = { status: null as number | null, stdout: '', stderr: '' };
    for (let run = 0; run < 60; run++) {
      const child = killed.start(COMMAND, BUILT);
      child.stdin?.end();
      const ended = said(child);
      if (kills < KILLS) {
        // The program needs about 400 ms to start: some kills come before, most within the work.
        const moment = sleep(random.between(200, 1100)).then(() => 'kill' as const);
        if ((await Promise.race([moment, ended.then(() => 'ended' as const)])) === 'kill') {
          child.kill('SIGKILL');
          kills++;
        }
      }
      last = await ended;
      if (last.status === 0) break;
    }
    expect(last.status, last.stderr).toBe(0);
    expect(resultOf(last.stdout)).toEqual(expected);
    expect(kills).toBeGreaterThan(2);
    const facts = await journalOf(killed);
    assertJournalLaws(facts);
    assertLedger(readFileSync(join(killed.path, 'ledger.txt'), 'utf8'), facts);
  });
});

async function journalOf(folder: Folder): Promise<readonly Fact[]> {
  const store = SqliteStore.open(join(folder.path, '.stepwell/stepwell.db'), { readOnly: true });
  const { items } = await store.list({}, 10, null);
  const [row] = items;
  if (row === undefined) throw new Error('No execution was kept.');
  const journal = await loadJournal(store, row.arn);
  await store.close();
  return journal?.facts ?? [];
}

/**
 * Work that was cut short begins again, under the same key. Work whose result is in the journal never
 * does: after the first `end` of a key that is followed by another state's `begin`, it is silent.
 */
function assertLedger(ledger: string, facts: readonly Fact[]): void {
  const lines = ledger
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
  const succeeded = facts.filter((fact) => fact.type === 'TaskSucceeded');
  const scheduled = facts.filter((fact) => fact.type === 'TaskScheduled');
  // Nobody was retried: every attempt was scheduled once and counted once.
  expect(scheduled).toHaveLength(succeeded.length);
  expect(projectHistory(facts).filter((event) => event.type === 'TaskFailed')).toEqual([]);
  const keys = new Set(lines.map(([, , , key]) => key));
  expect(keys.size).toBe(scheduled.length);
  // In a chain the next state begins only after the result before it is durable.
  for (const [before, after] of [
    ['A', 'B'],
    ['B', 'C'],
    ['B', 'D'],
    ['C', 'C2'],
    ['D', 'D2'],
    ['C2', 'E'],
    ['D2', 'E'],
    ['E', 'Z'],
  ]) {
    const begun = lines.findIndex(([what, state]) => what === 'begin' && state === after);
    const late = lines.slice(begun).filter(([, state]) => state === before);
    expect(late, `${before} again after ${after} had begun`).toEqual([]);
  }
}
