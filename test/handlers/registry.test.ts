import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRegistry, PARAMETERS_INVALID } from '../../src/handlers/registry.js';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { createWorld, failureOf, fakeHandler, type World } from './world.js';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.close());

const LAMBDA = 'arn:aws:lambda:us-east-1:123456789012:function:Score';
const handlers = [
  fakeHandler('ml:ingest'),
  fakeHandler('sns:publish'),
  fakeHandler('arn:aws:states:::aws-sdk:*'),
  fakeHandler('arn:aws:states:::aws-sdk:s3:*'),
  fakeHandler('arn:aws:states:::batch:submitJob.sync'),
  fakeHandler('strict:work', {
    parameters: {
      type: 'object',
      required: ['path'],
      properties: { path: { type: 'string' }, format: { enum: ['csv', 'json'] } },
      additionalProperties: false,
    },
  }),
];

function registryOf(raw: JsonObject = {}) {
  const config = world.config(raw);
  const registry = createRegistry({ handlers, config, lambdaClient: null });
  const run = (resource: string, parameters: Json = {}) => {
    const found = registry.resolve(resource);
    if (found === null || found.handler === null) throw new Error(`nothing does ${resource}`);
    return found.handler.run(parameters, world.context(config));
  };
  return { registry, run };
}

const names: readonly (readonly [string, string, string, string, string])[] = [
  ['a bare name', 'ml:ingest', 'ml:ingest', 'ml', 'ingest'],
  ['an integration ARN', 'arn:aws:states:::sns:publish', 'sns:publish', 'sns', 'publish'],
  [
    'an integration with a suffix',
    'arn:aws:states:::sns:publish.waitForTaskToken',
    'sns:publish',
    'sns',
    'publish.waitForTaskToken',
  ],
  [
    'an exact name with its suffix',
    'arn:aws:states:::batch:submitJob.sync',
    'arn:aws:states:::batch:submitJob.sync',
    'batch',
    'submitJob.sync',
  ],
  [
    'a pattern',
    'arn:aws:states:::aws-sdk:sqs:sendMessage',
    'arn:aws:states:::aws-sdk:*',
    'aws-sdk:sqs',
    'sendMessage',
  ],
  [
    'the longer of two patterns',
    'arn:aws:states:::aws-sdk:s3:getObject',
    'arn:aws:states:::aws-sdk:s3:*',
    'aws-sdk:s3',
    'getObject',
  ],
];

describe('resolve', () => {
  it.each(names)('%s', (_claim, resource, handler, resourceType, action) => {
    const found = registryOf().registry.resolve(resource);
    expect(found?.handler?.resource).toBe(handler);
    expect(found).toMatchObject({ kind: 'task', resourceType, resource: action });
  });

  it('an unknown resource is null, and is explained with the name that was meant', () => {
    const { registry } = registryOf();
    expect(registry.resolve('ml:ingets')).toBeNull();
    expect(registry.resolve('arn:aws:states:::glue:startJobRun')).toBeNull();
    expect(registry.explainUnknown('ml:ingets')).toMatch(/Did you mean "ml:ingest"\?.*"functions"/);
  });

  it('an activity has no handler', () => {
    const arn = 'arn:aws:states:us-east-1:123456789012:activity:Review';
    expect(registryOf().registry.resolve(arn)).toEqual({
      kind: 'activity',
      handler: null,
      resourceType: 'activity',
      resource: arn,
    });
  });

  it('a configured name comes before a built-in one, with its parameters under the task’s', async () => {
    const { registry, run } = registryOf({
      functions: {
        'ml:ingest': { handler: 'sns:publish', parameters: { a: 1, b: { c: 1 } } },
        Score: 'ml:ingest',
      },
    });
    expect(await run('ml:ingest', { b: 2 })).toEqual({
      resource: 'sns:publish',
      parameters: { a: 1, b: 2 },
    });
    expect(await run('ml:ingest', null)).toMatchObject({ parameters: { a: 1, b: { c: 1 } } });
    expect(await run('ml:ingest', 7)).toMatchObject({ parameters: 7 });
    expect(registry.resolve('Score')).toMatchObject({
      resourceType: 'local',
      resource: 'Score',
    });
  });

  it('any service integration can be mapped by its ARN, as the message for an unknown one says', async () => {
    const arn = 'arn:aws:states:::glue:startJobRun.sync';
    expect(registryOf().registry.explainUnknown(arn)).toContain(
      `"functions": {"${arn}": "./functions/startJobRun.js#handler"}`,
    );
    const { registry, run } = registryOf({ functions: { [arn]: 'ml:ingest' } });
    expect(await run(arn, 1)).toEqual({ resource: 'ml:ingest', parameters: 1 });
    expect(registry.resolve(arn)).toMatchObject({
      resourceType: 'glue',
      resource: 'startJobRun.sync',
    });
  });

  it('a Lambda ARN, with or without alias, leads to the configured function of that name', async () => {
    const { registry, run } = registryOf({ functions: { Score: 'ml:ingest' } });
    for (const arn of [LAMBDA, `${LAMBDA}:PROD`, `${LAMBDA}:$LATEST`]) {
      expect(await run(arn, 'any')).toEqual({ resource: 'ml:ingest', parameters: 'any' });
    }
    expect(registry.resolve(LAMBDA)).toMatchObject({ kind: 'lambda-function', resource: LAMBDA });
  });

  it('a bare topic ARN publishes to that topic', async () => {
    const arn = 'arn:aws:sns:us-east-1:123456789012:ml-alerts';
    const { run } = registryOf();
    expect(await run(arn, { Message: 'x', Subject: 's' })).toEqual({
      resource: 'sns:publish',
      parameters: { TopicArn: arn, Message: 'x', Subject: 's' },
    });
    expect(await run(arn, { score: 1 })).toMatchObject({
      parameters: { TopicArn: arn, Message: { score: 1 } },
    });
  });

  it('a function that names an unknown handler stops the start, saying where', () => {
    expect(() => registryOf({ functions: { f: 'ml:ingst' } })).toThrow(
      /at \/functions\/f: there is no handler "ml:ingst"\. Did you mean "ml:ingest"\?/,
    );
  });

  it('lists what is built in and what is configured', () => {
    const listed = registryOf({ functions: { f: 'ml:ingest' } }).registry.list();
    expect(listed).toContainEqual({
      resource: 'ml:ingest',
      description: 'ml:ingest',
      source: 'built-in',
    });
    expect(listed.filter((entry) => entry.source === 'config').map((e) => e.resource)).toEqual([
      'f',
    ]);
    expect(listed.map((entry) => entry.resource)).toContain('lambda:invoke');
  });
});

describe('parameters are checked before the handler runs', () => {
  it.each([
    [{}, 'Parameters of strict:work at /path: "path" is missing.'],
    [
      { path: 1 },
      'Parameters of strict:work at /path: The value at /path is 1; it must be string.',
    ],
    [{ path: 'x', fromat: 'csv' }, 'Did you mean "format"?'],
    [{ path: 'x', format: 'cvs' }, 'it must be one of "csv", "json". Did you mean "csv"?'],
    ['text', 'The value is "text"; it must be object.'],
  ] as const)('%j', async (parameters, sentence) => {
    const failure = await failureOf(registryOf().run('strict:work', parameters));
    expect(failure.error).toBe(PARAMETERS_INVALID);
    expect(failure.reason).toContain(sentence);
  });

  it('right parameters reach the handler', async () => {
    const { run } = registryOf({ functions: { f: 'strict:work' } });
    expect(await run('f', { path: 'x' })).toMatchObject({ parameters: { path: 'x' } });
  });
});
