/**
 * One JSONata evaluation as a state of a machine (its turn, its facts, its checked result) against
 * bare jsonata with the same expression, input and bindings. `tsx bench/jsonata.ts` runs it alone.
 */
import { pathToFileURL } from 'node:url';
import jsonata from 'jsonata';
import { compileMachine } from '../src/core/compiler.js';
import { decide } from '../src/core/decide.js';
import type { Env } from '../src/core/env.js';
import { AWS_LIMITS } from '../src/core/limits.js';
import type { ExecutionState } from '../src/core/state.js';
import type { Stimulus } from '../src/core/stimulus.js';
import type { EpochMs, Nonce, RevisionId } from '../src/lib/brand.js';
import type { JsonObject } from '../src/lib/json.js';
import { median } from './median.js';

const ROUNDS = 9;
const ROUND_MS = 200;
/** States of the machine: its start and end are shared by so many evaluations. */
const STATES = 50;

const INPUT: JsonObject = {
  customer: { name: 'Ada', tier: 'gold' },
  orders: Array.from({ length: 20 }, (_, index) => ({
    id: `o-${index}`,
    price: 10 + index,
    quantity: (index % 3) + 1,
    tags: ['a', 'b'],
  })),
};

const EXPRESSIONS = {
  'a sum over 20 orders': '$sum($states.input.orders.(price * quantity))',
  'a filter and a new object':
    '{"name": $states.input.customer.name, "large": $states.input.orders[price > 20].id}',
  'a member': '$states.input.customer.name',
  'a comparison': '$states.input.customer.tier = "gold"',
  'a call': '$uppercase($states.input.customer.name)',
  'a call that jsonata makes': '$substringBefore($states.input.customer.name, "a")',
  'a count': '$count($states.input.orders)',
} as const;

const ENV: Env = {
  now: Date.now() as EpochMs,
  limits: AWS_LIMITS,
  random: Math.random,
  uuid: () => 'uuid',
  nonce: () => 'nonce' as Nonce,
  taskToken: () => 'token',
};

const START: Stimulus = {
  type: 'Start',
  identity: {
    arn: 'arn:aws:states:us-east-1:123456789012:execution:Bench:run',
    name: 'run',
    stateMachineArn: 'arn:aws:states:us-east-1:123456789012:stateMachine:Bench',
    stateMachineName: 'Bench',
    stateMachineVersionArn: null,
    stateMachineAliasArn: null,
    mapRunArn: null,
    roleArn: 'arn:aws:iam::123456789012:role/bench',
    type: 'STANDARD',
  },
  revision: 'bench' as RevisionId,
  input: INPUT,
  traceHeader: null,
  deadlineAt: null,
};

/** Every state evaluates the expression over the same input: the result goes into a variable. */
function machineOf(expression: string): JsonObject {
  const states = Array.from({ length: STATES }, (_, index) => {
    const to = index < STATES - 1 ? { Next: `S${index + 1}` } : { End: true };
    return [`S${index}`, { Type: 'Pass', Assign: { x: `{% ${expression} %}` }, ...to }];
  });
  return { QueryLanguage: 'JSONata', StartAt: 'S0', States: Object.fromEntries(states) };
}

function inMachine(expression: string): () => Promise<void> {
  const machine = compileMachine(machineOf(expression));
  return async () => {
    let stimulus = START;
    let state: ExecutionState | null = null;
    do {
      const turn = await decide(machine, state, stimulus, ENV);
      state = turn.state;
      stimulus = { type: 'Continue' };
    } while (state.status === 'RUNNING');
    if (state.status !== 'SUCCEEDED') throw new Error(JSON.stringify(state.outcome));
  };
}

function bare(expression: string): () => Promise<void> {
  const compiled = jsonata(expression);
  const states = { input: INPUT, context: {} };
  return async () => {
    for (let index = 0; index < STATES; index++) {
      if ((await compiled.evaluate(undefined, { states })) === undefined)
        throw new Error('Nothing.');
    }
  };
}

/** Microseconds of processor time an evaluation. */
async function timed(run: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  const until = performance.now() + ROUND_MS;
  let runs = 0;
  while (performance.now() < until) {
    await run();
    runs++;
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / (runs * STATES);
}

export async function measureJsonata(): Promise<JsonObject> {
  console.log(
    `\nJSONata in a machine and bare (us an evaluation, median of ${ROUNDS}; bar 2 times)`,
  );
  const results: Record<string, JsonObject> = {};
  for (const [name, expression] of Object.entries(EXPRESSIONS)) {
    const contenders = { machine: inMachine(expression), bare: bare(expression) };
    const times: { machine: number; bare: number }[] = [];
    for (let round = -2; round < ROUNDS; round++) {
      const machine = await timed(contenders.machine);
      const alone = await timed(contenders.bare);
      if (round >= 0) times.push({ machine, bare: alone });
    }
    const ours = median(times.map((time) => time.machine));
    const theirs = median(times.map((time) => time.bare));
    const ratio = median(times.map((time) => time.machine / time.bare));
    const verdict = ratio <= 2 ? 'met' : 'MISSED';
    console.log(
      `  ${name.padEnd(36)} ${ours.toFixed(1).padStart(8)} bare ${theirs.toFixed(1).padStart(8)}` +
        `  ${ratio.toFixed(2)} times, ${verdict}`,
    );
    results[name] = {
      machineUs: Number(ours.toFixed(1)),
      bareUs: Number(theirs.toFixed(1)),
      ratio: Number(ratio.toFixed(2)),
    };
  }
  return results;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  console.log(JSON.stringify(await measureJsonata()));
}
