/** All 37 operations through the AWS SDK's own client, each with an answer that is looked at. */
import { SFN } from '@aws-sdk/client-sfn';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OPERATIONS } from '../../src/wire/operations.js';
import { type Harness, PASS, ROLE, startHarness } from '../api/harness.js';

const accessKey = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret/key+' };
const called = new Set<string>();
let server: Harness;
let sfn: SFN;

beforeAll(async () => {
  server = await startHarness({ config: { accessKeys: [accessKey], activityPollMs: 2000 } });
  sfn = new SFN({
    endpoint: server.url,
    region: 'us-east-1',
    credentials: accessKey,
    maxAttempts: 1,
    disableHostPrefix: true,
  });
  sfn.middlewareStack.add(
    (next, context) => (given) => {
      called.add(String(context.commandName).replace(/Command$/, ''));
      return next(given);
    },
    { step: 'initialize' },
  );
});
afterAll(() => server.close());

async function until<T>(look: () => Promise<T>, isDone: (seen: T) => boolean): Promise<T> {
  for (;;) {
    const seen = await look();
    if (isDone(seen)) return seen;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const endOf = (executionArn: string) =>
  until(
    () => sfn.describeExecution({ executionArn }),
    ({ status }) => status !== 'RUNNING',
  );

describe('the SDK', () => {
  test('machines, their revisions, versions, aliases and tags', async () => {
    const definition = PASS;
    const created = await sfn.createStateMachine({ name: 'all', definition, roleArn: ROLE });
    const stateMachineArn = created.stateMachineArn as string;
    expect(created.creationDate).toBeInstanceOf(Date);
    expect((await sfn.describeStateMachine({ stateMachineArn })).definition).toBe(definition);
    expect((await sfn.listStateMachines({})).stateMachines?.[0]?.name).toBe('all');
    const updated = await sfn.updateStateMachine({
      stateMachineArn,
      definition: definition.replace('{', '{"Comment":"second",'),
    });
    expect(updated.revisionId).toMatch(/^[0-9a-f-]{36}$/);
    const { stateMachineVersionArn } = await sfn.publishStateMachineVersion({ stateMachineArn });
    expect(stateMachineVersionArn).toBe(`${stateMachineArn}:1`);
    const versions = await sfn.listStateMachineVersions({ stateMachineArn });
    expect(versions.stateMachineVersions).toHaveLength(1);
    const routingConfiguration = [{ stateMachineVersionArn, weight: 100 }];
    const alias = await sfn.createStateMachineAlias({ name: 'live', routingConfiguration });
    const stateMachineAliasArn = alias.stateMachineAliasArn as string;
    await sfn.updateStateMachineAlias({ stateMachineAliasArn, description: 'new' });
    expect(await sfn.describeStateMachineAlias({ stateMachineAliasArn })).toMatchObject({
      name: 'live',
      description: 'new',
      routingConfiguration,
    });
    const aliases = await sfn.listStateMachineAliases({ stateMachineArn });
    expect(aliases.stateMachineAliases?.map((one) => one.stateMachineAliasArn)).toEqual([
      stateMachineAliasArn,
    ]);
    await sfn.tagResource({ resourceArn: stateMachineArn, tags: [{ key: 'a', value: '1' }] });
    await sfn.untagResource({ resourceArn: stateMachineArn, tagKeys: ['b'] });
    const { tags } = await sfn.listTagsForResource({ resourceArn: stateMachineArn });
    expect(tags).toEqual([{ key: 'a', value: '1' }]);
    await sfn.deleteStateMachineAlias({ stateMachineAliasArn });
    await sfn.deleteStateMachineVersion({
      stateMachineVersionArn: stateMachineVersionArn as string,
    });
    await sfn.deleteStateMachine({ stateMachineArn });
    await expect(sfn.describeStateMachine({ stateMachineArn })).rejects.toMatchObject({
      name: 'StateMachineDoesNotExist',
    });
  });

  test('executions, activities and their tokens', async () => {
    const { activityArn } = await sfn.createActivity({ name: 'work' });
    const arn = activityArn as string;
    expect(await sfn.describeActivity({ activityArn: arn })).toMatchObject({ name: 'work' });
    expect((await sfn.listActivities({})).activities).toHaveLength(1);
    const machine = await sfn.createStateMachine({
      name: 'waits',
      roleArn: ROLE,
      definition: JSON.stringify({
        StartAt: 'T',
        States: { T: { Type: 'Task', Resource: arn, HeartbeatSeconds: 60, End: true } },
      }),
    });
    const stateMachineArn = machine.stateMachineArn as string;
    const begin = async (name: string) => {
      const input = JSON.stringify({ name });
      const { executionArn } = await sfn.startExecution({ stateMachineArn, name, input });
      return executionArn as string;
    };
    const token = async () => (await sfn.getActivityTask({ activityArn: arn })).taskToken as string;

    const good = await begin('good');
    const first = await token();
    await sfn.sendTaskHeartbeat({ taskToken: first });
    await sfn.sendTaskSuccess({ taskToken: first, output: '{"done":true}' });
    expect(await endOf(good)).toMatchObject({ status: 'SUCCEEDED', output: '{"done":true}' });

    const bad = await begin('bad');
    await sfn.sendTaskFailure({ taskToken: await token(), error: 'Oops', cause: 'why' });
    expect(await endOf(bad)).toMatchObject({ status: 'FAILED', error: 'Oops', cause: 'why' });
    expect((await sfn.redriveExecution({ executionArn: bad })).redriveDate).toBeInstanceOf(Date);
    await sfn.sendTaskSuccess({ taskToken: await token(), output: '1' });
    expect(await endOf(bad)).toMatchObject({ status: 'SUCCEEDED', redriveCount: 1 });

    const stopped = await begin('stopped');
    expect((await sfn.stopExecution({ executionArn: stopped })).stopDate).toBeInstanceOf(Date);
    const { executions } = await sfn.listExecutions({ stateMachineArn, statusFilter: 'ABORTED' });
    expect(executions?.map(({ name }) => name)).toEqual(['stopped']);
    const { events } = await sfn.getExecutionHistory({ executionArn: stopped, reverseOrder: true });
    expect(events?.[0]?.type).toBe('ExecutionAborted');
    const of = await sfn.describeStateMachineForExecution({ executionArn: good });
    expect(of.stateMachineArn).toBe(stateMachineArn);
    await sfn.deleteActivity({ activityArn: arn });
  });

  test('Map Runs', async () => {
    const { activityArn } = await sfn.createActivity({ name: 'items' });
    const { stateMachineArn } = await sfn.createStateMachine({
      name: 'map',
      roleArn: ROLE,
      definition: JSON.stringify({
        StartAt: 'M',
        States: {
          M: {
            Type: 'Map',
            MaxConcurrency: 1,
            ItemProcessor: {
              ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
              StartAt: 'T',
              States: { T: { Type: 'Task', Resource: activityArn, End: true } },
            },
            End: true,
          },
        },
      }),
    });
    const started = await sfn.startExecution({ stateMachineArn, input: '[1,2]' });
    const executionArn = started.executionArn as string;
    const { mapRuns } = await until(
      () => sfn.listMapRuns({ executionArn }),
      (seen) => (seen.mapRuns?.length ?? 0) > 0,
    );
    const mapRunArn = mapRuns?.[0]?.mapRunArn as string;
    await sfn.updateMapRun({ mapRunArn, maxConcurrency: 2 });
    expect(await sfn.describeMapRun({ mapRunArn })).toMatchObject({
      status: 'RUNNING',
      maxConcurrency: 2,
    });
    for (const output of ['"a"', '"b"']) {
      const { taskToken } = await sfn.getActivityTask({ activityArn: activityArn as string });
      await sfn.sendTaskSuccess({ taskToken: taskToken as string, output });
    }
    expect((await endOf(executionArn)).status).toBe('SUCCEEDED');
  });

  test('what needs no execution of its own, and Express', async () => {
    const { stateMachineArn } = await sfn.createStateMachine({
      name: 'quick',
      type: 'EXPRESS',
      definition: PASS,
      roleArn: ROLE,
    });
    const sync = await sfn.startSyncExecution({ stateMachineArn, input: '{"a":1}' });
    expect(sync).toMatchObject({ status: 'SUCCEEDED', input: '{"a":1}' });
    const state = JSON.stringify({ Type: 'Pass', Result: { x: 1 }, Next: 'N' });
    expect(await sfn.testState({ definition: state, roleArn: ROLE })).toMatchObject({
      status: 'SUCCEEDED',
      output: '{"x":1}',
      nextState: 'N',
    });
    expect(await sfn.validateStateMachineDefinition({ definition: '{}' })).toMatchObject({
      result: 'FAIL',
      truncated: false,
    });
  });

  test('was asked for every operation there is', () => {
    expect([...called].sort()).toEqual(Object.keys(OPERATIONS).sort());
    expect(called.size).toBe(37);
  });
});
