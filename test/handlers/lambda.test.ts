import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TaskFailure } from '../../src/handlers/handler.js';
import type { LambdaAnswer, LambdaClient, LambdaRequest } from '../../src/handlers/lambda.js';
import { createRegistry } from '../../src/handlers/registry.js';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { createWorld, failureOf, fakeHandler, startWebServer, type World } from './world.js';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.close());

const INVOKE = 'arn:aws:states:::lambda:invoke';
const ARN = 'arn:aws:lambda:us-east-1:123456789012:function:Score';

const local = [
  fakeHandler('echo', { run: async (event) => event }),
  fakeHandler('fails', {
    run: async () => {
      throw new TaskFailure('CustomError', '{"errorType":"CustomError"}');
    },
  }),
];

function run(
  resource: string,
  parameters: Json,
  client: LambdaClient | null = null,
  raw: JsonObject = {},
) {
  const config = world.config({ functions: { Score: 'echo', Broken: 'fails' }, ...raw });
  const lambdaClient = client === null ? null : async () => client;
  const found = createRegistry({ handlers: local, config, lambdaClient }).resolve(resource);
  if (found === null || found.handler === null) throw new Error('not found');
  return found.handler.run(parameters, world.context(config));
}

describe('a function mapped in the configuration', () => {
  it('answers lambda:invoke in the recorded shape', async () => {
    const result = (await run(INVOKE, { FunctionName: 'Score', Payload: { a: 1 } })) as JsonObject;
    expect(result).toEqual({
      ExecutedVersion: '$LATEST',
      Payload: { a: 1 },
      SdkHttpMetadata: {
        AllHttpHeaders: {
          'X-Amz-Executed-Version': ['$LATEST'],
          'x-amzn-Remapped-Content-Length': ['0'],
          Connection: ['keep-alive'],
          'x-amzn-RequestId': [expect.any(String)],
          'Content-Length': ['7'],
          Date: [expect.any(String)],
          'X-Amzn-Trace-Id': [expect.any(String)],
          'Content-Type': ['application/json'],
        },
        HttpHeaders: {
          Connection: 'keep-alive',
          'Content-Length': '7',
          'Content-Type': 'application/json',
          Date: expect.any(String),
          'X-Amz-Executed-Version': '$LATEST',
          'x-amzn-Remapped-Content-Length': '0',
          'x-amzn-RequestId': expect.any(String),
          'X-Amzn-Trace-Id': expect.any(String),
        },
        HttpStatusCode: 200,
      },
      SdkResponseMetadata: { RequestId: expect.any(String) },
      StatusCode: 200,
    });
  });

  it.each([
    [null, {}],
    [undefined, {}],
    ['0.0', 0],
    ['"HelloWorld"', 'HelloWorld'],
    ['true', true],
    [7, 7],
    [[1], [1]],
  ] as const)('a payload of %j arrives as %j (recorded)', async (payload, event) => {
    const parameters = {
      FunctionName: 'Score',
      ...(payload === undefined ? {} : { Payload: payload }),
    };
    expect(await run(INVOKE, parameters as Json)).toMatchObject({ Payload: event });
  });

  it('is found by name, name with alias, partial ARN and full ARN', async () => {
    for (const name of ['Score', 'Score:PROD', '123456789012:function:Score', ARN, `${ARN}:7`]) {
      expect(await run(INVOKE, { FunctionName: name, Payload: 1 })).toMatchObject({ Payload: 1 });
    }
  });

  it('a function ARN as resource returns the payload itself', async () => {
    expect(await run(ARN, 'HelloWorld')).toBe('HelloWorld');
  });

  it('its failure keeps its own name', async () => {
    expect((await failureOf(run(INVOKE, { FunctionName: 'Broken' }))).error).toBe('CustomError');
  });

  it('a payload that is no JSON text is refused as Lambda does', async () => {
    const failure = await failureOf(run(INVOKE, { FunctionName: 'Score', Payload: 'hello' }));
    expect(failure.error).toBe('Lambda.InvalidRequestContentException');
    expect(failure.reason).toMatch(/Could not parse request body into json/);
  });
});

describe('the real API', () => {
  const answer: LambdaAnswer = {
    status: 200,
    requestId: 'r-1',
    executedVersion: '$LATEST',
    functionError: null,
    logResult: null,
    payload: '{"ok":true}',
  };
  const error = { errorMessage: 'Some exception was raised.', errorType: 'Exception' };

  it('is called when no function of that name is mapped', async () => {
    const seen: LambdaRequest[] = [];
    const client: LambdaClient = async (request) => {
      seen.push(request);
      return answer;
    };
    const parameters = { FunctionName: 'Other', Payload: { a: 1 }, Qualifier: 'PROD' };
    expect(await run(INVOKE, parameters, client)).toMatchObject({ Payload: { ok: true } });
    expect(seen[0]).toMatchObject({ functionName: 'Other', payload: '{"a":1}', qualifier: 'PROD' });
    const arn = ARN.replace('Score', 'Other');
    expect(await run(arn, 'x', client)).toEqual({ ok: true });
    expect(seen[1]).toMatchObject({ functionName: arn, payload: '"x"' });
  });

  it('a function error keeps errorType as error and the raw payload as cause (recorded)', async () => {
    const payload = JSON.stringify(error);
    const client: LambdaClient = async () => ({ ...answer, functionError: 'Unhandled', payload });
    for (const [resource, parameters] of [
      [INVOKE, { FunctionName: 'Other' }],
      [ARN.replace('Score', 'Other'), {}],
    ] as const) {
      expect(await failureOf(run(resource, parameters, client))).toMatchObject({
        error: 'Exception',
        reason: payload,
      });
    }
  });

  it('a function error without a type is Lambda.Unknown', async () => {
    const payload = '{"errorMessage":"Task timed out after 3.00 seconds"}';
    const client: LambdaClient = async () => ({ ...answer, functionError: 'Unhandled', payload });
    const failure = await failureOf(run(INVOKE, { FunctionName: 'Other' }, client));
    expect(failure.error).toBe('Lambda.Unknown');
    expect(failure.reason).toBe(
      'The cause could not be determined because Lambda did not return an error type. ' +
        `Returned payload: ${payload}`,
    );
  });

  it('a payload that is no JSON stays text, so that its size can be judged', async () => {
    const client: LambdaClient = async () => ({ ...answer, payload: 'aaa' });
    expect(await run(ARN.replace('Score', 'Other'), {}, client)).toBe('aaa');
  });

  it('an unknown function names the lines to add when nothing else is configured', async () => {
    const failure = await failureOf(run(INVOKE, { FunctionName: 'Other' }));
    expect(failure.error).toBe('Lambda.ResourceNotFoundException');
    expect(failure.reason).toMatch(/Function not found: Other\..*"functions": \{"Other"/);
  });
});

it('the SDK client speaks to an endpoint and words refusals as AWS does (recorded)', async () => {
  const server = await startWebServer((request, response) => {
    const found = request.url.includes('/Known/');
    const type = found ? {} : { 'x-amzn-ErrorType': 'ResourceNotFoundException' };
    response.writeHead(found ? 200 : 404, {
      'x-amzn-RequestId': 'req-7',
      'X-Amz-Executed-Version': '$LATEST',
      ...type,
    });
    response.end(found ? request.body || '{}' : '{"Message": "Function not found: arn:x:$LATEST"}');
  });
  const config = world.config({ aws: { endpoint: server.url, region: 'us-east-1' } });
  const found = createRegistry({ handlers: [], config }).resolve(INVOKE);
  const context = world.context(config);
  expect(
    await found?.handler?.run({ FunctionName: 'Known', Payload: null }, context),
  ).toMatchObject({
    ExecutedVersion: '$LATEST',
    Payload: {},
    SdkResponseMetadata: { RequestId: 'req-7' },
    StatusCode: 200,
  });
  const failure = await failureOf(
    found?.handler?.run({ FunctionName: 'Unknown' }, context) ?? Promise.resolve(),
  );
  expect(failure.error).toBe('Lambda.ResourceNotFoundException');
  expect(failure.reason).toBe(
    'Function not found: arn:x:$LATEST (Service: AWSLambda; Status Code: 404; ' +
      'Error Code: ResourceNotFoundException; Request ID: req-7; Proxy: null)',
  );
  await server.close();
});
