import { describe, expect, test } from 'vitest';
import * as arns from '../../src/wire/arn.js';

const scope = { partition: 'aws', region: 'us-east-1', account: '123456789012' };
const P = 'arn:aws:states:us-east-1:123456789012';

describe('parseArn', () => {
  test.each([
    [
      `${P}:stateMachine:m`,
      { kind: 'stateMachine', name: 'm', label: null, qualifier: null, testCase: null },
    ],
    [
      `${P}:stateMachine:m:7`,
      { kind: 'stateMachine', name: 'm', label: null, qualifier: '7', testCase: null },
    ],
    [
      `${P}:stateMachine:m:live`,
      { kind: 'stateMachine', name: 'm', label: null, qualifier: 'live', testCase: null },
    ],
    [
      `${P}:stateMachine:m/lab`,
      { kind: 'stateMachine', name: 'm', label: 'lab', qualifier: null, testCase: null },
    ],
    [
      `${P}:stateMachine:m#Happy`,
      { kind: 'stateMachine', name: 'm', label: null, qualifier: null, testCase: 'Happy' },
    ],
    [
      `${P}:stateMachine:m:2#Happy`,
      { kind: 'stateMachine', name: 'm', label: null, qualifier: '2', testCase: 'Happy' },
    ],
    [`${P}:execution:m:e`, { kind: 'execution', machine: 'm', label: null, name: 'e' }],
    [`${P}:execution:m/lab:e`, { kind: 'execution', machine: 'm', label: 'lab', name: 'e' }],
    [`${P}:express:m:e:id`, { kind: 'express', machine: 'm', label: null, name: 'e', id: 'id' }],
    [`${P}:activity:a`, { kind: 'activity', name: 'a' }],
    [`${P}:mapRun:m/lab:id`, { kind: 'mapRun', machine: 'm', label: 'lab', id: 'id' }],
  ])('reads %s', (text, parts) => {
    expect(arns.parseArn(text)).toEqual({ scope, ...parts });
  });

  test.each([
    '',
    'm',
    'arn:aws:states',
    'arn:aws:lambda:us-east-1:123456789012:function:f',
    `${P}:stateMachine:`,
    `${P}:stateMachine:m:1:2`,
    `${P}:stateMachine:/label`,
    `${P}:execution:m`,
    `${P}:express:m:e`,
    `${P}:unknown:m`,
    'arn:aws:states::123456789012:stateMachine:m',
  ])('knows nothing of %j', (text) => {
    expect(arns.parseArn(text)).toBeNull();
  });

  test('reads what the formatters write', () => {
    const machine = arns.machineArn(scope, 'm');
    for (const text of [
      machine,
      arns.versionArn(machine, 3),
      arns.aliasArn(machine, 'live'),
      arns.labelledMachineArn(machine, 'lab'),
      arns.executionArn(scope, 'm', 'e'),
      arns.expressArn(scope, 'm', 'e', 'u'),
      arns.activityArn(scope, 'a'),
      arns.mapRunArn(scope, 'm', 'lab', 'u'),
    ]) {
      expect(arns.parseArn(text)).not.toBeNull();
    }
  });
});
