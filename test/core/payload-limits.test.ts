/** AWS's limits on payloads and histories, to the byte and the event: at the limit all goes on, one more fails, and where it fails. */
import { describe, expect, it } from 'vitest';
import { AWS_LIMITS, EXTENDED_LIMITS, MAX_PAYLOAD_BYTES } from '../../src/core/limits.js';
import { jsonBytes, type Json, type JsonObject } from '../../src/lib/json.js';
import { runMachine } from '../support/run-machine.js';
import type { Script } from '../support/scripted-handlers.js';

const LIMIT = MAX_PAYLOAD_BYTES;

/** A JSON text of exactly `bytes` bytes: a string. */
function text(bytes: number): string {
  return 'x'.repeat(bytes - 2);
}

/** `{"v": …}` of exactly `bytes` bytes. */
function object(bytes: number): { v: string } {
  return { v: text(bytes - '{"v":}'.length) };
}

const one = (state: JsonObject): JsonObject => ({ StartAt: 'S', States: { S: state } });
const TASK_CAUSE = {
  result:
    "The state/task 's' returned a result with a size exceeding the maximum number of bytes service limit.",
  parameters:
    "The state/task 's' provided parameters with a size exceeding the maximum number of bytes service limit.",
};
const STATE_CAUSE =
  "The state/task 'S' returned a result with a size exceeding the maximum number of bytes service limit.";

interface Place {
  readonly name: string;
  readonly machine: (bytes: number) => JsonObject;
  readonly input?: (bytes: number) => Json;
  readonly script?: (bytes: number) => Script;
  readonly cause: string | RegExp;
}

const PLACES: readonly Place[] = [
  {
    name: 'the output of a task',
    machine: () => one({ Type: 'Task', Resource: 's:t', End: true }),
    script: (bytes) => ({ 's:t': { do: 'ok', output: text(bytes) } }),
    cause: TASK_CAUSE.result,
  },
  {
    name: 'the parameters of a task',
    machine: () =>
      one({
        Type: 'Task',
        Resource: 's:t',
        Parameters: { 'v.$': '$.v' },
        ResultPath: null,
        OutputPath: '$.k',
        End: true,
      }),
    input: (bytes) => ({ ...object(bytes), k: 1 }),
    script: () => ({ 's:t': { do: 'ok', output: 1 } }),
    cause: TASK_CAUSE.parameters,
  },
  {
    name: 'the arguments of a JSONata task',
    machine: () => ({
      QueryLanguage: 'JSONata',
      ...one({
        Type: 'Task',
        Resource: 's:t',
        Arguments: { v: '{% $states.input.v %}' },
        Output: 1,
        End: true,
      }),
    }),
    input: (bytes) => ({ ...object(bytes), k: 1 }),
    script: () => ({ 's:t': { do: 'ok', output: 1 } }),
    cause: TASK_CAUSE.parameters,
  },
  {
    name: 'the result of a Pass state',
    machine: (bytes) => one({ Type: 'Pass', Result: text(bytes), End: true }),
    cause: STATE_CAUSE,
  },
  {
    name: 'a result placed into the input',
    machine: (bytes) =>
      one({ Type: 'Pass', Result: text(bytes - '{"v":}'.length), ResultPath: '$.v', End: true }),
    cause: STATE_CAUSE,
  },
  {
    name: 'the output of a JSONata Pass state',
    machine: () => ({
      QueryLanguage: 'JSONata',
      ...one({ Type: 'Pass', Output: '{% $states.input.v & $states.input.w %}', End: true }),
    }),
    input: (bytes) => ({ v: text(200_002), w: text(bytes - 200_000) }),
    cause: STATE_CAUSE,
  },
  {
    name: 'the results of a Map',
    machine: () =>
      one({
        Type: 'Map',
        ItemProcessor: {
          StartAt: 'T',
          States: { T: { Type: 'Task', Resource: 's:t', End: true } },
        },
        End: true,
      }),
    input: () => [1],
    // ["…"] has two bytes more than its text.
    script: (bytes) => ({ 's:t': { do: 'ok', output: text(bytes - 2) } }),
    cause: STATE_CAUSE,
  },
  {
    name: 'an input that the first state passes on',
    machine: () => one({ Type: 'Pass', End: true }),
    input: text,
    cause: STATE_CAUSE,
  },
  {
    name: 'an input that the last state passes on',
    machine: () => one({ Type: 'Succeed' }),
    input: text,
    cause: STATE_CAUSE,
  },
  {
    name: 'the results of a Parallel together',
    machine: (bytes) =>
      one({
        Type: 'Parallel',
        Branches: [131_072, bytes - 3 - 131_072].map((length) =>
          one({ Type: 'Pass', Result: text(length), End: true }),
        ),
        End: true,
      }),
    cause: STATE_CAUSE,
  },
  {
    name: 'the variables of one Assign',
    machine: (bytes) => one({ Type: 'Pass', Assign: object(bytes), End: true }),
    cause: /The size of the variables assigned exceeds the maximum/,
  },
];

describe.each(PLACES)('$name', ({ machine, input, script, cause }) => {
  const run = (bytes: number, limits = AWS_LIMITS) =>
    runMachine(machine(bytes), input?.(bytes) ?? {}, script?.(bytes) ?? {}, { limits });

  it('may have 262,144 bytes', async () => {
    expect((await run(LIMIT)).state.status).toBe('SUCCEEDED');
  });

  it('may not have one more', async () => {
    const { result, state } = await run(LIMIT + 1);
    expect(result).toMatchObject({ Error: 'States.DataLimitExceeded' });
    const said = (result as { Cause: string }).Cause;
    if (typeof cause === 'string') expect(said).toBe(cause);
    else expect(said).toMatch(cause);
    expect(state.status).toBe('FAILED');
  });

  it('may have more where the limits are lifted', async () => {
    expect((await run(LIMIT + 1, EXTENDED_LIMITS)).state.status).toBe('SUCCEEDED');
  });
});

it('bytes are counted as UTF-8 JSON, not as characters', async () => {
  const machine = one({ Type: 'Pass', OutputPath: '$.v', End: true });
  // Two bytes each, and the quotes.
  const value = 'é'.repeat((LIMIT - 2) / 2);
  expect(jsonBytes(value)).toBe(LIMIT);
  expect((await runMachine(machine, { v: value })).state.status).toBe('SUCCEEDED');
  const { result } = await runMachine(machine, { v: `${value}x` });
  expect(result).toMatchObject({ Error: 'States.DataLimitExceeded' });
});

it('a task result over the limit can be caught, as recorded', async () => {
  const machine = {
    StartAt: 'S',
    States: {
      S: {
        Type: 'Task',
        Resource: 's:t',
        Catch: [{ ErrorEquals: ['States.ALL'], Next: 'C' }],
        End: true,
      },
      C: { Type: 'Pass', Result: 'caught', End: true },
    },
  };
  const { result } = await runMachine(
    machine,
    {},
    { 's:t': { do: 'ok', output: text(LIMIT + 1) } },
  );
  expect(result).toBe('caught');
});

describe('the history', () => {
  /** A loop of Pass states: entered and exited, two events a round. */
  const LOOP = {
    StartAt: 'A',
    States: {
      A: { Type: 'Pass', Next: 'C' },
      C: {
        Type: 'Choice',
        Choices: [{ Variable: '$$.State.EnteredTime', IsPresent: true, Next: 'A' }],
        Default: 'A',
      },
    },
  };

  it('ends at event 25,000 with AWS’s failure', async () => {
    const { history, result } = await runMachine(LOOP, {});
    expect(history).toHaveLength(25_000);
    expect(history.at(-1)).toMatchObject({ id: 25_000, type: 'ExecutionFailed' });
    expect(result).toEqual({
      Error: 'States.Runtime',
      Cause: 'The execution reached the maximum number of history events (25000).',
    });
  });

  it('event 25,000 may be the success', async () => {
    // 1 start, 12,498 states of two events, 1 success: 24,998; a wait and a callback-less pass fill up.
    const chain = (count: number): JsonObject => {
      const states: [string, JsonObject][] = [];
      for (let index = 0; index < count; index++) {
        const next = index === count - 1 ? { End: true } : { Next: `P${index + 1}` };
        states.push([`P${index}`, { Type: 'Pass', ...next }]);
      }
      return { StartAt: 'P0', States: Object.fromEntries(states) };
    };
    const fits = await runMachine(chain(12_499), {});
    expect(fits.history).toHaveLength(25_000);
    expect(fits.history.at(-1)?.type).toBe('ExecutionSucceeded');
    const over = await runMachine(chain(12_500), {});
    expect(over.history).toHaveLength(25_000);
    expect(over.history.at(-1)?.type).toBe('ExecutionFailed');
  });

  it('goes on where the limits are lifted', async () => {
    const limits = { ...EXTENDED_LIMITS, historyEvents: 30_001 };
    const { history, result } = await runMachine(LOOP, {}, {}, { limits });
    expect(history).toHaveLength(30_001);
    expect(result).toMatchObject({ Error: 'States.Runtime' });
  });
});
