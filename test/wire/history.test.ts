/** The projection from facts to AWS's events: names, details and what stays private. */
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/lib/json.js';
import { openWorld, runMachine, startRequest, TEST_ARN } from '../support/run-machine.js';
import type { Script } from '../support/scripted-handlers.js';
import type { HistoryEvent } from '../../src/wire/history.js';

const LAMBDA = 'arn:aws:lambda:us-east-1:123456789012:function:score';
const INVOKE = 'arn:aws:states:::lambda:invoke';
const ACTIVITY = 'arn:aws:states:us-east-1:123456789012:activity:work';

const task = (resource: string, more: JsonObject = {}): JsonObject => ({
  StartAt: 'T',
  States: { T: { Type: 'Task', Resource: resource, End: true, ...more } },
});

function find(history: readonly HistoryEvent[], type: string): HistoryEvent {
  const event = history.find((candidate) => candidate.type === type);
  if (event === undefined) throw new Error(`No ${type} in ${history.map((e) => e.type).join()}`);
  return event;
}

async function historyOf(definition: JsonObject, script: Script, input: JsonObject = { n: 1 }) {
  return (await runMachine(definition, input, script)).history;
}

describe('a Lambda function', () => {
  it('has its own events, with its ARN', async () => {
    const history = await historyOf(task(LAMBDA, { TimeoutSeconds: 9 }), {
      [LAMBDA]: { do: 'ok' },
    });
    expect(find(history, 'LambdaFunctionScheduled').details).toEqual({
      name: 'lambdaFunctionScheduledEventDetails',
      value: {
        input: '{"n":1}',
        inputDetails: { truncated: false },
        resource: LAMBDA,
        timeoutInSeconds: 9,
      },
    });
    expect(find(history, 'LambdaFunctionStarted').details).toBeNull();
    expect(find(history, 'LambdaFunctionSucceeded').details).toEqual({
      name: 'lambdaFunctionSucceededEventDetails',
      value: { output: '{"n":1}', outputDetails: { truncated: false } },
    });
  });

  it('that fails or is late says so under its own name', async () => {
    const failed = await historyOf(task(LAMBDA), {
      [LAMBDA]: { do: 'fail', error: 'E', cause: 'C' },
    });
    expect(find(failed, 'LambdaFunctionFailed').details?.value).toEqual({ error: 'E', cause: 'C' });
    const late = await historyOf(task(LAMBDA, { TimeoutSeconds: 1 }), { [LAMBDA]: { do: 'hang' } });
    expect(find(late, 'LambdaFunctionTimedOut').details?.value).toEqual({
      error: 'States.Timeout',
    });
  });
});

describe('a service', () => {
  it('is named by type and action, with region, parameters and limits', async () => {
    const definition = task(INVOKE, { TimeoutSeconds: 9, HeartbeatSeconds: 3 });
    const history = await historyOf(definition, { [INVOKE]: { do: 'ok', output: 1 } });
    expect(find(history, 'TaskScheduled').details?.value).toEqual({
      parameters: '{"n":1}',
      region: 'us-east-1',
      resource: 'invoke',
      resourceType: 'lambda',
      timeoutInSeconds: 9,
      heartbeatInSeconds: 3,
    });
    for (const type of ['TaskStarted', 'TaskSucceeded']) {
      expect(find(history, type).details?.value).toMatchObject({
        resource: 'invoke',
        resourceType: 'lambda',
      });
    }
  });
});

describe('an activity', () => {
  it('shows no worker when none was named', async () => {
    const world = await openWorld({});
    const polled = world.engine.activityTask(ACTIVITY, null, new AbortController().signal);
    await world.engine.start(startRequest(task(ACTIVITY), {}));
    const taken = await polled;
    await world.engine.taskFailed(taken?.taskToken ?? '', { error: null, cause: null });
    await world.engine.ended(TEST_ARN);
    const history = (await world.engine.history(TEST_ARN)) ?? [];
    expect(find(history, 'ActivityStarted').details?.value).toEqual({});
    expect(find(history, 'ActivityFailed').details?.value).toEqual({});
    expect(find(history, 'ExecutionFailed').details?.value).toEqual({});
  });
});

describe('states', () => {
  it('show input as entered, output as left, variables as JSON texts', async () => {
    const history = await historyOf(
      {
        StartAt: 'P',
        States: { P: { Type: 'Pass', Result: 'out', Assign: { v: { a: 1 }, w: 'x' }, End: true } },
      },
      {},
    );
    expect(find(history, 'PassStateEntered').details?.value).toEqual({
      name: 'P',
      input: '{"n":1}',
      inputDetails: { truncated: false },
    });
    expect(find(history, 'PassStateExited').details?.value).toEqual({
      name: 'P',
      output: '"out"',
      outputDetails: { truncated: false },
      assignedVariables: { v: '{"a":1}', w: '"x"' },
      assignedVariablesDetails: { truncated: false },
    });
  });

  it('a failed JSONata expression is shown with its place', async () => {
    const history = await historyOf(
      {
        StartAt: 'P',
        States: {
          P: { Type: 'Pass', QueryLanguage: 'JSONata', Output: '{% $nothing %}', End: true },
        },
      },
      {},
    );
    const failed = find(history, 'EvaluationFailed');
    expect(failed.previousEventId).toBe(0);
    expect(failed.details?.value).toMatchObject({
      error: 'States.QueryEvaluationError',
      location: 'Output',
      state: 'P',
    });
  });

  it('retries and waits leave no event of their own', async () => {
    const definition = {
      StartAt: 'W',
      States: {
        W: { Type: 'Wait', Seconds: 2, Next: 'T' },
        T: { Type: 'Task', Resource: 's:t', Retry: [{ ErrorEquals: ['E'] }], End: true },
      },
    };
    const run = await runMachine(
      definition,
      {},
      { 's:t': [{ do: 'fail', error: 'E' }, { do: 'ok' }] },
    );
    const shown = run.facts.filter((fact) => fact.event !== null);
    expect(run.facts.filter((fact) => fact.event === null).map((fact) => fact.type)).toEqual([
      'WaitStarted',
      'AttemptFailed',
      'RetryStarted',
    ]);
    expect(run.history).toHaveLength(shown.length);
    expect(run.history.map((event) => event.timestamp)).toEqual(shown.map((fact) => fact.at));
  });
});
