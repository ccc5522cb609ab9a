/**
 * Spoilt machines through validation and the real engine, in virtual time: whatever a definition
 * says, it is refused or its execution ends, nothing is quarantined, and the engine goes on.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hasErrors } from '../../src/core/diagnostic.js';
import { AWS_LIMITS } from '../../src/core/limits.js';
import { validateDefinition } from '../../src/core/validate.js';
import type { ExecutionArn } from '../../src/lib/brand.js';
import { createEngine } from '../../src/runtime/engine.js';
import { revisionOf } from '../../src/runtime/machines.js';
import { MemoryStore } from '../../src/store/memory.js';
import { fuzz, inTime, isUnpolluted } from '../support/fuzz.js';
import { startRequest } from '../support/run-machine.js';
import { ScriptedHandlers, silentLog, testServices } from '../support/scripted-handlers.js';
import { VirtualClock } from '../support/virtual-clock.js';
import { anyDefinition, INPUT } from './fuzz-machines.js';

const FILE = 'test/runtime/fuzz.test.ts';
const SCRIPT = {
  'script:ok': { do: 'ok' },
  'script:fail': { do: 'fail', error: 'Oops' },
  'script:hang': { do: 'hang' },
  'script:throw': { do: 'throw' },
} as const;
/** So that endless machines end soon. */
const LIMITS = { ...AWS_LIMITS, historyEvents: 600 };

const problems: string[] = [];
let runs = 0;

async function world() {
  const clock = new VirtualClock();
  const handlers = new ScriptedHandlers(SCRIPT, clock);
  const engine = await createEngine({
    store: new MemoryStore(),
    resources: handlers,
    services: testServices(),
    log: {
      ...silentLog,
      error: (message, fields) => problems.push(`${message} ${JSON.stringify(fields)}`),
    },
    clock,
    limits: LIMITS,
  });
  handlers.engine = engine;
  const run = async (text: string) => {
    const name = `run-${runs++}`;
    const request = startRequest({}, INPUT, { name });
    const arn = request.identity.arn as ExecutionArn;
    await engine.start({ ...request, revision: revisionOf(text, 'STANDARD') });
    try {
      return await clock.runUntil(engine.ended(arn), { maxSteps: 5000 });
    } catch (error) {
      // Stuck is what waits for somebody outside; it can still be stopped.
      if (!/stuck|timers/.test(String(error))) throw error;
      await engine.stop(arn, { error: null, cause: null });
      return clock.runUntil(engine.ended(arn));
    }
  };
  return { engine, run };
}

const GOOD = JSON.stringify({
  StartAt: 'P',
  States: { P: { Type: 'Pass', Result: 1, End: true } },
});

test('every machine is refused or ends, and the engine goes on', async () => {
  const { engine, run } = await world();
  const statuses = new Map<string, number>();
  const count = (status: string) => statuses.set(status, (statuses.get(status) ?? 0) + 1);
  await fuzz(
    FILE,
    1200,
    fc.asyncProperty(anyDefinition, fc.boolean(), async (text, strict) => {
      await inTime(text.slice(0, 500), async () => {
        const { diagnostics } = validateDefinition(text, { type: 'STANDARD', strict });
        if (hasErrors(diagnostics)) return count('refused');
        const state = await run(text);
        count(state.status);
        const history = (await engine.history(state.identity.arn as ExecutionArn)) ?? [];
        expect(history.map((event) => event.id)).toEqual(history.map((_, index) => index + 1));
      });
      const reported = problems.splice(0);
      if (reported.length > 0) throw new Error(`Reported: ${reported.join('\n').slice(0, 3000)}`);
      expect(isUnpolluted()).toBe(true);
    }),
  );
  const good = await run(GOOD);
  expect(good.outcome).toEqual({ ok: true, output: 1 });
  // The fuzzer reaches all of these, or it is no fuzzer.
  if (process.env.FUZZ_PATH === undefined) {
    expect([...statuses.keys()]).toEqual(
      expect.arrayContaining(['refused', 'SUCCEEDED', 'FAILED']),
    );
  }
  if (process.env.FUZZ_RUNS !== undefined) console.log(Object.fromEntries(statuses));
  await engine.close();
}, 120_000);

test.each([
  ['an endless tail recursion', '($f := function($x){ $f($x + 1) }; $f(1))'],
  ['800,000 different values', '$count($distinct([1..800000]))'],
  ['gigabytes of text', '[1..1000].($pad("", 4000000, "ab"))'],
  ['gigabytes of numbers', '$count([1..1000].[[1..800000]])'],
  [
    'one large value many times',
    '($s := $pad("", 4000000, "a"); $map([1..1000], function($v){$s}))',
  ],
])('JSONata with %s ends and takes nobody along', async (_what, expression) => {
  const { engine, run } = await world();
  const state = await run(
    JSON.stringify({
      QueryLanguage: 'JSONata',
      StartAt: 'P',
      States: { P: { Type: 'Pass', Output: `{% ${expression} %}`, End: true } },
    }),
  );
  expect(['FAILED', 'SUCCEEDED']).toContain(state.status);
  expect((await run(GOOD)).status).toBe('SUCCEEDED');
  expect(problems.splice(0)).toEqual([]);
  await engine.close();
});
