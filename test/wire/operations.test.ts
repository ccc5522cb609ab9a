/** The table of operations against the AWS SDK's own model. */
import * as sdk from '@aws-sdk/client-sfn';
import { expect, test } from 'vitest';
import { OPERATIONS, type Operation } from '../../src/wire/operations.js';

type Schema = readonly [number, string, string, ...unknown[]];

/** Member names of an operation's input: index 4 of a structure schema of the SDK. */
function sdkMembers(operation: string): readonly string[] | null {
  const schemas = sdk as unknown as Record<string, Schema | undefined>;
  const input = schemas[`${operation}Input$`] ?? schemas[`${operation}Request$`];
  return input === undefined ? null : (input[4] as string[]);
}

test('there are the 37 operations of the SDK', () => {
  const commands = Object.keys(sdk)
    .filter((name) => /^[A-Z].*Command$/.test(name) && name !== '$Command')
    .map((name) => name.replace(/Command$/, ''));
  expect(Object.keys(OPERATIONS).sort()).toEqual(commands.sort());
  expect(commands.length).toBe(37);
});

test.each(Object.keys(OPERATIONS) as Operation[])('%s has the members of the SDK', (operation) => {
  const expected = sdkMembers(operation);
  expect(expected).not.toBeNull();
  expect(Object.keys(OPERATIONS[operation].members).sort()).toEqual([...(expected ?? [])].sort());
});
