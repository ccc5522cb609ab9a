/** The work that every interpreter is given: chains and a loop of states that never wait. */
import type { JsonObject } from '../src/lib/json.js';

export const PAYLOAD: JsonObject = { text: 'x'.repeat(200), a: 1, b: { c: [1, 2, 3] } };
export const CHAIN = 100;
export const LOOPS = 1000;

export interface Work {
  readonly name: string;
  readonly definition: JsonObject;
  readonly input: JsonObject;
  /** State transitions of one run. */
  readonly transitions: number;
}

function chainOf(state: JsonObject): JsonObject {
  const states = Array.from({ length: CHAIN }, (_, index) => {
    const to = index < CHAIN - 1 ? { Next: `S${index + 1}` } : { End: true };
    return [`S${index}`, { ...state, ...to }] as const;
  });
  return { StartAt: 'S0', States: Object.fromEntries(states) };
}

const LOOP: JsonObject = {
  StartAt: 'Count',
  States: {
    Count: { Type: 'Pass', Parameters: { 'n.$': 'States.MathAdd($.n, 1)' }, Next: 'Enough' },
    Enough: {
      Type: 'Choice',
      Choices: [{ Variable: '$.n', NumericGreaterThanEquals: LOOPS, Next: 'Done' }],
      Default: 'Count',
    },
    Done: { Type: 'Succeed' },
  },
};

export const WORKS: readonly Work[] = [
  {
    name: '100 Pass',
    definition: chainOf({ Type: 'Pass' }),
    input: PAYLOAD,
    transitions: CHAIN,
  },
  {
    name: '100 Pass, Parameters + ResultPath',
    definition: chainOf({
      Type: 'Pass',
      Parameters: { 'text.$': '$.text', 'c.$': '$.b.c', fixed: true },
      ResultPath: '$.result',
    }),
    input: PAYLOAD,
    transitions: CHAIN,
  },
  {
    name: 'Choice loop x1000',
    definition: LOOP,
    input: { n: 0 },
    transitions: 2 * LOOPS + 1,
  },
];
