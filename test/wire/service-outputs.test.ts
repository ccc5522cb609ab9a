/** Mocked results against the services' models: AWS's recorded complaints first, then our own rules. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { checkMockResult, type FieldValidationMode } from '../../src/wire/service-outputs/check.js';
import { loadModel } from '../../src/wire/service-outputs/model.js';
import { parseResource } from '../../src/core/resource.js';
import type { Json } from '../../src/lib/json.js';

const RECORDED = fileURLToPath(
  new URL('../../../shared/conformance/cases/test_state.json', import.meta.url),
);
const isHere = existsSync(RECORDED);
if (!isHere) console.warn(`SKIPPED: the recorded TestState answers are not at ${RECORDED}.`);

const PREFIX = 'Mock result schema validation error: ';

interface Case {
  readonly id: string;
  readonly steps: readonly {
    readonly params?: {
      readonly definition?: string;
      readonly mock?: { readonly result?: string; readonly fieldValidationMode?: string };
    };
    readonly expectError?: { readonly message: string };
  }[];
}

interface Row {
  readonly name: string;
  readonly resource: string;
  readonly result: Json;
  readonly mode: FieldValidationMode;
  readonly complaint: string | null;
}

/** Every recorded mock of a Task that reached the check of its schema. */
function recordedRows(): readonly Row[] {
  const cases = JSON.parse(readFileSync(RECORDED, 'utf8')) as readonly Case[];
  return cases.flatMap(({ id, steps }) =>
    steps.flatMap(({ params, expectError }): Row[] => {
      const { result, fieldValidationMode } = params?.mock ?? {};
      const text = params?.definition ?? '';
      if (result === undefined || !text.startsWith('{') || !isJson(result)) return [];
      const { Resource: resource } = JSON.parse(text) as { Resource?: string };
      const message = expectError?.message;
      if (resource === undefined || (message !== undefined && !message.startsWith(PREFIX)))
        return [];
      return [
        {
          name: `${id.split('::').pop()} of ${resource.split(':::')[1]}`,
          resource,
          result: JSON.parse(result) as Json,
          mode: (fieldValidationMode ?? 'STRICT') as FieldValidationMode,
          complaint: message?.slice(PREFIX.length) ?? null,
        },
      ];
    }),
  );
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function check(resource: string, result: Json, mode: FieldValidationMode = 'STRICT') {
  return checkMockResult(parseResource(resource), result, mode);
}

const service = (name: string): string => `arn:aws:states:::${name}`;

describe.skipIf(!isHere)('complaints recorded on AWS', () => {
  const rows = isHere ? recordedRows() : [];
  test('are many enough to mean something', () => {
    expect(rows.length).toBeGreaterThan(20);
    expect(rows.filter(({ complaint }) => complaint !== null).length).toBeGreaterThan(12);
  });
  test.each(rows)('$name, $mode', ({ resource, result, mode, complaint }) => {
    expect(check(resource, result, mode)).toBe(complaint);
  });
});

describe('a mocked result', () => {
  test.each<[string, string, Json, string]>([
    [
      'text for a number',
      'lambda:invoke',
      { StatusCode: '200' },
      "Field 'StatusCode' must be a number",
    ],
    [
      'true for a number',
      'lambda:invoke',
      { StatusCode: true },
      "Field 'StatusCode' must be a number",
    ],
    ['null for text', 'sqs:sendMessage', { MessageId: null }, "Field 'MessageId' must be a string"],
    // Recorded nowhere, but told of twice: localstack's test_field_validation_mode.py, boto3#4682.
    [
      'a payload that is no text',
      'lambda:invoke',
      { Payload: {} },
      "Field 'Payload' must be a string",
    ],
    [
      'text for a flag',
      'aws-sdk:s3:getObject',
      { DeleteMarker: 'no' },
      "Field 'DeleteMarker' must be a boolean",
    ],
    [
      'text for an object',
      'dynamodb:getItem',
      { ConsumedCapacity: 'x' },
      "Field 'ConsumedCapacity' must be an object",
    ],
    ['a list for a map', 'dynamodb:getItem', { Item: [] }, "Field 'Item' must be an object"],
    [
      'a bad value deep in a map',
      'dynamodb:getItem',
      { Item: { a: { L: [{ S: 1 }] } } },
      "Field 'S' must be a string",
    ],
    [
      'a text too short',
      'states:startExecution',
      { ExecutionArn: '', StartDate: '' },
      "Field 'ExecutionArn' is smaller than the minimum length",
    ],
    [
      'a text too long',
      'states:startExecution',
      { ExecutionArn: 'a'.repeat(257), StartDate: '' },
      "Field 'ExecutionArn' exceeds the maximum length",
    ],
    [
      'a blob too long',
      'aws-sdk:kms:encrypt',
      { CiphertextBlob: 'A'.repeat(8196) },
      "Field 'CiphertextBlob' exceeds the maximum length",
    ],
    ['no object', 'lambda:invoke', [1], 'Result must be an object'],
  ])('with %s is refused', (_, resource, result, complaint) => {
    expect(check(service(resource), result, 'STRICT')).toBe(complaint);
    expect(check(service(resource), result, 'PRESENT')).toBe(complaint);
    expect(check(service(resource), result, 'NONE')).toBeNull();
  });

  test('needs required members in STRICT mode only, nested ones too', () => {
    const described = { ExecutionArn: 'a', StateMachineArn: 'm', Status: 'SUCCEEDED' };
    const missing = "Required field 'StartDate' is missing";
    expect(check(service('aws-sdk:sfn:describeExecution'), described)).toBe(missing);
    expect(check(service('aws-sdk:sfn:describeExecution'), described, 'PRESENT')).toBeNull();
    const machines = { StateMachines: [{ Name: 'm' }] };
    expect(check(service('aws-sdk:sfn:listStateMachines'), machines)).toMatch(/^Required field '/);
    expect(check(service('aws-sdk:sfn:listStateMachines'), machines, 'PRESENT')).toBeNull();
  });

  test.each<[string, string, Json]>([
    ['the metadata of the call', 'sqs:sendMessage', { SdkHttpMetadata: { HttpStatusCode: '200' } }],
    // Observed on AWS: the model's name is Md5OfMessageBody, so this one is not checked.
    [
      'a member named as SQS names it',
      'sqs:sendMessage',
      { MD5OfMessageBody: { un: ['expected'] } },
    ],
    ['names of Object.prototype', 'sqs:sendMessage', { constructor: 1, toString: 2, valueOf: 3 }],
    [
      'a blob whose base64 form alone is too long',
      'aws-sdk:kms:encrypt',
      { CiphertextBlob: 'A'.repeat(8192) },
    ],
    ['a fraction', 'aws-sdk:s3:getObject', { ContentLength: 1.5 }],
    ['null', 'lambda:invoke', null],
  ])('may hold %s', (_, resource, result) => {
    expect(check(service(resource), result)).toBeNull();
  });

  test('may hold __proto__ as an ordinary, unknown member', () => {
    const result = JSON.parse('{"__proto__": {"StatusCode": "200"}}') as Json;
    expect(check(service('lambda:invoke'), result)).toBeNull();
  });
});

describe('the model that checks', () => {
  const wrong = { JobRun: 1, Tasks: 1, Jobs: 1, StatusCode: 'x', Body: {}, MessageId: 1 };

  test.each([
    ['a function', 'arn:aws:lambda:us-east-1:123456789012:function:f'],
    ['an activity', 'arn:aws:states:us-east-1:123456789012:activity:a'],
    ['an HTTP call', service('http:invoke')],
    ['an API Gateway call', service('apigateway:invoke')],
    ['a callback', service('lambda:invoke.waitForTaskToken')],
    ['a callback through the SDK', service('aws-sdk:sqs:sendMessage.waitForTaskToken')],
    ['an unknown service', service('aws-sdk:nosuchservice:doIt')],
    ['a service that is a path', service('aws-sdk:../../package:doIt')],
    ['a service named like a property', service('constructor:doIt')],
    ['an unknown action', service('aws-sdk:sqs:fly')],
    ['an action named like a property', service('aws-sdk:sqs:constructor')],
    ['a handler of our own', 'ml:train'],
    ['our own S3 handler', 's3:putObject'],
  ])('is none for %s', (_, resource) => {
    expect(check(resource, wrong)).toBeNull();
    expect(check(resource, 'text')).toBeNull();
  });

  test.each([
    [
      'states:startExecution.sync',
      { ExecutionArn: 'a' },
      "Required field 'StateMachineArn' is missing",
    ],
    // boto/boto3#4683.
    [
      'states:startExecution.sync:2',
      { ...executionWith({ Output: {} }) },
      "Field 'Output' must be a string",
    ],
    ['states:startExecution.sync:2', { ...executionWith({ Output: '{}' }) }, null],
    ['ecs:runTask.sync', { Tasks: {} }, "Field 'Tasks' must be an array"],
    ['ecs:runTask.sync', { LastStatus: 'STOPPED' }, null],
    [
      'glue:startJobRun.sync',
      { JobRun: { JobRunState: 'DONE' } },
      "Field 'JobRunState' is not an expected value",
    ],
    ['codebuild:startBuild.sync', { Builds: 1 }, "Field 'Builds' must be an array"],
    [
      'athena:startQueryExecution.sync',
      { QueryExecution: 1 },
      "Field 'QueryExecution' must be an object",
    ],
    ['sagemaker:createTrainingJob.sync', {}, "Required field 'TrainingJobName' is missing"],
    ['elasticmapreduce:createCluster.sync', { Cluster: 1 }, "Field 'Cluster' must be an object"],
    ['elasticmapreduce:createCluster', { ClusterId: 1 }, null],
    ['eks:runJob.sync', { anything: 1 }, null],
  ] as const)('of %s given %j says %s', (resource, result, complaint) => {
    expect(check(service(resource), result)).toBe(complaint);
  });

  test.each([
    ['aws-sdk:sfn:startExecution', 'ExecutionArn'],
    ['aws-sdk:cloudwatchlogs:createDelivery', 'Delivery'],
    ['aws-sdk:eventbridge:putEvents', 'Entries'],
    ['aws-sdk:rds:describeDBInstances', 'DbInstances'],
    ['aws-sdk:cognitoidentityprovider:adminGetUser', 'Username'],
    ['aws-sdk:secretsmanager:getSecretValue', 'SecretString'],
    ['aws-sdk:bedrockruntime:invokeModel', 'ContentType'],
    ['aws-sdk:ec2:describeInstances', 'Reservations'],
    ['aws-sdk:redshiftdata:executeStatement', 'Id'],
    ['aws-sdk:ssm:getParameter', 'Parameter'],
  ])('of %s knows %s', (resource, member) => {
    expect(check(service(resource), { [member]: true }, 'PRESENT')).toContain(
      `'${member}' must be`,
    );
  });

  test('has only shapes that lie in it, for every service', () => {
    const folder = new URL('../../schemas/service-outputs/', import.meta.url);
    const services = readdirSync(folder).map((file) => file.replace('.json', ''));
    expect(services.length).toBeGreaterThan(150);
    for (const name of services) {
      const model = loadModel(name);
      const used = [
        ...Object.values(model?.operations ?? {}),
        ...(model?.shapes ?? []).flatMap((shape) => {
          if (typeof shape === 'string') return [];
          if ('object' in shape) return Object.values(shape.object);
          return 'array' in shape ? [shape.array] : 'map' in shape ? [shape.map] : [];
        }),
      ];
      expect(
        used.filter((index) => model?.shapes[index] === undefined),
        name,
      ).toEqual([]);
    }
  });
});

function executionWith(members: Record<string, Json>): Record<string, Json> {
  return {
    ExecutionArn: 'a',
    StateMachineArn: 'm',
    Status: 'SUCCEEDED',
    StartDate: 'd',
    ...members,
  };
}
