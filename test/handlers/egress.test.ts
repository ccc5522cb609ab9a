import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { AllowListError, isInternal, parseAllowList } from '../../src/handlers/egress-addresses.js';
import {
  createGuardedFetch,
  EGRESS_REFUSED,
  type EgressOptions,
} from '../../src/handlers/egress.js';
import { failureOf, startWebServer, type WebServer } from './world.js';

const servers: WebServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});
const serve: typeof startWebServer = async (answer) => {
  const server = await startWebServer(answer);
  servers.push(server);
  return server;
};
const guarded = (allow: readonly string[], changes: Partial<EgressOptions> = {}) =>
  createGuardedFetch({ allow, maxResponseBytes: 10_000, timeoutMs: 2_000, ...changes });

const INTERNAL = [
  ...['127.0.0.1', '127.255.255.254', '0.0.0.0', '10.1.2.3', '172.16.0.1', '172.31.255.255'],
  ...['192.168.1.1', '169.254.169.254', '100.64.0.1', '192.0.0.1', '192.0.2.1', '198.18.0.1'],
  ...['198.51.100.1', '203.0.113.9', '224.0.0.1', '240.0.0.1', '255.255.255.255'],
  ...['::', '::1', '::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:a9fe:a9fe', '::127.0.0.1'],
  ...['64:ff9b::7f00:1', '64:ff9b::10.0.0.1', '64:ff9b:1::1', 'fc00::1', 'fd12:3456::1'],
  ...['fe80::1', 'fe80::1%eth0', 'fec0::1', 'ff02::1', '2001:db8::1', '2002:7f00:1::', '2001::1'],
  ...['100::1', '::ffff:0:127.0.0.1', 'not an address'],
];
const PUBLIC = [
  ...['1.1.1.1', '8.8.8.8', '172.15.0.1', '172.32.0.1', '100.63.0.1', '100.128.0.1', '11.0.0.1'],
  ...['192.167.1.1', '169.253.1.1', '223.255.255.254', '2606:4700::1111', '2a00:1450::1'],
  ...['::ffff:8.8.8.8', '64:ff9b::808:808'],
];

describe('addresses', () => {
  it.each(INTERNAL)('%s is internal', (address) => expect(isInternal(address)).toBe(true));
  it.each(PUBLIC)('%s is public', (address) => expect(isInternal(address)).toBe(false));

  it('the allow list takes hosts, ports, wildcards, addresses and ranges', () => {
    const list = parseAllowList([
      'internal.host',
      'other:9000',
      '*.corp.example',
      '127.0.0.1:9000',
      '10.0.0.0/8',
      '[::1]:80',
      'fd00::/8',
    ]);
    expect(list.allowsHost('INTERNAL.host', 1)).toBe(true);
    expect(list.allowsHost('other', 9000)).toBe(true);
    expect(list.allowsHost('other', 9001)).toBe(false);
    expect(list.allowsHost('a.b.corp.example', 80)).toBe(true);
    expect(list.allowsHost('corp.example', 80)).toBe(false);
    expect(list.allowsHost('evilcorp.example', 80)).toBe(false);
    expect(list.allowsAddress('127.0.0.1', 9000)).toBe(true);
    expect(list.allowsAddress('127.0.0.1', 9001)).toBe(false);
    expect(list.allowsAddress('10.9.9.9', 1)).toBe(true);
    expect(list.allowsAddress('::ffff:10.9.9.9', 1)).toBe(true);
    expect(list.allowsAddress('11.0.0.1', 1)).toBe(false);
    expect(list.allowsAddress('::1', 80)).toBe(true);
    expect(list.allowsAddress('fd00::9', 1)).toBe(true);
    for (const bad of ['http://x', '10.0.0.0/99', 'a b:', '']) {
      expect(() => parseAllowList([bad])).toThrow(AllowListError);
    }
  });
});

describe('guardedFetch', () => {
  const LOOPBACK_SPELLINGS = [
    ...['http://127.0.0.1/', 'http://localhost/', 'http://127.1/', 'http://2130706433/'],
    ...['http://0x7f000001/', 'http://0177.0.0.1/', 'http://[::1]/', 'http://[::ffff:127.0.0.1]/'],
    ...['http://0/', 'http://127.0.0.1./', 'http://LOCALHOST./', 'http://①②⑦.0.0.1/'],
    ...['http://169.254.169.254/latest/meta-data/', 'https://10.0.0.1/', 'http://[fe80::1]/'],
  ];
  it.each(LOOPBACK_SPELLINGS)('refuses %s', async (url) => {
    const failure = await failureOf(guarded([])(url));
    expect(failure.error).toBe(EGRESS_REFUSED);
    expect(failure.reason).toMatch(/internal address.*"egress": \{"allow": \[/);
  });

  it.each(['ftp://example.com/', 'file:///etc/passwd', 'data:text/plain,x'])(
    'refuses the scheme of %s',
    async (url) => {
      expect((await failureOf(guarded([])(url))).reason).toMatch(/only http and https/);
    },
  );

  it('refuses a URL with credentials', async () => {
    const work = guarded([])('http://u:p@example.com/').catch((error) => error);
    expect(String(await work)).toMatch(/credentials/);
  });

  it('an allowed host and port answers like fetch', async () => {
    const server = await serve((request, response) => {
      response.writeHead(201, { 'x-a': ['1', '2'] }).end(`${request.method} ${request.body}`);
    });
    const response = await guarded([server.host])(`${server.url}/p?q=1`, {
      method: 'POST',
      body: 'hello',
      headers: { 'X-Key': 'v' },
    });
    expect(response.status).toBe(201);
    expect(await response.text()).toBe('POST hello');
    expect(response.headers.get('x-a')).toBe('1, 2');
    expect(server.received[0]).toMatchObject({ url: '/p?q=1', headers: { 'x-key': 'v' } });
    expect(server.received[0]?.headers['accept-encoding']).toBe('identity');
  });

  it('a name that resolves to an internal address is refused, also as one of several', async () => {
    const resolve = async () => [
      { address: '93.184.216.34', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ];
    const failure = await failureOf(guarded([], { resolve })('http://rebind.example/'));
    expect(failure.reason).toContain('rebind.example (127.0.0.1) is an internal address');
  });

  it('connects to the address it judged, however the name answers later', async () => {
    const server = await serve((_request, response) => response.end('pinned'));
    const port = Number(server.host.split(':')[1]);
    let asked = 0;
    const resolve = async () => {
      asked += 1;
      return [{ address: asked === 1 ? '127.0.0.1' : '10.255.255.1', family: 4 }];
    };
    const get = guarded(['127.0.0.1'], { resolve });
    const response = await get(`http://rebind.example:${port}/`);
    expect(await response.text()).toBe('pinned');
    expect(asked).toBe(1);
    expect(server.received[0]?.headers.host).toBe(`rebind.example:${port}`);
    await failureOf(get(`http://rebind.example:${port}/`));
  });

  it('every redirect is judged again', async () => {
    const inner = await serve((_request, response) => response.end('secret'));
    const outer = await serve((_request, response) => {
      response.writeHead(302, { location: inner.url }).end();
    });
    const failure = await failureOf(guarded([outer.host])(outer.url));
    expect(failure.error).toBe(EGRESS_REFUSED);
    expect(inner.received).toHaveLength(0);
    const scheme = await serve((_request, response) => {
      response.writeHead(302, { location: 'file:///etc/passwd' }).end();
    });
    expect((await failureOf(guarded([scheme.host])(scheme.url))).reason).toMatch(/only http/);
  });

  it('a redirect to another origin carries no credentials, and a POST becomes a GET', async () => {
    const second = await serve((_request, response) => response.end('done'));
    const first = await serve((request, response) => {
      const status = request.url === '/keep' ? 307 : 302;
      response.writeHead(status, { location: `${second.url}/next` }).end();
    });
    const get = guarded([first.host, second.host]);
    const init = {
      method: 'POST',
      body: 'b',
      headers: { authorization: 'x', cookie: 'y', 'x-api-key': 'z', accept: 'text/plain' },
    };
    await get(first.url, init);
    await get(`${first.url}/keep`, init);
    expect(second.received.map(({ method, body }) => [method, body])).toEqual([
      ['GET', ''],
      ['POST', 'b'],
    ]);
    for (const { headers } of second.received) {
      expect(headers).toMatchObject({ accept: 'text/plain' });
      for (const name of ['authorization', 'cookie', 'x-api-key']) {
        expect(headers[name]).toBeUndefined();
      }
    }
  });

  it('gives up after three redirects; manual and error are honoured', async () => {
    const loop = await serve((_request, response) => {
      response.writeHead(302, { location: '/again' }).end();
    });
    const get = guarded([loop.host]);
    expect((await failureOf(get(loop.url))).reason).toMatch(/more than 3 times/);
    expect(loop.received).toHaveLength(4);
    expect((await get(loop.url, { redirect: 'manual' })).status).toBe(302);
    await expect(get(loop.url, { redirect: 'error' })).rejects.toThrow(/unexpected redirect/);
  });

  it('an answer beyond the limit is cut off, declared or not', async () => {
    const server = await serve((request, response) => {
      if (request.url === '/declared') response.writeHead(200, { 'content-length': '20000' });
      response.end('x'.repeat(20_000));
    });
    const get = guarded([server.host]);
    expect((await failureOf(get(`${server.url}/declared`))).error).toBe('Egress.TooLarge');
    const chunked = await serve((_request, response) => {
      for (let i = 0; i < 20; i += 1) response.write('x'.repeat(1_000));
      response.end();
    });
    const response = await guarded([chunked.host])(chunked.url);
    await expect(response.text()).rejects.toThrow();
  });

  it('silence ends after the time limit, an abort at once', async () => {
    const silent = createServer(() => {});
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as { port: number };
    const get = guarded(['127.0.0.1'], { timeoutMs: 50 });
    await expect(get(`http://127.0.0.1:${port}`)).rejects.toMatchObject({
      message: 'fetch failed',
      cause: { message: expect.stringContaining('said nothing for 50 ms') },
    });
    const abort = new AbortController();
    const pending = guarded(['127.0.0.1'])(`http://127.0.0.1:${port}`, { signal: abort.signal });
    setTimeout(() => abort.abort(new Error('stopped')), 20);
    await expect(pending).rejects.toThrow('stopped');
    silent.close();
  });

  it('an unreachable server is a TypeError with its cause, like fetch', async () => {
    await expect(guarded(['127.0.0.1'])('http://127.0.0.1:1/')).rejects.toMatchObject({
      message: 'fetch failed',
      cause: { code: 'ECONNREFUSED' },
    });
  });
});
