/** AWS's limits on what an execution holds, each at the limit and one past it. */
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { runMachine } from '../support/run-machine.js';

const KIB = 1024;

/** A chain of Pass states, each of which assigns one more variable. */
function assigning(values: readonly Json[]): JsonObject {
  const states = values.map((value, i) => {
    const to = i + 1 < values.length ? { Next: `S${i + 1}` } : { End: true };
    return [
      `S${i}`,
      { Type: 'Pass', Assign: { [`v${i}`]: value }, Parameters: {}, ...to },
    ] as const;
  });
  return { StartAt: 'S0', States: Object.fromEntries(states) };
}

describe('variables', () => {
  // `{"v0":"…"}` is 9 bytes around the text.
  it('an Assign of 256 KiB is taken, one byte more is not', async () => {
    const text = (bytes: number): Json => 'x'.repeat(bytes - 9);
    const fits = await runMachine(assigning([text(256 * KIB)]), {});
    expect(fits.state.status).toBe('SUCCEEDED');
    const { state } = await runMachine(assigning([text(256 * KIB + 1)]), {});
    expect(state.outcome).toMatchObject({ failure: { error: 'States.DataLimitExceeded' } });
  });

  it('ten mebibytes are taken in all, one byte more is not', async () => {
    // 41 variables: `{`, `}`, 40 commas, and `"vN":"…"` around each text.
    const names = Array.from({ length: 41 }, (_, i) => `v${i}`.length + 5);
    const around = 2 + 40 + names.reduce((sum, bytes) => sum + bytes, 0);
    const each = Math.floor((10 * KIB * KIB - around) / 41);
    const last = 10 * KIB * KIB - around - 40 * each;
    const values = (more: number): Json[] =>
      Array.from({ length: 41 }, (_, i) => 'x'.repeat(i < 40 ? each : last + more));
    expect((await runMachine(assigning(values(0)), {})).state.status).toBe('SUCCEEDED');
    const { state } = await runMachine(assigning(values(1)), {});
    expect(state.outcome).toMatchObject({
      failure: {
        error: 'States.DataLimitExceeded',
        cause: expect.stringContaining("the state 'S40'"),
      },
    });
  });
});

describe('causes', () => {
  const LIMIT = 32_768;

  it.each([LIMIT - 1, LIMIT, LIMIT + 1])('of %i characters', async (length) => {
    const cause = 'c'.repeat(length);
    const definition = { StartAt: 'F', States: { F: { Type: 'Fail', Error: 'E', Cause: cause } } };
    const { state } = await runMachine(definition, {});
    const failure = { error: 'E', cause: cause.slice(0, LIMIT) };
    expect(state.outcome).toEqual({ ok: false, failure });
  });

  it('of a task are cut for its Catch, too', async () => {
    const definition = {
      StartAt: 'T',
      States: {
        T: {
          Type: 'Task',
          Resource: 'script:fail',
          Catch: [{ ErrorEquals: ['States.ALL'], Next: 'C' }],
          End: true,
        },
        C: { Type: 'Pass', End: true },
      },
    };
    const script = {
      'script:fail': { do: 'fail', error: 'E', cause: 'c'.repeat(40_000) },
    } as const;
    const { result } = await runMachine(definition, {}, script);
    expect(result).toEqual({ Error: 'E', Cause: 'c'.repeat(LIMIT) });
  });
});
