/**
 * The simulator against AWS: every execution of the conformance cases whose history was recorded is
 * simulated in virtual time, its tasks answer as recorded, and the histories are the same.
 */
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { defaultResponder } from '../../src/simulate/mocks/defaults.js';
import { readHistory } from '../../src/simulate/replay/history-file.js';
import { replay } from '../../src/simulate/replay/replay.js';
import {
  allCases,
  type CompareModule,
  compareModule,
  type Fixture,
  fixturesOf,
  isHere,
} from './recorded-cases.js';

if (!isHere) console.warn('SKIPPED: the recorded AWS histories are not in ../shared/conformance.');

/** Why an execution cannot be replayed from its history, by a part of the case's id. */
const EXCEPTIONS: readonly (readonly [RegExp, string])[] = [
  [/history_reversed/, 'The recording is in reverse order on purpose.'],
  [/MAX_CONCURRENCY_PATH/, 'The recording decoded the output text "1" to the number 1.'],
  [
    /test_uuid$/,
    'The recording replaced a random value by a word that it does not declare as one.',
  ],
  [/INVALID_ISO/, 'The recording replaced an invalid time by a word for a valid one.'],
  [/test_parallel_state|test_parallel_catch_error/, 'The recording was stripped of its event ids.'],
  [
    /map_item_reader|item_batching_base_json_max|MAX_ITEMS_PATH/,
    'What an ItemReader read from S3 is not in the history.',
  ],
  [
    /distributed_reentrant_lambda/,
    'What tasks of Map Run children answered is not in the history.',
  ],
];

async function differences(fixture: Fixture, module: CompareModule): Promise<readonly Json[]> {
  const { executionName, input, machine, recorded, variables } = fixture;
  const events = module.subst(fixture.events, variables);
  let history: ReturnType<typeof readHistory>;
  try {
    history = readHistory({ events }, recorded.id);
  } catch (error) {
    return [(error as Error).message];
  }
  const { simulation } = await replay({
    definition: machine.definition,
    history: { ...history, input },
    type: machine.type,
    stateMachineName: machine.name,
    executionName,
    roleArn: machine.roleArn,
    responders: [defaultResponder(JSON.parse(machine.definition) as JsonObject)],
  });
  const shown = simulation.history.map(({ details, timestamp, ...head }) => ({
    ...head,
    timestamp: timestamp / 1000,
    ...(details === null ? {} : { [details.name]: details.value }),
  }));
  const comparer = new module.Comparer(recorded, variables);
  comparer.cmp(fixture.events as Json, shown as unknown as Json, 'history');
  return comparer.diffs;
}

describe.skipIf(!isHere)('histories recorded on AWS', () => {
  it('are those of the simulator for the same results, all but the ones that cannot be replayed', async () => {
    const module = await compareModule();
    const wrong: string[] = [];
    const passing: string[] = [];
    let same = 0;
    let all = 0;
    for (const recorded of allCases()) {
      for (const fixture of fixturesOf(recorded, module)) {
        all++;
        const found = await differences(fixture, module);
        const reason = EXCEPTIONS.find(([pattern]) => pattern.test(recorded.id));
        if (found.length === 0) same++;
        if (found.length > 0 && reason === undefined) {
          wrong.push(`${recorded.id}: ${JSON.stringify(found[0])}`);
        }
        if (found.length === 0 && reason !== undefined) passing.push(recorded.id);
      }
    }
    console.info(`${same} of ${all} recorded histories are the simulator's, event by event`);
    expect(wrong).toEqual([]);
    expect(all).toBeGreaterThan(370);
    expect(same / all).toBeGreaterThan(0.93);
    // Exceptions are few enough to be looked at when one passes.
    expect(passing.length).toBeLessThan(12);
  });
});
