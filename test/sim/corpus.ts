/** Small machines, one for each way an execution can wait: what the crash-point sweep runs over. */
import type { Json, JsonObject } from '../../src/lib/json.js';
import type { Call } from '../../src/simulate/call.js';
import type { Script, Scripting } from '../support/scripted-handlers.js';

export interface CorpusMachine {
  readonly definition: JsonObject;
  /** A function is asked once for each run. */
  readonly script: Script | (() => Scripting);
  readonly input?: Json;
  /** A run ends when its history is so long; absent: 2,000 events. */
  readonly historyEvents?: number;
  /** What an ItemReader finds. */
  readonly items?: (call: Call) => Json;
}

/** One whose tasks need nothing but a list of steps. */
export interface ScriptedMachine extends CorpusMachine {
  readonly script: Script;
}

function chain(states: Readonly<Record<string, JsonObject>>): JsonObject {
  const names = Object.keys(states);
  const linked = names.map((name, index) => {
    const next = names[index + 1];
    const state = states[name] as JsonObject;
    const ends = state.Type === 'Fail' || state.Type === 'Succeed' || state.Type === 'Choice';
    const to: JsonObject = ends ? {} : next === undefined ? { End: true } : { Next: next };
    return [name, { ...to, ...state }] as const;
  });
  return { StartAt: names[0] as string, States: Object.fromEntries(linked) };
}

const task = (resource: string, more: JsonObject = {}): JsonObject => ({
  Type: 'Task',
  Resource: resource,
  ResultPath: `$.${resource.split(':')[1]?.split('.')[0]}`,
  ...more,
});

const RETRY_OOPS: JsonObject = { ErrorEquals: ['Oops'], IntervalSeconds: 2, MaxAttempts: 3 };
const CATCH_ALL: JsonObject = { ErrorEquals: ['States.ALL'], Next: 'After', ResultPath: '$.error' };

export const CORPUS: Readonly<Record<string, ScriptedMachine>> = {
  passes: { definition: chain({ A: { Type: 'Pass' }, B: { Type: 'Pass' } }), script: {} },
  tasks: {
    definition: chain({ A: task('s:a'), B: task('s:b') }),
    script: { 's:a': { do: 'ok', output: 1 }, 's:b': { do: 'ok', output: 2, afterMs: 500 } },
  },
  retry: {
    definition: chain({ A: task('s:a', { Retry: [RETRY_OOPS] }), B: { Type: 'Pass' } }),
    script: {
      's:a': [
        { do: 'fail', error: 'Oops' },
        { do: 'fail', error: 'Oops', afterMs: 700 },
        { do: 'ok', output: 'third' },
      ],
    },
  },
  'retry exhausted': {
    definition: chain({ A: task('s:a', { Retry: [{ ...RETRY_OOPS, MaxAttempts: 1 }] }) }),
    script: { 's:a': { do: 'fail', error: 'Oops', cause: 'again' } },
  },
  catch: {
    definition: chain({
      A: task('s:a', { Catch: [CATCH_ALL] }),
      Skipped: { Type: 'Pass' },
      After: { Type: 'Pass', Parameters: { 'was.$': '$.error.Error' } },
    }),
    script: { 's:a': { do: 'fail', error: 'Oops' } },
  },
  wait: {
    definition: chain({
      A: { Type: 'Wait', Seconds: 5 },
      B: task('s:b'),
      C: { Type: 'Wait', Seconds: 100_000 },
    }),
    script: { 's:b': { do: 'ok', output: 'b' } },
  },
  parallel: {
    definition: chain({
      P: {
        Type: 'Parallel',
        Branches: [
          chain({ A: task('s:a') }),
          chain({ B: { Type: 'Wait', Seconds: 1 }, C: task('s:c') }),
          chain({ D: { Type: 'Pass', Result: 'd' } }),
        ],
      },
      End: { Type: 'Pass' },
    }),
    script: { 's:a': { do: 'ok', output: 1, afterMs: 2000 }, 's:c': { do: 'ok', output: 2 } },
  },
  'parallel that fails': {
    definition: chain({
      P: {
        Type: 'Parallel',
        Branches: [
          chain({ A: task('s:a') }),
          chain({ B: task('s:slow') }),
          chain({ W: { Type: 'Wait', Seconds: 60 } }),
        ],
        Catch: [CATCH_ALL],
      },
      After: { Type: 'Pass', OutputPath: '$.error.Error' },
    }),
    script: {
      's:a': { do: 'fail', error: 'Oops', afterMs: 1000 },
      's:slow': { do: 'ok', afterMs: 90_000 },
    },
  },
  'nested map': {
    definition: chain({
      M: {
        Type: 'Map',
        ItemsPath: '$.rows',
        MaxConcurrency: 2,
        ItemProcessor: chain({
          N: {
            Type: 'Map',
            MaxConcurrency: 1,
            ItemProcessor: chain({
              T: { Type: 'Task', Resource: 's:t', Parameters: { 'v.$': '$' }, OutputPath: '$.v' },
            }),
          },
        }),
      },
      End: { Type: 'Succeed' },
    }),
    script: { 's:t': { do: 'ok', afterMs: 100 } },
    input: { rows: [[1, 2], [3], []] },
  },
  'map with retry': {
    definition: chain({
      M: {
        Type: 'Map',
        ItemsPath: '$.rows',
        Retry: [RETRY_OOPS],
        ItemProcessor: chain({
          T: { Type: 'Task', Resource: 's:t', Retry: [{ ...RETRY_OOPS, MaxAttempts: 1 }] },
        }),
      },
    }),
    script: {
      's:t': [
        { do: 'fail', error: 'Oops' },
        { do: 'ok', output: 'done' },
      ],
    },
    input: { rows: [1, 2, 3] },
  },
  timeout: {
    definition: chain({
      A: task('s:hang', { TimeoutSeconds: 7, Catch: [CATCH_ALL] }),
      After: { Type: 'Pass', OutputPath: '$.error.Error' },
    }),
    script: { 's:hang': { do: 'hang' } },
  },
  'timeout of the execution': {
    definition: { ...chain({ A: task('s:hang') }), TimeoutSeconds: 30 },
    script: { 's:hang': { do: 'hang' } },
  },
  heartbeat: {
    definition: chain({
      A: task('s:beats', { HeartbeatSeconds: 3, TimeoutSeconds: 100 }),
      B: task('s:silent', {
        HeartbeatSeconds: 3,
        TimeoutSeconds: 100,
        Catch: [{ ...CATCH_ALL, ErrorEquals: ['States.HeartbeatTimeout'] }],
      }),
      After: { Type: 'Pass', OutputPath: '$.error.Error' },
    }),
    script: {
      's:beats': { do: 'ok', output: 1, afterMs: 10_000, heartbeatEveryMs: 1000 },
      's:silent': { do: 'hang' },
    },
  },
  callback: {
    definition: chain({
      A: task('s:c.waitForTaskToken', { Parameters: { 'token.$': '$$.Task.Token' } }),
      B: task('s:d.waitForTaskToken', {
        Parameters: { 'token.$': '$$.Task.Token' },
        Catch: [CATCH_ALL],
      }),
      After: { Type: 'Pass', Parameters: { 'c.$': '$.c', 'error.$': '$.error.Error' } },
    }),
    script: {
      's:c.waitForTaskToken': { do: 'callback', afterMs: 5000, output: 'answer', times: 2 },
      's:d.waitForTaskToken': { do: 'callback', afterMs: 5000, error: 'Refused' },
    },
  },
  'retries in parallel': {
    definition: chain({
      P: {
        Type: 'Parallel',
        Retry: [RETRY_OOPS],
        Branches: [chain({ A: task('s:a') }), chain({ B: task('s:b', { Retry: [RETRY_OOPS] }) })],
        ResultPath: '$.both',
      },
    }),
    script: {
      's:a': { do: 'ok', output: 'a', afterMs: 1500 },
      's:b': [
        { do: 'fail', error: 'Oops' },
        { do: 'fail', error: 'Oops' },
        { do: 'ok', output: 'b' },
      ],
    },
  },
  'choice loop': {
    definition: {
      StartAt: 'Count',
      States: {
        Count: {
          Type: 'Pass',
          Parameters: { 'n.$': 'States.MathAdd($.n, 1)' },
          Next: 'Enough',
        },
        Enough: {
          Type: 'Choice',
          Choices: [{ Variable: '$.n', NumericGreaterThanEquals: 300, Next: 'Done' }],
          Default: 'Count',
        },
        Done: { Type: 'Succeed' },
      },
    },
    script: {},
    input: { n: 0 },
  },
  jsonata: {
    definition: {
      QueryLanguage: 'JSONata',
      ...chain({
        A: {
          Type: 'Task',
          Resource: 's:a',
          Arguments: { sum: '{% $sum($states.input.list) %}' },
          Output: '{% $states.result.sum %}',
          Assign: { kept: '{% $states.result.sum + 1 %}' },
        },
        B: { Type: 'Wait', Seconds: '{% $kept %}' },
        C: { Type: 'Pass', Output: '{% {"kept": $kept, "in": $states.input} %}' },
      }),
    },
    script: { 's:a': { do: 'ok' } },
    input: { list: [1, 2, 3] },
  },
};
