import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createApiGatewayHandler } from '../../src/handlers/api-gateway.js';
import { signHeaders } from '../../src/lib/sigv4.js';
import { createHttpInvokeHandler } from '../../src/handlers/http-invoke.js';
import { formEncode } from '../../src/handlers/http-invoke-request.js';
import { parseConnection, type RawConnection } from '../../src/handlers/http-invoke-connections.js';
import type { Config } from '../../src/handlers/config/config.js';
import type { Json, JsonObject } from '../../src/lib/json.js';
import {
  createWorld,
  failureOf,
  type Received,
  startWebServer,
  type WebServer,
  type World,
} from './world.js';

const CONNECTION = 'arn:aws:events:us-east-1:1:connection/shop/8f2c';
const CONNECTIONS: Record<string, RawConnection> = {
  shop: { type: 'API_KEY', apiKeyName: 'X-Api-Key', apiKeyValue: 'secret://key' },
  basic: { type: 'BASIC', username: 'user', password: 'secret://key' },
  full: {
    type: 'API_KEY',
    apiKeyName: 'k',
    apiKeyValue: 'v',
    headers: { 'X-Own': 'connection' },
    query: { page: '7' },
    body: { tenant: 'acme' },
  },
};

let world: World;
let web: WebServer;
let config: Config;
let answer: (request: Received, response: ServerResponse) => void;

beforeAll(async () => {
  world = await createWorld();
  web = await startWebServer((request, response) => answer(request, response));
  config = world.config({
    egress: { allow: [web.host] },
    secrets: { key: { env: 'API_KEY' } },
  });
});
afterAll(async () => {
  await web.close();
  await world.close();
});
beforeEach(() => {
  web.received.length = 0;
  answer = (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"ok":true}');
  };
});

function handler(timeoutMs?: number) {
  const oauth: RawConnection = {
    type: 'OAUTH_CLIENT_CREDENTIALS',
    tokenEndpoint: `${web.url}/token`,
    clientId: 'id',
    clientSecret: 'secret://key',
    parameters: { scope: 'read' },
  };
  const connections = new Map(
    Object.entries({ ...CONNECTIONS, oauth }).map(([name, raw]) => [
      name,
      parseConnection(name, raw, (member) => {
        throw new Error(member);
      }),
    ]),
  );
  return createHttpInvokeHandler({
    connections,
    region: 'eu-west-3',
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
}

function invoke(parameters: JsonObject, name = 'shop', timeoutMs?: number): Promise<Json> {
  return handler(timeoutMs).run(
    {
      ApiEndpoint: `${web.url}/things`,
      Method: 'GET',
      Authentication: { ConnectionArn: CONNECTION.replace('shop', name) },
      ...parameters,
    },
    world.context(config),
  );
}

describe('http:invoke sends', () => {
  it('the connection, its secret, and what AWS adds', async () => {
    const result = await invoke({ QueryParameters: { q: 'a b', tag: ['x', 'y'] } });
    const [request] = web.received;
    expect(request?.url).toBe('/things?q=a+b&tag=x&tag=y');
    expect(request?.headers).toMatchObject({
      'x-api-key': 'canary-5b1d',
      'user-agent': 'Amazon|StepFunctions|HttpInvoke|eu-west-3',
      range: 'bytes=0-262144',
    });
    expect(result).toMatchObject({
      Headers: { 'content-type': ['application/json'] },
      ResponseBody: { ok: true },
      StatusCode: 200,
      StatusText: 'OK',
    });
  });

  it('values of the connection win over those of the machine', async () => {
    await invoke(
      {
        Method: 'POST',
        Headers: { 'x-own': 'machine', 'X-Other': '1' },
        QueryParameters: { page: '1', size: 2 },
        RequestBody: { tenant: 'evil', item: 1 },
      },
      'full',
    );
    const [request] = web.received;
    expect(request?.headers).toMatchObject({ 'x-own': 'connection', 'x-other': '1', k: 'v' });
    expect(request?.url).toBe('/things?size=2&page=7');
    expect(JSON.parse(request?.body ?? '')).toEqual({ tenant: 'acme', item: 1 });
  });

  it('BASIC credentials', async () => {
    await invoke({}, 'basic');
    expect(web.received[0]?.headers.authorization).toBe(
      `Basic ${Buffer.from('user:canary-5b1d').toString('base64')}`,
    );
  });

  it('an OAuth token, kept while it is valid and renewed once when it is refused', async () => {
    let issued = 0;
    let refuses = false;
    answer = ({ url, headers }, response) => {
      const isToken = url === '/token';
      const stale = !isToken && refuses && headers.authorization === 'Bearer token-1';
      const body = isToken ? { access_token: `token-${++issued}`, expires_in: 3600 } : {};
      response.writeHead(stale ? 401 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    const once = handler();
    const parameters = {
      ApiEndpoint: web.url,
      Method: 'GET',
      Authentication: { ConnectionArn: 'oauth' },
    };
    await once.run(parameters, world.context(config));
    await once.run(parameters, world.context(config));
    expect(issued).toBe(1);
    expect(web.received[0]?.body).toBe('grant_type=client_credentials&scope=read');
    refuses = true;
    await once.run(parameters, world.context(config));
    expect(issued).toBe(2);
    expect(web.received.at(-1)?.headers.authorization).toBe('Bearer token-2');
  });

  it('a form when the body is to be URL_ENCODED', async () => {
    await invoke({
      Method: 'POST',
      RequestBody: { a: 1, list: ['x', 'y'] },
      Transform: {
        RequestBodyEncoding: 'URL_ENCODED',
        RequestEncodingOptions: { ArrayFormat: 'REPEAT' },
      },
    });
    expect(web.received[0]?.body).toBe('a=1&list=x&list=y');
    expect(web.received[0]?.headers['content-type']).toBe('application/x-www-form-urlencoded');
  });

  it.each([
    ['INDICES', 'a[0]=1&a[1]=2&o[k]=v%20w'],
    ['BRACKETS', 'a[]=1&a[]=2&o[k]=v%20w'],
    ['REPEAT', 'a=1&a=2&o[k]=v%20w'],
    ['COMMAS', 'a=1,2&o[k]=v%20w'],
  ] as const)('arrays as %s', (format, encoded) => {
    expect(formEncode({ a: [1, 2], o: { k: 'v w' } }, format)).toBe(encoded);
  });
});

describe('http:invoke refuses', () => {
  it.each(['Authorization', 'Host', 'If-Match', 'X-Amz-Date', 'x-forwarded-for', 'Cookie2-not'])(
    'the header %s, if AWS forbids it',
    async (name) => {
      const sending = invoke({ Headers: { [name]: 'x' } });
      if (name === 'Cookie2-not') await sending;
      else expect((await failureOf(sending)).error).toBe('States.Runtime');
    },
  );

  it('a text body when the connection has body parameters', async () => {
    const failure = await failureOf(invoke({ Method: 'POST', RequestBody: 'text' }, 'full'));
    expect(failure.error).toBe('States.Runtime');
  });

  it('an unknown connection, saying how to add it', async () => {
    const failure = await failureOf(invoke({}, 'nowhere'));
    expect(failure.error).toBe('Events.ConnectionResource.ResourceNotFound');
    expect(failure.reason).toContain('"connections": {"nowhere"');
  });

  it('internal addresses that are not allowed', async () => {
    const failure = await failureOf(invoke({ ApiEndpoint: 'http://169.254.169.254/latest' }));
    expect(failure.error).toBe('Egress.Refused');
    expect(failure.reason).not.toContain('canary');
  });
});

describe('http:invoke fails', () => {
  it('with the status and the body of an answer outside 2xx', async () => {
    answer = (_request, response) => response.writeHead(404).end('{"message":"Not Found"}');
    const failure = await failureOf(invoke({}));
    expect([failure.error, failure.reason]).toEqual([
      'States.Http.StatusCode.404',
      '{"message":"Not Found"}',
    ]);
  });

  it('on a redirect, which would carry the credentials elsewhere', async () => {
    answer = (_request, response) => response.writeHead(302, { location: '/other' }).end();
    expect((await failureOf(invoke({}))).error).toBe('States.Http.StatusCode.302');
    expect(web.received).toHaveLength(1);
  });

  it('when no answer comes in time', async () => {
    answer = () => {};
    expect((await failureOf(invoke({}, 'shop', 50))).error).toBe('States.Http.Socket');
  });

  it('on binary answers and on answers larger than a state may hold', async () => {
    answer = (_request, response) =>
      response.writeHead(200, { 'content-type': 'image/png' }).end('x');
    expect((await failureOf(invoke({}))).error).toBe('States.Runtime');
    answer = (_request, response) =>
      response.writeHead(200, { 'content-type': 'text/plain' }).end('x'.repeat(300_000));
    expect((await failureOf(invoke({}))).error).toBe('States.DataLimitExceeded');
  });
});

describe('apigateway:invoke', () => {
  const keys = { accessKeyId: 'AKID', secretAccessKey: 'secret', sessionToken: 'session' };
  const signer = { region: 'eu-west-3', keys: async () => keys };
  const call = (parameters: JsonObject) =>
    createApiGatewayHandler(signer).run(
      { ApiEndpoint: web.url, Method: 'POST', ...parameters },
      world.context(config),
    );

  it('joins stage and path and sends lists of headers', async () => {
    const result = await call({
      Stage: 'prod',
      Path: '/bills/add',
      QueryParameters: { billId: ['123456'] },
      Headers: { H1: ['HV1'] },
      RequestBody: { a: 1 },
    });
    expect(web.received[0]).toMatchObject({
      url: '/prod/bills/add?billId=123456',
      body: '{"a":1}',
    });
    expect(web.received[0]?.headers.h1).toBe('HV1');
    expect(result).toMatchObject({ ResponseBody: { ok: true }, StatusCode: 200 });
  });

  it('signs the whole request where AuthType asks for it', async () => {
    await call({
      AuthType: 'IAM_ROLE',
      Path: '/a b',
      QueryParameters: { q: ['1', 'ä'] },
      RequestBody: { a: 1 },
    });
    const { headers, body, url } = web.received[0] as (typeof web.received)[0];
    const [, scope, signed] =
      /^AWS4-HMAC-SHA256 Credential=AKID\/(\S+), SignedHeaders=(\S+), Signature=[0-9a-f]{64}$/.exec(
        headers.authorization as string,
      ) ?? [];
    expect(scope).toMatch(/^\d{8}\/eu-west-3\/execute-api\/aws4_request$/);
    expect(signed).toBe('content-type;host;x-amz-date;x-amz-security-token');
    expect(headers['x-amz-security-token']).toBe('session');
    const again = signHeaders({
      method: 'POST',
      url: new URL(url as string, web.url),
      headers: { 'content-type': 'application/json', 'x-amz-security-token': 'session' },
      body: body as string,
      service: 'execute-api',
      region: 'eu-west-3',
      accessKey: keys,
      now: Date.parse(
        (headers['x-amz-date'] as string).replace(
          /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/,
          '$1-$2-$3T$4:$5:$6Z',
        ),
      ),
    });
    expect(headers.authorization).toBe(again.authorization);
  });

  it('leaves out members that are null unless AllowNullValues is set', async () => {
    await call({ RequestBody: { a: null, b: [{ c: null, d: 1 }] } });
    await call({ RequestBody: { a: null }, AllowNullValues: true });
    expect(web.received.map(({ body }) => body)).toEqual(['{"b":[{"d":1}]}', '{"a":null}']);
  });

  it('names a refusal by its status', async () => {
    answer = (_request, response) => response.writeHead(403).end('no');
    const failure = await failureOf(call({}));
    expect([failure.error, failure.reason]).toEqual(['ApiGateway.403', 'no']);
  });
});
