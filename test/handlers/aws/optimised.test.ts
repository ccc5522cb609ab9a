import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSnsHandler } from '../../../src/handlers/sns.js';
import { CANCELLED, SHUTDOWN, TaskFailure } from '../../../src/handlers/handler.js';
import type { Json, JsonObject } from '../../../src/lib/json.js';
import { failureOf, type Received } from '../world.js';
import { createAws } from '../../../src/handlers/aws/index.js';
import {
  actionOf,
  bodyOf,
  type FakeAws,
  json,
  type Reply,
  refusal,
  startFakeAws,
  xml,
} from './fake-aws.js';

const ARN = 'arn:aws:states:::';
let answer: (request: Received) => Reply;
let fake: FakeAws;

beforeEach(async () => {
  answer = () => json({});
  fake = await startFakeAws((request) => answer(request));
});
afterEach(() => fake.close());

describe('results of optimised integrations', () => {
  it('SQS: members and metadata in AWS order, headers in recorded capitals', async () => {
    answer = ({ body }) => {
      const sent = (JSON.parse(body) as { MessageBody: string }).MessageBody;
      // The SDK checks it.
      return json({
        MessageId: 'm',
        MD5OfMessageBody: createHash('md5').update(sent).digest('hex'),
      });
    };
    const result = (await fake.run(`${ARN}sqs:sendMessage.waitForTaskToken`, {
      QueueUrl: 'http://queue/1/q',
      MessageBody: { Message: 'txt', TaskToken: 'token' },
    })) as JsonObject;
    expect(bodyOf(fake.web.received[0]).MessageBody).toBe('{"Message":"txt","TaskToken":"token"}');
    expect(Object.keys(result)).toEqual([
      'MD5OfMessageBody',
      'MessageId',
      'SdkHttpMetadata',
      'SdkResponseMetadata',
    ]);
    const http = result.SdkHttpMetadata as { AllHttpHeaders: JsonObject; HttpHeaders: JsonObject };
    expect(Object.keys(http.AllHttpHeaders)).toEqual([
      'x-amzn-RequestId',
      'connection',
      'Content-Length',
      'Date',
      'Content-Type',
    ]);
    expect(Object.keys(http.HttpHeaders)).toEqual([
      'connection',
      'Content-Length',
      'Content-Type',
      'Date',
      'x-amzn-RequestId',
    ]);
    expect(http).toMatchObject({
      AllHttpHeaders: { 'x-amzn-RequestId': ['request-1'] },
      HttpStatusCode: 200,
    });
    expect(result.SdkResponseMetadata).toEqual({ RequestId: 'request-1' });
  });

  it('DynamoDB: its own headers', async () => {
    answer = () =>
      json({ Item: { id: { S: '1' } } }, 200, { Server: 'Server', 'x-amz-crc32': '7' });
    const result = (await fake.run(`${ARN}dynamodb:getItem`, {
      TableName: 't',
      Key: { id: { S: '1' } },
    })) as { Item: Json; SdkHttpMetadata: { AllHttpHeaders: JsonObject } };
    expect(result.Item).toEqual({ id: { S: '1' } });
    expect(Object.keys(result.SdkHttpMetadata.AllHttpHeaders).slice(0, 4)).toEqual([
      'Server',
      'Connection',
      'x-amzn-RequestId',
      'x-amz-crc32',
    ]);
  });
});

describe('errors of optimised integrations', () => {
  it.each([
    ['ResourceNotFoundException', 'DynamoDB.ResourceNotFoundException'],
    ['ValidationException', 'DynamoDB.AmazonDynamoDBException'],
  ])('DynamoDB %s is %s (recorded)', async (code, error) => {
    answer = () => refusal(code, 'The reason');
    const failure = await failureOf(
      fake.run(`${ARN}dynamodb:putItem`, { TableName: 't', Item: null }),
    );
    expect(failure.error).toBe(error);
    expect(failure.reason).toBe(
      `The reason (Service: AmazonDynamoDBv2; Status Code: 400; Error Code: ${code}; ` +
        'Request ID: request-1; Proxy: null)',
    );
  });

  it('SNS: the code on the wire is in the cause, the class in the error (recorded)', async () => {
    answer = () =>
      xml(
        '<ErrorResponse><Error><Type>Sender</Type><Code>InvalidParameter</Code><Message>Invalid ' +
          'parameter: TopicArn</Message></Error><RequestId>r-1</RequestId></ErrorResponse>',
        400,
      );
    const sns = createSnsHandler({ config: fake.config, fallback: fake.aws.snsFallback! });
    const failure = await failureOf(
      sns.run(
        { TopicArn: 'arn:aws:sns:us-east-1:1:none', Message: { a: 1 } },
        fake.world.context(fake.config),
      ),
    );
    expect(new URLSearchParams(fake.web.received[0]?.body).get('Message')).toBe('{"a":1}');
    expect(failure.error).toBe('SNS.InvalidParameterException');
    expect(failure.reason).toBe(
      'Invalid parameter: TopicArn (Service: AmazonSNS; Status Code: 400; ' +
        'Error Code: InvalidParameter; Request ID: r-1; Proxy: null)',
    );
  });
});

describe('events:putEvents', () => {
  const entry = { Detail: { a: 1 }, DetailType: 't', Source: 's' };

  it('writes the detail as JSON and adds execution and machine to the resources', async () => {
    answer = () => json({ FailedEntryCount: 0, Entries: [{ EventId: 'e' }] });
    const result = await fake.run(
      `${ARN}events:putEvents`,
      { Entries: [entry] },
      {
        task: {
          ...fake.world.context(fake.config).task,
          executionArn: 'arn:aws:states:eu-west-3:1:execution:Machine:name',
        },
      },
    );
    expect(bodyOf(fake.web.received[0]).Entries).toEqual([
      {
        Detail: '{"a":1}',
        DetailType: 't',
        Source: 's',
        Resources: [
          'arn:aws:states:eu-west-3:1:execution:Machine:name',
          'arn:aws:states:eu-west-3:1:stateMachine:Machine',
        ],
      },
    ]);
    expect(result).toMatchObject({ Entries: [{ EventId: 'e' }], FailedEntryCount: 0 });
  });

  it('a malformed detail fails the task (recorded), the other entries are sent', async () => {
    answer = () => json({ FailedEntryCount: 0, Entries: [{ EventId: 'e' }] });
    const bad = { ...entry, Detail: '"jsonstring"' };
    const alone = await failureOf(fake.run(`${ARN}events:putEvents`, { Entries: [bad] }));
    expect(alone.error).toBe('EventBridge.FailedEntry');
    expect(alone.reason).toBe(
      '{"Entries":[{"ErrorCode":"MalformedDetail","ErrorMessage":"Detail is malformed."}],' +
        '"FailedEntryCount":1}',
    );
    expect(fake.web.received).toHaveLength(0);
    const mixed = await failureOf(fake.run(`${ARN}events:putEvents`, { Entries: [bad, entry] }));
    expect(JSON.parse(mixed.reason)).toMatchObject({
      Entries: [{ ErrorCode: 'MalformedDetail' }, { EventId: 'e' }],
      FailedEntryCount: 1,
    });
  });
});

describe('.sync of job services', () => {
  /** A client package without models, as far as the integrations look at one. */
  function batchPackage(calls: [string, Json][], statuses: string[]): Record<string, unknown> {
    const command = (name: string) =>
      class {
        readonly name = name;
        readonly middlewareStack = { add: () => {} };
        constructor(readonly input: Json) {}
      };
    class BatchClient {
      readonly config = { serviceId: 'Batch' };
      async send(sent: { name: string; input: Json }): Promise<unknown> {
        calls.push([sent.name, sent.input]);
        if (sent.name === 'SubmitJob') return { JobId: 'job-1', JobName: 'n' };
        const Status = statuses.shift() ?? 'RUNNING';
        return sent.name === 'DescribeJobs' ? { Jobs: [{ JobId: 'job-1', Status }] } : {};
      }
    }
    const names = ['SubmitJob', 'DescribeJobs', 'TerminateJob'];
    return {
      BatchClient,
      ...Object.fromEntries(names.map((name) => [`${name}Command`, command(name)])),
    };
  }

  function batch(statuses: string[]) {
    const calls: [string, Json][] = [];
    const { handlers } = createAws({
      config: fake.config,
      environment: { AWS_ENDPOINT_URL: 'http://unused' },
      load: async () => batchPackage(calls, statuses),
      pollMs: { first: 1, longest: 2 },
    });
    const handler = handlers.find(({ resource }) => resource === 'batch:submitJob')!;
    const context = fake.world.context(fake.config);
    const task = { ...context.task, resource: `${ARN}batch:submitJob.sync` };
    return {
      calls,
      run: (changes: object = {}) =>
        handler.run({ JobName: 'n' }, { ...context, task, ...changes }),
    };
  }

  it('submits, records the answer, and gives the description when the job is done', async () => {
    const submitted: Json[] = [];
    const { calls, run } = batch(['RUNNABLE', 'RUNNING', 'SUCCEEDED']);
    const result = await run({ submitted: async (output: Json) => void submitted.push(output) });
    expect(result).toEqual({ JobId: 'job-1', Status: 'SUCCEEDED' });
    expect(submitted).toMatchObject([{ JobId: 'job-1', SdkHttpMetadata: {} }]);
    expect(calls.map(([name]) => name)).toEqual(['SubmitJob', ...Array(3).fill('DescribeJobs')]);
  });

  it('a re-run that finds its submission does not submit again', async () => {
    const { calls, run } = batch(['SUCCEEDED']);
    await run({ submission: { JobId: 'job-1' } });
    expect(calls).toEqual([['DescribeJobs', { Jobs: ['job-1'] }]]);
  });

  it('a failed job fails the task with its description', async () => {
    const failure = await failureOf(batch(['FAILED']).run());
    expect(failure).toBeInstanceOf(TaskFailure);
    expect([failure.error, failure.reason]).toEqual([
      'States.TaskFailed',
      '{"JobId":"job-1","Status":"FAILED"}',
    ]);
  });

  it.each([
    ['stops the job when nobody wants it', CANCELLED, true],
    ['leaves the job alone when only the worker stops', SHUTDOWN, false],
  ])('%s', async (_claim, reason, stops) => {
    const abort = new AbortController();
    const { calls, run } = batch([]);
    const running = run({ signal: abort.signal, submission: { JobId: 'job-1' } });
    setTimeout(() => abort.abort(reason), 20);
    await expect(running).rejects.toThrow();
    expect(calls.some(([name]) => name === 'TerminateJob')).toBe(stops);
  });
});

it('every action of the stand-in is asked for by its own name', async () => {
  await fake.run(`${ARN}dynamodb:updateItem`, { TableName: 't', Key: {} });
  await fake.run(`${ARN}dynamodb:deleteItem`, { TableName: 't', Key: {} });
  expect(fake.web.received.map(actionOf)).toEqual(['UpdateItem', 'DeleteItem']);
});
