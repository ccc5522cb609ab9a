import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { routedVersion } from '../../src/api/resolve.js';
import type { Alias } from '../../src/api/machines.js';
import {
  call,
  createMachine,
  FAIL,
  type Harness,
  PASS,
  ROLE,
  runToEnd,
  startHarness,
  uniqueName,
  WAIT,
} from './harness.js';

let server: Harness;
let time = Date.now();
let chance = 0;
beforeAll(async () => {
  server = await startHarness({ now: () => time as never, random: () => chance });
});
afterAll(() => server.close());

const api = (operation: string, members: unknown = {}) => call(server.url, operation, members);
const other = PASS.replace('true', 'false');

describe('state machines', () => {
  test('the same request creates one machine; another definition is refused', async () => {
    const request = { name: uniqueName('m'), definition: PASS, roleArn: ROLE };
    const first = await api('CreateStateMachine', request);
    time += 1000;
    const second = await api('CreateStateMachine', { ...request, roleArn: `${ROLE}2` });
    expect(second.body).toEqual(first.body);
    const described = await api('DescribeStateMachine', {
      stateMachineArn: first.body.stateMachineArn,
    });
    expect(described.body).toMatchObject({ definition: PASS, roleArn: ROLE, status: 'ACTIVE' });
    expect(described.body.revisionId).toBeUndefined();
    const third = await api('CreateStateMachine', { ...request, definition: other });
    expect(third.body.__type).toBe('StateMachineAlreadyExists');
  });

  test('many at once create one machine', async () => {
    const request = { name: uniqueName('m'), definition: PASS, roleArn: ROLE };
    const replies = await Promise.all([...Array(10)].map(() => api('CreateStateMachine', request)));
    expect(new Set(replies.map((reply) => JSON.stringify(reply.body))).size).toBe(1);
  });

  test('running executions keep the definition they started with', async () => {
    const machine = await createMachine(server.url, WAIT);
    const started = await api('StartExecution', { stateMachineArn: machine });
    const updated = await api('UpdateStateMachine', { stateMachineArn: machine, definition: PASS });
    expect(updated.body.revisionId).toMatch(/^[0-9a-f-]{36}$/);
    const { body } = await api('DescribeStateMachineForExecution', {
      executionArn: started.body.executionArn,
    });
    expect(body.definition).toBe(WAIT);
    expect(body.revisionId).toBeUndefined();
    await api('StopExecution', { executionArn: started.body.executionArn });
  });

  test('a child of a Map Run is asked for its machine, with a label and without', async () => {
    const processor = {
      ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
      StartAt: 'P',
      States: { P: { Type: 'Pass', End: true } },
    };
    for (const label of [{ Label: 'Lab' }, {}]) {
      const map = { Type: 'Map', ...label, ItemProcessor: processor, End: true };
      const definition = JSON.stringify({ StartAt: 'M', States: { M: map } });
      const machine = await createMachine(server.url, definition);
      const { executionArn } = await runToEnd(server.url, machine, '[1]');
      const [{ mapRunArn, stateMachineArn }] = (await api('ListMapRuns', { executionArn })).body
        .mapRuns;
      const [child] = (await api('ListExecutions', { mapRunArn })).body.executions;
      const { body } = await api('DescribeStateMachineForExecution', {
        executionArn: child.executionArn,
      });
      expect(body).toMatchObject({
        stateMachineArn,
        mapRunArn,
        label: stateMachineArn.split('/')[1],
        roleArn: ROLE,
      });
      expect(JSON.parse(body.definition)).toMatchObject({ StartAt: 'P', States: processor.States });
    }
  });

  test('deleting one stops what runs, and leaves the history', async () => {
    const machine = await createMachine(server.url, WAIT, { publish: true });
    const started = await api('StartExecution', { stateMachineArn: machine });
    expect((await api('DeleteStateMachine', { stateMachineArn: machine })).body).toEqual({});
    const gone = await api('DescribeStateMachine', { stateMachineArn: machine });
    expect(gone.body.message).toBe(`State Machine Does Not Exist: '${machine}'`);
    const execution = await api('DescribeExecution', { executionArn: started.body.executionArn });
    expect(execution.body.status).toBe('ABORTED');
    expect((await api('DeleteStateMachine', { stateMachineArn: machine })).status).toBe(200);
    const versions = await api('ListStateMachineVersions', { stateMachineArn: machine });
    expect(versions.body.stateMachineVersions).toEqual([]);
  });

  test('the child machine of a Distributed Map is described by its label', async () => {
    const processor = {
      ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
      StartAt: 'P',
      States: { P: { Type: 'Pass', End: true } },
    };
    const map = { Type: 'Map', Label: 'label', ItemProcessor: processor, End: true };
    const machine = await createMachine(
      server.url,
      JSON.stringify({ StartAt: 'M', States: { M: map } }),
    );
    const { body } = await api('DescribeStateMachine', { stateMachineArn: `${machine}/label` });
    expect(body).toMatchObject({ stateMachineArn: `${machine}/label`, label: 'label' });
    expect(JSON.parse(body.definition)).toEqual(processor);
    const none = await api('DescribeStateMachine', { stateMachineArn: `${machine}/other` });
    expect(none.body.__type).toBe('StateMachineDoesNotExist');
  });

  test('settings are checked: logging, encryption, tags, names', async () => {
    const create = async (more: object) =>
      (
        await api('CreateStateMachine', {
          name: uniqueName('m'),
          definition: PASS,
          roleArn: ROLE,
          ...more,
        })
      ).body.__type;
    expect(await create({ loggingConfiguration: { level: 'ALL' } })).toBe(
      'InvalidLoggingConfiguration',
    );
    expect(
      await create({
        loggingConfiguration: {
          level: 'ALL',
          destinations: [{ cloudWatchLogsLogGroup: { logGroupArn: 'x' } }],
        },
      }),
    ).toBe('InvalidLoggingConfiguration');
    expect(await create({ encryptionConfiguration: { type: 'CUSTOMER_MANAGED_KMS_KEY' } })).toBe(
      'InvalidEncryptionConfiguration',
    );
    const tags = [...Array(51)].map((_, i) => ({ key: `k${i}`, value: '' }));
    expect(await create({ tags })).toBe('TooManyTags');
    expect(await create({ tags: [{ key: 'aws:x', value: '' }] })).toMatch(/ValidationException/);
    expect(await create({ name: 'a b' })).toBe('InvalidName');
    for (const roleArn of [
      'role',
      'arn:aws:iam::aws:policy/Batch',
      'arn:aws:iam::123456789012:role/',
    ]) {
      expect(await create({ roleArn })).toBe('InvalidArn');
    }
    expect(await create({ versionDescription: 'x' })).toMatch(/ValidationException/);
    expect(await create({ definition: '{}' })).toBe('InvalidDefinition');
  });
});

describe('versions', () => {
  test('are numbered once and for all, newest first', async () => {
    const machine = await createMachine(server.url, PASS, { publish: true });
    await api('UpdateStateMachine', { stateMachineArn: machine, definition: other, publish: true });
    await api('DeleteStateMachineVersion', { stateMachineVersionArn: `${machine}:2` });
    const third = await api('PublishStateMachineVersion', { stateMachineArn: machine });
    expect(third.body.stateMachineVersionArn).toBe(`${machine}:3`);
    const { body } = await api('ListStateMachineVersions', { stateMachineArn: machine });
    expect(
      body.stateMachineVersions.map(
        (one: { stateMachineVersionArn: string }) => one.stateMachineVersionArn,
      ),
    ).toEqual([`${machine}:3`, `${machine}:1`]);
    const old = await api('DescribeStateMachine', { stateMachineArn: `${machine}:1` });
    expect(old.body.definition).toBe(PASS);
  });

  test('publishing the same revision again answers the same version, also at once', async () => {
    const machine = await createMachine(server.url);
    const replies = await Promise.all(
      [...Array(8)].map(() => api('PublishStateMachineVersion', { stateMachineArn: machine })),
    );
    expect(replies.map((reply) => reply.body.stateMachineVersionArn)).toEqual(
      Array(8).fill(`${machine}:1`),
    );
  });

  test('INITIAL is the revision of a machine that was never updated', async () => {
    const machine = await createMachine(server.url);
    const good = await api('PublishStateMachineVersion', {
      stateMachineArn: machine,
      revisionId: 'INITIAL',
    });
    expect(good.status).toBe(200);
    const bad = await api('PublishStateMachineVersion', {
      stateMachineArn: machine,
      revisionId: 'x',
    });
    expect(bad.body).toMatchObject({
      __type: 'ConflictException',
      message:
        'Failed to publish the State Machine version for revision x. The current State Machine revision is INITIAL.',
    });
  });
});

describe('aliases', () => {
  test('route starts by weight and keep their versions', async () => {
    const machine = await createMachine(server.url, PASS, { publish: true });
    await api('UpdateStateMachine', { stateMachineArn: machine, definition: FAIL, publish: true });
    const routingConfiguration = [
      { stateMachineVersionArn: `${machine}:1`, weight: 90 },
      { stateMachineVersionArn: `${machine}:2`, weight: 10 },
    ];
    const created = await api('CreateStateMachineAlias', { name: 'live', routingConfiguration });
    expect(created.body.stateMachineAliasArn).toBe(`${machine}:live`);
    chance = 0.89;
    const first = await runToEnd(server.url, `${machine}:live`);
    chance = 0.9;
    const second = await runToEnd(server.url, `${machine}:live`);
    expect([first.status, second.status]).toEqual(['SUCCEEDED', 'FAILED']);
    expect(second).toMatchObject({
      stateMachineArn: machine,
      stateMachineVersionArn: `${machine}:2`,
      stateMachineAliasArn: `${machine}:live`,
      error: 'Oops',
      cause: 'Because',
      redriveStatus: 'REDRIVABLE',
    });
    const byAlias = await api('ListExecutions', { stateMachineArn: `${machine}:live` });
    expect(byAlias.body.executions.length).toBe(2);
    const byVersion = await api('ListExecutions', { stateMachineArn: `${machine}:2` });
    expect(byVersion.body.executions.length).toBe(1);
    const kept = await api('DeleteStateMachineVersion', { stateMachineVersionArn: `${machine}:1` });
    expect(kept.body).toMatchObject({
      __type: 'ConflictException',
      message:
        'Version to be deleted must not be referenced by an alias. Current list of aliases referencing this version: [live]',
    });
    const again = await api('CreateStateMachineAlias', { name: 'live', routingConfiguration });
    expect(again.status).toBe(200);
    const changed = await api('CreateStateMachineAlias', {
      name: 'live',
      routingConfiguration: [{ stateMachineVersionArn: `${machine}:1`, weight: 100 }],
    });
    expect(changed.body.__type).toBe('ConflictException');
  });

  test('refuse weights that do not sum to 100, doubles and what is no version', async () => {
    const machine = await createMachine(server.url, PASS, { publish: true });
    const create = async (...routes: readonly (readonly [string, number])[]) =>
      (
        await api('CreateStateMachineAlias', {
          name: 'live',
          routingConfiguration: routes.map(([stateMachineVersionArn, weight]) => ({
            stateMachineVersionArn,
            weight,
          })),
        })
      ).body;
    expect(await create([`${machine}:1`, 70])).toMatchObject({
      message: 'Sum of routing configuration weights must equal 100. Received: [70]',
      reason: 'INVALID_ROUTING_CONFIGURATION',
    });
    expect((await create([`${machine}:1`, 50], [`${machine}:1`, 50])).message).toMatch(/distinct/);
    expect((await create([machine, 100])).message).toMatch(/version ARNs/);
    expect((await create([`${machine}:9`, 100])).__type).toBe('ResourceNotFound');
  });

  test('the whole range of chance is shared out', () => {
    const alias = {
      routing: [
        { stateMachineVersionArn: 'arn:aws:states:r:a:stateMachine:m:1', weight: 0 },
        { stateMachineVersionArn: 'arn:aws:states:r:a:stateMachine:m:2', weight: 100 },
      ],
    } as unknown as Alias;
    for (const value of [0, 0.5, 0.999999]) expect(routedVersion(alias, value)).toBe(2);
  });
});

describe('tags', () => {
  test('are added, replaced, removed, and limited to 50', async () => {
    const { body } = await api('CreateActivity', {
      name: uniqueName('a'),
      tags: [{ key: 'a', value: '1' }],
    });
    const resourceArn = body.activityArn;
    await api('TagResource', { resourceArn, tags: [{ key: 'a', value: '2' }, { key: 'b' }] });
    expect((await api('ListTagsForResource', { resourceArn })).body.tags).toEqual([
      { key: 'a', value: '2' },
      { key: 'b', value: '' },
    ]);
    const many = [...Array(49)].map((_, i) => ({ key: `k${i}`, value: '' }));
    expect((await api('TagResource', { resourceArn, tags: many })).body).toMatchObject({
      __type: 'TooManyTags',
      resourceName: resourceArn,
    });
    await api('UntagResource', { resourceArn, tagKeys: ['a', 'none'] });
    expect((await api('ListTagsForResource', { resourceArn })).body.tags.length).toBe(1);
    const missing = await api('TagResource', { resourceArn: `${resourceArn}x`, tags: [] });
    expect(missing.body.__type).toBe('ResourceNotFound');
  });
});

describe('pages', () => {
  test('hold every item once; a token serves its own list only, for 24 hours', async () => {
    const machine = await createMachine(server.url);
    for (let i = 0; i < 7; i++) await runToEnd(server.url, machine);
    const seen: string[] = [];
    let nextToken: string | undefined;
    do {
      const { body } = await api('ListExecutions', {
        stateMachineArn: machine,
        maxResults: 3,
        nextToken,
      });
      seen.push(...body.executions.map((one: { executionArn: string }) => one.executionArn));
      nextToken = body.nextToken ?? undefined;
      if (nextToken !== undefined && seen.length === 3) {
        const foreign = await api('ListExecutions', {
          stateMachineArn: machine,
          statusFilter: 'FAILED',
          nextToken,
        });
        expect(foreign.body).toMatchObject({
          __type: 'InvalidToken',
          message: "Invalid Token: 'Invalid token'",
        });
        const forged = `${nextToken.slice(0, -2)}AA`;
        const refused = await api('ListExecutions', {
          stateMachineArn: machine,
          nextToken: forged,
        });
        expect(refused.body.__type).toBe('InvalidToken');
        time += 25 * 3600 * 1000;
        const late = await api('ListExecutions', { stateMachineArn: machine, nextToken });
        expect(late.body.__type).toBe('InvalidToken');
        time -= 25 * 3600 * 1000;
      }
    } while (nextToken !== undefined);
    expect(new Set(seen).size).toBe(7);
    expect(seen.length).toBe(7);
  });

  test('of a history go forwards and backwards', async () => {
    const machine = await createMachine(server.url);
    const { executionArn } = await runToEnd(server.url, machine);
    for (const reverseOrder of [false, true]) {
      const ids: number[] = [];
      let nextToken: string | undefined;
      do {
        const { body } = await api('GetExecutionHistory', {
          executionArn,
          maxResults: 3,
          reverseOrder,
          nextToken,
        });
        ids.push(...body.events.map((event: { id: number }) => event.id));
        nextToken = body.nextToken;
      } while (nextToken !== undefined);
      expect(ids).toEqual(reverseOrder ? [4, 3, 2, 1] : [1, 2, 3, 4]);
    }
  });
});
