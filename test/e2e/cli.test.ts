/** The AWS command line, where it is installed, against a signed server. */
import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Harness, PASS, ROLE, startHarness, uniqueName } from '../api/harness.js';

const run = promisify(execFile);
const accessKey = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG' };

function isInstalled(): boolean {
  try {
    execFileSync('aws', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe.runIf(isInstalled())('the AWS command line', () => {
  let server: Harness;
  beforeAll(async () => {
    server = await startHarness({ config: { accessKeys: [accessKey] } });
  });
  afterAll(() => server.close());

  async function aws(...args: string[]) {
    const { stdout } = await run(
      'aws',
      ['stepfunctions', ...args, '--endpoint-url', server.url, '--output', 'json'],
      {
        env: {
          PATH: process.env.PATH,
          HOME: '/nonexistent',
          PYENV_VERSION: process.env.PYENV_VERSION ?? '',
          AWS_ACCESS_KEY_ID: accessKey.accessKeyId,
          AWS_SECRET_ACCESS_KEY: accessKey.secretAccessKey,
          AWS_DEFAULT_REGION: 'us-east-1',
          AWS_PAGER: '',
        },
      },
    );
    return stdout === '' ? {} : JSON.parse(stdout);
  }

  test('creates a machine, runs it and reads its history', async () => {
    const name = uniqueName('cli');
    const machine = await aws(
      'create-state-machine',
      ...['--name', name, '--definition', PASS, '--role-arn', ROLE],
    );
    const started = await aws(
      'start-execution',
      ...['--state-machine-arn', machine.stateMachineArn, '--input', '{"a":1}'],
    );
    const described = await aws('describe-execution', '--execution-arn', started.executionArn);
    expect(described).toMatchObject({ status: 'SUCCEEDED', input: '{"a":1}' });
    // Version 1 prints epoch seconds, version 2 ISO 8601.
    expect(
      new Date(Number(described.startDate) * 1000 || described.startDate).getTime(),
    ).toBeGreaterThan(1e12);
    const history = await aws('get-execution-history', '--execution-arn', started.executionArn);
    expect(history.events.length).toBe(4);
  });

  test('stops a waiting execution, and lists it as aborted', async () => {
    const definition = JSON.stringify({
      StartAt: 'W',
      States: { W: { Type: 'Wait', Seconds: 600, End: true } },
    });
    const machine = await aws(
      'create-state-machine',
      ...['--name', uniqueName('cli'), '--definition', definition, '--role-arn', ROLE],
    );
    const arn = ['--state-machine-arn', machine.stateMachineArn];
    const { executionArn } = await aws('start-execution', ...arn);
    await aws('stop-execution', ...['--execution-arn', executionArn, '--error', 'Enough']);
    const listed = await aws('list-executions', ...arn, '--status-filter', 'ABORTED');
    expect(listed.executions).toMatchObject([{ executionArn, status: 'ABORTED' }]);
    const described = await aws('describe-execution', '--execution-arn', executionArn);
    expect(described).toMatchObject({ status: 'ABORTED', error: 'Enough' });
  });

  test('answers a waiting task with its token', async () => {
    const { activityArn } = await aws('create-activity', '--name', uniqueName('cli'));
    const definition = JSON.stringify({
      StartAt: 'T',
      States: { T: { Type: 'Task', Resource: activityArn, End: true } },
    });
    const machine = await aws(
      'create-state-machine',
      ...['--name', uniqueName('cli'), '--definition', definition, '--role-arn', ROLE],
    );
    const { executionArn } = await aws(
      'start-execution',
      ...['--state-machine-arn', machine.stateMachineArn, '--input', '{"ask":1}'],
    );
    const task = await aws('get-activity-task', '--activity-arn', activityArn);
    expect(task.input).toBe('{"ask":1}');
    const token = ['--task-token', task.taskToken];
    await aws('send-task-heartbeat', ...token);
    await aws('send-task-success', ...token, '--task-output', '{"answer":42}');
    const described = await aws('describe-execution', '--execution-arn', executionArn);
    expect(described).toMatchObject({ status: 'SUCCEEDED', output: '{"answer":42}' });
  });

  test("prints our errors as AWS's", async () => {
    await expect(
      aws('describe-state-machine', '--state-machine-arn', 'not_an_arn'),
    ).rejects.toMatchObject({
      stderr: expect.stringContaining(
        "An error occurred (InvalidArn) when calling the DescribeStateMachine operation: Invalid Arn: 'Invalid ARN prefix: not_an_arn'",
      ),
    });
  });
});
