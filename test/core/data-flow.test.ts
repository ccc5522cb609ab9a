/** InputPath, Parameters, ResultSelector, ResultPath and OutputPath, alone and together. */
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { runMachine } from '../support/run-machine.js';

const INPUT = { a: 1, b: { c: [10, 20] }, 'odd key': true };
const RESULT = { r: 2, deep: { er: 'x' } };

async function pass(fields: JsonObject, input: Json = INPUT): Promise<Json> {
  const state = { Type: 'Pass', End: true, ...fields };
  return (await runMachine({ StartAt: 'P', States: { P: state } }, input)).result;
}

async function task(fields: JsonObject, input: Json = INPUT, output: Json = RESULT) {
  const state = { Type: 'Task', Resource: 's:t', End: true, ...fields };
  const script = { 's:t': { do: 'ok', output } } as const;
  const run = await runMachine({ StartAt: 'T', States: { T: state } }, input, script);
  return { result: run.result, given: run.handlers.calls[0]?.parameters };
}

describe('Pass', () => {
  it.each<[string, JsonObject, Json]>([
    ['hands its input on', {}, INPUT],
    ['InputPath selects', { InputPath: '$.b' }, { c: [10, 20] }],
    ['InputPath null is an empty object', { InputPath: null }, {}],
    ['InputPath of the Context Object', { InputPath: '$$.Execution.Name' }, 'run'],
    ['Result is the output', { Result: [1, null] }, [1, null]],
    ['Result null is a result', { Result: null }, null],
    ['Result is not a template', { Result: { 'x.$': '$.a' } }, { 'x.$': '$.a' }],
    ['Parameters build', { Parameters: { 'x.$': '$.a', y: 'z' } }, { x: 1, y: 'z' }],
    [
      'Parameters see the effective input',
      { InputPath: '$.b', Parameters: { 'x.$': '$.c[1]' } },
      { x: 20 },
    ],
    [
      'ResultPath places beside the raw input',
      { InputPath: '$.b', ResultPath: '$.got' },
      { ...INPUT, got: { c: [10, 20] } },
    ],
    [
      'ResultPath makes objects on the way',
      { Result: 1, ResultPath: '$.x.y' },
      { ...INPUT, x: { y: 1 } },
    ],
    ['ResultPath replaces', { Result: 1, ResultPath: '$.b' }, { ...INPUT, b: 1 }],
    ['ResultPath null drops the result', { Result: 1, ResultPath: null }, INPUT],
    ['ResultPath $ is the default', { Result: 1, ResultPath: '$' }, 1],
    ['OutputPath selects at the end', { Result: 5, ResultPath: '$.x', OutputPath: '$.x' }, 5],
    ['OutputPath null is an empty object', { OutputPath: null }, {}],
    [
      '__proto__ is an ordinary key',
      { Result: 1, ResultPath: '$.__proto__' },
      JSON.parse('{"a":1,"b":{"c":[10,20]},"odd key":true,"__proto__":1}'),
    ],
  ])('%s', async (_claim, fields, expected) => {
    expect(await pass(fields)).toEqual(expected);
  });

  it.each<[string, JsonObject, Json, string]>([
    ['a path that selects nothing', { InputPath: '$.no' }, INPUT, 'States.Runtime'],
    [
      'a parameter that selects nothing',
      { Parameters: { 'x.$': '$.no' } },
      INPUT,
      'States.Runtime',
    ],
    ['a result placed into a number', { Result: 1, ResultPath: '$.a.b' }, INPUT, 'States.Runtime'],
    ['a result placed into a text', { Result: 1, ResultPath: '$.x' }, 'text', 'States.Runtime'],
  ])('fails for %s', async (_claim, fields, input, error) => {
    expect(await pass(fields, input)).toMatchObject({ Error: error });
  });
});

describe('Task', () => {
  it.each<[string, JsonObject, Json, Json]>([
    ['gets the raw input', {}, INPUT, RESULT],
    ['gets the effective input', { InputPath: '$.b' }, { c: [10, 20] }, RESULT],
    ['gets Parameters', { Parameters: { 'n.$': '$.a' } }, { n: 1 }, RESULT],
    [
      'ResultSelector sees the result',
      { ResultSelector: { 'e.$': '$.deep.er' } },
      INPUT,
      { e: 'x' },
    ],
    [
      'ResultPath places what was selected',
      { ResultSelector: { 'e.$': '$.r' }, ResultPath: '$.t' },
      INPUT,
      { ...INPUT, t: { e: 2 } },
    ],
    [
      'ResultPath null keeps the raw input',
      { InputPath: '$.b', ResultPath: null },
      { c: [10, 20] },
      INPUT,
    ],
    ['OutputPath sees the placed result', { ResultPath: '$.t', OutputPath: '$.t.r' }, INPUT, 2],
  ])('%s', async (_claim, fields, given, result) => {
    expect(await task(fields)).toEqual({ given, result });
  });

  it('in JSONata takes Arguments, and gives Output', async () => {
    const fields = {
      QueryLanguage: 'JSONata',
      Arguments: { n: '{% $states.input.a + 1 %}' },
      Output: { sum: '{% $states.result.r + $states.input.a %}' },
    };
    expect(await task(fields)).toEqual({ given: { n: 2 }, result: { sum: 3 } });
  });
});

describe('variables', () => {
  it('are assigned together and read by later states', async () => {
    const run = await runMachine(
      {
        StartAt: 'A',
        States: {
          A: { Type: 'Pass', Assign: { 'x.$': '$.a', y: 1 }, Next: 'B' },
          B: { Type: 'Pass', Assign: { 'x.$': '$y', 'y.$': '$x' }, Next: 'C' },
          C: { Type: 'Pass', Parameters: { 'x.$': '$x', 'y.$': '$y' }, End: true },
        },
      },
      { a: 7 },
    );
    expect(run.result).toEqual({ x: 1, y: 7 });
  });

  it('of a branch die with it, and the outer ones are seen inside', async () => {
    const inner = {
      StartAt: 'In',
      States: {
        In: { Type: 'Pass', Assign: { mine: 2 }, Parameters: { 'o.$': '$outer' }, End: true },
      },
    };
    const run = await runMachine({
      StartAt: 'A',
      States: {
        A: { Type: 'Pass', Assign: { outer: 1 }, Next: 'P' },
        P: { Type: 'Parallel', Branches: [inner], End: true },
      },
    });
    expect(run.result).toEqual([{ o: 1 }]);
    expect(run.state.frames.get('0' as never)?.variables).toEqual({ outer: 1 });
  });
});

describe('the payload limit', () => {
  const limit = 262_144;
  // `{"v":"…"}` is 8 bytes around the text.
  const output = (bytes: number): Json => ({ v: 'x'.repeat(bytes - 8) });

  it('is passed by a result of exactly that many bytes', async () => {
    expect((await task({}, {}, output(limit))).result).toEqual(output(limit));
  });

  it('fails a result that is one byte longer', async () => {
    const { result } = await task({}, {}, output(limit + 1));
    expect(result).toMatchObject({ Error: 'States.DataLimitExceeded' });
  });

  it('counts bytes of UTF-8, not characters', async () => {
    const { result } = await task({}, {}, { v: 'é'.repeat(limit / 2) });
    expect(result).toMatchObject({ Error: 'States.DataLimitExceeded' });
  });
});
