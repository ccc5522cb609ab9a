import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAws } from '../../../src/handlers/aws/index.js';
import { failureOf, type Received } from '../world.js';
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

const SDK = 'arn:aws:states:::aws-sdk:';
let answer: (request: Received) => Reply;
let fake: FakeAws;

beforeEach(async () => {
  answer = () => json({});
  fake = await startFakeAws((request) => answer(request));
});
afterEach(() => fake.close());

describe('requests of aws-sdk integrations', () => {
  it('JSON goes where the service wants text, members find their model by any capitals', async () => {
    answer = () => json({ executionArn: 'arn:child', startDate: 1_700_000_000.5 });
    const result = await fake.run(`${SDK}sfn:startExecution`, {
      StateMachineArn: 'arn:machine',
      Input: { key: 'value' },
    });
    expect(bodyOf(fake.web.received[0])).toMatchObject({
      stateMachineArn: 'arn:machine',
      input: '{"key":"value"}',
    });
    expect(result).toEqual({ ExecutionArn: 'arn:child', StartDate: '2023-11-14T22:13:20.500Z' });
  });

  it('a member that the service does not have stops the task before anything is sent', async () => {
    const failure = await failureOf(
      fake.run(`${SDK}dynamodb:getItem`, { TableName: 't', Nonsense: 1 }),
    );
    expect(failure.error).toBe('States.Runtime');
    expect(failure.reason).toContain('The field "Nonsense" is not supported by Step Functions');
    expect(fake.web.received).toHaveLength(0);
  });

  it('a re-run fills the idempotency member with the same value, another attempt with another', async () => {
    answer = () => json({ ARN: 'a', Name: 'n', VersionId: 'v' });
    const resource = `${SDK}secretsmanager:createSecret`;
    await fake.run(resource, { Name: 'n' });
    await fake.run(resource, { Name: 'n' });
    await fake.run(resource, { Name: 'n' }, { idempotencyKey: 'another' });
    const [first, again, next] = fake.web.received.map(
      (request) => bodyOf(request).ClientRequestToken,
    );
    expect(first).toMatch(/^[0-9a-f]{32}$/);
    expect(again).toBe(first);
    expect(next).not.toBe(first);
  });

  it('the queue URL of a machine does not decide where a signed request goes', async () => {
    answer = () => json({ MessageId: 'm', MD5OfMessageBody: '5d41402abc4b2a76b9719d911017c592' });
    await fake.run(`${SDK}sqs:sendMessage`, {
      QueueUrl: 'http://127.0.0.1:1/000000000000/queue',
      MessageBody: 'hello',
    });
    expect(actionOf(fake.web.received[0] as Received)).toBe('SendMessage');
  });

  it.each([
    ['text data', '"text data"'],
    [{ Dict: 'Value' }, '{"Dict":"Value"}'],
    [['List', 'Data'], '["List","Data"]'],
    [false, 'false'],
  ])('S3 stores the body %j as JSON (recorded)', async (body, stored) => {
    answer = () => ({ headers: { ETag: '"e"' } });
    const result = await fake.run(`${SDK}s3:putObject`, { Bucket: 'b', Key: 'k', Body: body });
    expect(fake.web.received[0]?.url).toMatch(/^\/b\/k/);
    expect(fake.web.received[0]?.body).toBe(stored);
    expect(result).toEqual({ ETag: '"e"' });
  });
});

describe('answers of aws-sdk integrations', () => {
  it('a body is read as text and comes last, times have no empty fraction', async () => {
    answer = () => ({
      headers: {
        'Content-Type': 'binary/octet-stream',
        'Accept-Ranges': 'bytes',
        ETag: '"e"',
        'Last-Modified': 'Mon, 01 Jan 2024 00:00:00 GMT',
        'Content-Length': '9',
      },
      body: 'text data',
    });
    const result = await fake.run(`${SDK}s3:getObject`, { Bucket: 'b', Key: 'k' });
    expect(JSON.stringify(result)).toBe(
      JSON.stringify({
        AcceptRanges: 'bytes',
        ContentLength: 9,
        ContentType: 'binary/octet-stream',
        ETag: '"e"',
        LastModified: '2024-01-01T00:00:00Z',
        Metadata: {},
        Body: 'text data',
      }),
    );
  });

  it('a body beyond what a state may hold is not read to its end', async () => {
    answer = () => ({ body: 'x'.repeat(2_000_000) });
    const failure = await failureOf(fake.run(`${SDK}s3:getObject`, { Bucket: 'b', Key: 'k' }));
    expect(failure.error).toBe('States.DataLimitExceeded');
  });

  it('maps keep their keys and their order', async () => {
    answer = () => json({ Item: { id: { S: 'id1' }, data: { S: 'HelloWorld' } } });
    const result = await fake.run(`${SDK}dynamodb:getItem`, {
      TableName: 't',
      Key: { id: { S: 'id1' } },
    });
    expect(JSON.stringify(result)).toBe('{"Item":{"id":{"S":"id1"},"data":{"S":"HelloWorld"}}}');
  });

  it('binary attributes are base64 on both ways', async () => {
    answer = () => json({ Item: { blob: { B: 'AAECAw==' } } });
    const result = await fake.run(`${SDK}dynamodb:getItem`, {
      TableName: 't',
      Key: { k: { B: '/w==' } },
    });
    expect(bodyOf(fake.web.received[0]).Key).toEqual({ k: { B: '/w==' } });
    expect(result).toEqual({ Item: { blob: { B: 'AAECAw==' } } });
  });
});

describe('errors of aws-sdk integrations', () => {
  it('are named as recorded: DynamoDB', async () => {
    answer = () => refusal('ResourceNotFoundException', 'Requested resource not found');
    const failure = await failureOf(
      fake.run(`${SDK}dynamodb:putItem`, { TableName: 't', Item: {} }),
    );
    expect(failure.error).toBe('DynamoDb.ResourceNotFoundException');
    expect(failure.reason).toBe(
      'Requested resource not found (Service: DynamoDb, Status Code: 400, Request ID: request-1)',
    );
  });

  it('are named as recorded: Step Functions, with the attempt count', async () => {
    answer = () => refusal('InvalidToken', "Invalid Token: 'Invalid token'");
    const failure = await failureOf(
      fake.run(`${SDK}sfn:sendTaskSuccess`, { TaskToken: 'NoSuchTaskToken', Output: '{}' }),
    );
    expect(failure.error).toBe('Sfn.InvalidTokenException');
    expect(failure.reason).toBe(
      "Invalid Token: 'Invalid token' (Service: Sfn, Status Code: 400, Request ID: request-1) " +
        '(SDK Attempt Count: 1)',
    );
  });

  it('are named as recorded: S3, with the extended request id', async () => {
    answer = () =>
      xml(
        '<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>',
        404,
        { 'x-amz-request-id': 'R1', 'x-amz-id-2': 'X1' },
      );
    const failure = await failureOf(fake.run(`${SDK}s3:listObjects`, { Bucket: 'none' }));
    expect(failure.error).toBe('S3.NoSuchBucketException');
    expect(failure.reason).toBe(
      'The specified bucket does not exist (Service: S3, Status Code: 404, Request ID: R1, ' +
        'Extended Request ID: X1)',
    );
  });

  it('unknown to the model become the base exception', async () => {
    answer = () => refusal('ValidationException', 'bad');
    const failure = await failureOf(fake.run(`${SDK}dynamodb:putItem`, { TableName: 't' }));
    expect(failure.error).toBe('DynamoDb.DynamoDbException');
  });

  it('a refused connection is an SDK client exception', async () => {
    await fake.web.close();
    const failure = await failureOf(fake.run(`${SDK}dynamodb:listTables`, {}));
    expect(failure.error).toBe('DynamoDb.SdkClientException');
  });

  it('an unknown action and an unknown service say what is missing', async () => {
    expect((await failureOf(fake.run(`${SDK}sqs:frobnicate`, {}))).reason).toBe(
      'The service sqs has no action frobnicate.',
    );
    expect((await failureOf(fake.run(`${SDK}timestreamquery:query`, {}))).reason).toContain(
      'npm install @aws-sdk/client-timestream-query',
    );
  });

  it('without endpoint and credentials nothing is sent anywhere', async () => {
    const { handlers, snsFallback } = createAws({ config: fake.config, environment: {} });
    const sdk = handlers.find(({ resource }) => resource === 'aws-sdk:*');
    const context = fake.world.context(fake.config);
    const task = { ...context.task, resource: `${SDK}sqs:listQueues` };
    const failure = await failureOf(sdk?.run({}, { ...context, task }) as Promise<unknown>);
    expect(failure.error).toBe('Sqs.SdkClientException');
    expect(failure.reason).toContain('AWS_ENDPOINT_URL');
    expect(snsFallback).toBeNull();
  });
});

describe('Credentials', () => {
  const ASSUMED =
    '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>' +
    '<Credentials><AccessKeyId>ASSUMED</AccessKeyId><SecretAccessKey>x</SecretAccessKey>' +
    '<SessionToken>session</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>' +
    '</AssumeRoleResult></AssumeRoleResponse>';

  it('the role is assumed once and its keys sign the request', async () => {
    answer = ({ body }) => (body.includes('AssumeRole') ? xml(ASSUMED) : json({}));
    const credentials = { RoleArn: 'arn:aws:iam::111111111111:role/other' };
    await fake.run(`${SDK}dynamodb:listTables`, {}, { credentials });
    await fake.run(`${SDK}dynamodb:listTables`, {}, { credentials });
    const [assume, ...calls] = fake.web.received;
    expect(new URLSearchParams(assume?.body).get('RoleArn')).toBe(credentials.RoleArn);
    expect(calls).toHaveLength(2);
    for (const { headers } of calls) {
      expect(headers.authorization).toContain('Credential=ASSUMED/');
      expect(headers['x-amz-security-token']).toBe('session');
    }
  });

  it('a role that may not be assumed fails the task in AWS words', async () => {
    answer = () =>
      xml(
        '<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>',
        403,
      );
    const context = fake.world.context(fake.config);
    const failure = await failureOf(
      fake.run(
        `${SDK}dynamodb:listTables`,
        {},
        {
          credentials: { RoleArn: 'arn:aws:iam::222222222222:role/b' },
          task: { ...context.task, roleArn: 'arn:aws:iam::111111111111:role/a' },
        },
      ),
    );
    expect(failure.error).toBe('States.TaskFailed');
    expect(failure.reason).toBe(
      "The role arn:aws:iam::111111111111:role/a is not authorized to assume the task state's role, " +
        'arn:aws:iam::222222222222:role/b.',
    );
  });
});
