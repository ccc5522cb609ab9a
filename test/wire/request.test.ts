import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/lib/json.js';
import { ApiError } from '../../src/wire/errors.js';
import type { Operation } from '../../src/wire/operations.js';
import { readInput } from '../../src/wire/request.js';

function refusal(operation: Operation, body: JsonObject): ApiError {
  try {
    readInput(operation, body);
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error('The input was accepted.');
}

const arn = 'arn:aws:states:us-east-1:123456789012:stateMachine:m';

describe('a broken constraint is worded as AWS words it', () => {
  test.each<[Operation, JsonObject, string]>([
    [
      'ListExecutions',
      { stateMachineArn: arn, maxResults: 1001 },
      "1 validation error detected: Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000",
    ],
    [
      'ListExecutions',
      { stateMachineArn: arn, statusFilter: 'succeeded' },
      "1 validation error detected: Value 'succeeded' at 'statusFilter' failed to satisfy constraint: Member must satisfy enum value set: [SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, RUNNING]",
    ],
    [
      'CreateStateMachineAlias',
      { name: '123', routingConfiguration: [{ stateMachineVersionArn: `${arn}:1`, weight: 100 }] },
      "1 validation error detected: Value '123' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(?=.*[a-zA-Z_\\-\\.])[a-zA-Z0-9_\\-\\.]+$",
    ],
    [
      'CreateStateMachineAlias',
      { name: 'a', routingConfiguration: [] },
      "1 validation error detected: Value '[]' at 'routingConfiguration' failed to satisfy constraint: Member must have length greater than or equal to 1",
    ],
    [
      'CreateStateMachineAlias',
      { name: 'a', routingConfiguration: [{ stateMachineVersionArn: `${arn}:1`, weight: 101 }] },
      "1 validation error detected: Value '101' at 'routingConfiguration.1.member.weight' failed to satisfy constraint: Member must have value less than or equal to 100",
    ],
    [
      'CreateStateMachine',
      {},
      "3 validation errors detected: Value null at 'name' failed to satisfy constraint: Member must not be null; Value null at 'definition' failed to satisfy constraint: Member must not be null; Value null at 'roleArn' failed to satisfy constraint: Member must not be null",
    ],
    [
      'SendTaskSuccess',
      { taskToken: 't', output: 'x'.repeat(262_145) },
      "1 validation error detected: Value at 'output' failed to satisfy constraint: Member must have length less than or equal to 262144",
    ],
  ])('%s %#', (operation, body, message) => {
    const error = refusal(operation, body);
    expect(error.code).toBe('ValidationException');
    expect(error.text).toBe(message);
  });
});

test.each<[Operation, JsonObject, string]>([
  ['CreateActivity', { name: 7 }, 'NUMBER_VALUE can not be converted to a String'],
  ['CreateActivity', { name: true }, 'TRUE_VALUE can not be converted to a String'],
  ['CreateActivity', { name: {} }, 'Start of structure or map found where not expected.'],
  ['CreateActivity', { name: [] }, 'Start of list found where not expected'],
  ['CreateActivity', { name: 'a', tags: 'x' }, 'Expected list or null'],
  ['ListActivities', { maxResults: '5' }, 'STRING_VALUE can not be converted to an Integer'],
])('a value of another type is no input: %s %j', (operation, body, message) => {
  const error = refusal(operation, body);
  expect([error.code, error.text]).toEqual(['SerializationException', message]);
});

test('unknown members are dropped and null ones are absent', () => {
  const body = JSON.parse(
    '{"name":"a","tags":null,"surprise":1,"__proto__":{"x":1}}',
  ) as JsonObject;
  const input = readInput('CreateActivity', body);
  expect(Object.keys(input)).toEqual(['name']);
  expect(({} as { x?: number }).x).toBeUndefined();
});
