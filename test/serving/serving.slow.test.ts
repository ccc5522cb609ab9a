import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chooseVariant } from '../../src/serving/endpoints.js';
import { type Invocation, type Serving, startServingProcess } from '../../src/serving/index.js';
import { alive, eventually, FAKE_LOADER, type Home, post, temporaryHome } from './fixture.js';

let home: Home;
beforeEach(async () => {
  home = await temporaryHome();
});
afterEach(() => home.close());

const author = { who: 'ann', why: 'test' };
async function serveOne(behaviour: object = {}, options: object = {}): Promise<Serving> {
  const path = await home.model('one', behaviour);
  await home.endpoints.switchTo('sentiment', { ...author, variants: [home.variant(path)] });
  const server = await home.serve(options);
  await server.ready();
  return server;
}

describe('invocations', () => {
  it('answers texts in the shape of SageMaker Runtime with the variant in a header', async () => {
    const server = await serveOne();
    const answer = await post(server, { inputs: ['great', 'terrible', 'okay'] });
    expect(answer).toMatchObject({
      status: 200,
      body: [
        { label: 'positive', score: 0.9 },
        { label: 'negative', score: 0.9 },
        { label: 'neutral', score: 0.9 },
      ],
    });
    expect(answer.headers.get('x-amzn-invoked-production-variant')).toBe('AllTraffic');
    expect((await post(server, { inputs: 'bad' })).body).toEqual([
      { label: 'negative', score: 0.9 },
    ]);
    const plain = await post(server, 'bad', {
      raw: true,
      headers: { 'content-type': 'text/plain' },
    });
    expect(plain.body).toEqual([{ label: 'negative', score: 0.9 }]);
    const top = await post(server, { inputs: ['bad'], parameters: { top_k: 2 } });
    expect(top.body).toEqual([
      [
        { label: 'negative', score: 0.9 },
        { label: 'positive', score: 0.05 },
      ],
    ]);
  });

  it('refuses every malformed request with its own sentence, and goes on serving', async () => {
    const server = await serveOne();
    const deep = `{"inputs":${'['.repeat(5000)}${']'.repeat(5000)}}`;
    const cases: [string, number, RegExp, Record<string, string>?][] = [
      ['', 400, /body is empty/],
      ['{', 400, /not valid JSON/],
      ['[1]', 400, /must be an object/],
      ['null', 400, /must be an object/],
      ['{}', 400, /has no "inputs"/],
      ['{"__proto__":{"inputs":["x"]}}', 400, /has no "inputs"/],
      ['{"inputs":[]}', 400, /at least one text/],
      ['{"inputs":["a",7]}', 400, /inputs\[1\] is not a text/],
      ['{"inputs":{"a":1}}', 400, /a text or a list/],
      ['{"inputs":["a"],"parameters":{"top_k":0}}', 400, /top_k/],
      [deep, 400, /nested too deeply/],
      [JSON.stringify({ inputs: Array(1025).fill('a') }), 400, /at most 1024/],
      [JSON.stringify({ inputs: ['a'.repeat(100_001)] }), 400, /100000 characters/],
      [JSON.stringify({ inputs: ['a'.repeat(7_000_000)] }), 413, /6291456 bytes/],
      ['<a/>', 415, /"text\/xml" is not supported/, { 'content-type': 'text/xml' }],
      ['{}', 400, /cannot be read/, { 'content-encoding': 'gzip' }],
      ['{}', 415, /cannot be read/, { 'content-encoding': 'nonsense' }],
    ];
    for (const [body, status, message, headers] of cases) {
      const answer = await post(server, body, { raw: true, headers: headers ?? {} });
      expect([answer.status, answer.body.Message]).toEqual([
        status,
        expect.stringMatching(message),
      ]);
      expect(answer.headers.get('x-amzn-errortype')).toBe('ValidationError');
    }
    expect((await post(server, { inputs: 'fine' })).status).toBe(200);
  });

  it('bounds what a compressed body unpacks to', async () => {
    const server = await serveOne();
    const bomb = gzipSync(Buffer.alloc(50_000_000, 0x20));
    const response = await fetch(`${server.url}/endpoints/sentiment/invocations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
      body: bomb,
    });
    expect(response.status).toBe(413);
  });

  it('refuses bytes that are not UTF-8', async () => {
    const server = await serveOne();
    const response = await fetch(`${server.url}/endpoints/sentiment/invocations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: Buffer.from([0x22, 0xff, 0x22]),
    });
    expect(await response.json()).toMatchObject({
      Message: 'The request body is not valid UTF-8.',
    });
  });

  it('names unknown endpoints, variants and paths', async () => {
    const server = await serveOne();
    expect((await post(server, { inputs: 'x' }, { endpoint: 'other' })).body).toEqual({
      __type: 'ValidationError',
      Message: 'Endpoint other not found.',
    });
    const variant = await post(
      server,
      { inputs: 'x' },
      { headers: { 'x-amzn-sagemaker-target-variant': 'blue' } },
    );
    expect(variant.body.Message).toBe('Variant blue of endpoint sentiment not found.');
    expect((await fetch(`${server.url}/nowhere`)).status).toBe(404);
    expect((await fetch(`${server.url}/endpoints/%E0%A4%A/invocations`)).status).toBe(400);
    expect((await fetch(`${server.url}/endpoints/..%2f..%2fx`)).status).toBe(400);
  });

  it('turns the failures of a model into ModelError 424, for the guilty request alone', async () => {
    const server = await serveOne();
    const [bad, good, nan] = await Promise.all([
      post(server, { inputs: ['THROW'] }),
      post(server, { inputs: ['fine'] }),
      post(server, { inputs: ['NAN'] }),
    ]);
    expect(bad).toMatchObject({
      status: 424,
      body: {
        __type: 'ModelError',
        OriginalStatusCode: 500,
        OriginalMessage: 'the model cannot read this',
      },
    });
    expect(good.status).toBe(200);
    expect(nan.body.OriginalMessage).toMatch(/no number/);
  });

  it('batches what arrives while the model runs', async () => {
    const server = await serveOne();
    const first = post(server, { inputs: 'SLOW' });
    await new Promise((resolve) => setTimeout(resolve, 100));
    const rest = Array.from({ length: 12 }, () => post(server, { inputs: 'fine' }));
    await Promise.all([first, ...rest]);
    const runs = (await post(server, { inputs: 'RUNS' })).body[0].score;
    expect(runs).toBeLessThanOrEqual(5);
  });

  it('answers 429 when too many texts wait', async () => {
    const server = await serveOne();
    const many = { inputs: ['SLOW', ...Array(1023).fill('x')] };
    const answers = await Promise.all(Array.from({ length: 6 }, () => post(server, many)));
    const refused = answers.filter((answer) => answer.status === 429);
    expect(refused.length).toBeGreaterThanOrEqual(1);
    expect(refused[0]?.body.__type).toBe('ThrottlingException');
    expect(refused[0]?.headers.get('retry-after')).toBe('1');
    expect(answers.filter((answer) => answer.status === 200).length).toBeGreaterThanOrEqual(3);
  });

  it('replaces a child that hangs and answers its request with ModelError', async () => {
    const server = await serveOne({}, { invocationTimeoutMs: 300 });
    const [before] = server.supervisor.view('sentiment')?.variants[0]?.pids ?? [];
    const hung = await post(server, { inputs: 'HANG' });
    expect(hung).toMatchObject({ status: 424, body: { OriginalStatusCode: 0 } });
    await eventually(async () => (await post(server, { inputs: 'fine' })).status === 200);
    expect(alive(before as number)).toBe(false);
  });

  it('refuses a Host header of another name', async () => {
    const server = await serveOne();
    const run = promisify(execFile);
    const { stdout } = await run(process.execPath, [
      '-e',
      `require('http').get({agent:false,port:${server.port},path:'/endpoints',headers:{host:'evil.example'}},r=>{r.resume();console.log(r.statusCode)})`,
    ]);
    expect(stdout.trim()).toBe('403');
  });

  it('survives sockets that speak no HTTP', async () => {
    const server = await serveOne();
    await new Promise<void>((resolve) => {
      const socket = connect(server.port, '127.0.0.1', () =>
        socket.end('\x00\x01 nonsense\r\n\r\n'),
      );
      socket.on('close', () => resolve()).on('error', () => undefined);
      socket.resume();
    });
    expect((await post(server, { inputs: 'fine' })).status).toBe(200);
  });

  it('tells observers of every answer and does not let them harm it', async () => {
    const seen: Invocation[] = [];
    const server = await serveOne(
      {},
      {
        observers: [
          () => {
            throw new Error('observer');
          },
          (invocation: Invocation) => void seen.push(invocation),
        ],
      },
    );
    const headers = { 'x-amzn-sagemaker-inference-id': 'i-1' };
    expect((await post(server, { inputs: 'bad' }, { headers })).status).toBe(200);
    await eventually(() => seen.length === 1);
    expect(seen[0]).toMatchObject({ endpoint: 'sentiment', inferenceId: 'i-1', texts: ['bad'] });
  });
});

describe('children', () => {
  it('are started again when they die, with growing pauses', async () => {
    const server = await serveOne();
    const died = await post(server, { inputs: 'DIE' });
    expect(died).toMatchObject({ status: 503, body: { __type: 'ServiceUnavailable' } });
    await eventually(async () => (await post(server, { inputs: 'fine' })).status === 200);
    const [variant] = server.supervisor.view('sentiment')?.variants ?? [];
    expect(variant).toMatchObject({ restarts: 1, lastFailure: 'exit status 9' });
  });

  it('let another instance take the requests of one that dies', async () => {
    const path = await home.model('one');
    const variants = [home.variant(path, { instanceCount: 2 })];
    await home.endpoints.switchTo('sentiment', { ...author, variants });
    const server = await home.serve();
    await eventually(() => server.supervisor.view('sentiment')?.variants[0]?.readyInstances === 2);
    const [slow, victim] = [post(server, { inputs: 'SLOW' }), post(server, { inputs: 'SLOW' })];
    await new Promise((resolve) => setTimeout(resolve, 100));
    process.kill(server.supervisor.view('sentiment')?.variants[0]?.pids[0] as number, 'SIGKILL');
    expect((await Promise.all([slow, victim])).map((answer) => answer.status)).toEqual([200, 200]);
  });

  it('say why a model cannot be loaded', async () => {
    const path = await home.model('broken', { broken: true });
    await expect(startServingProcess({ modelDir: path, loader: FAKE_LOADER })).rejects.toThrow(
      'The model could not be loaded: the weights are damaged',
    );
    const dying = await home.model('dying', { dieWhileLoading: true });
    await expect(startServingProcess({ modelDir: dying, loader: FAKE_LOADER })).rejects.toThrow(
      /ended \(exit status 7\) while loading/,
    );
    const slow = await home.model('slow', { loadMs: 60_000 });
    await expect(
      startServingProcess({ modelDir: slow, loader: FAKE_LOADER, readyTimeoutMs: 400 }),
    ).rejects.toThrow(/not loaded within 400 ms/);
  });

  it('end at once on abort, also while they load', async () => {
    const slow = await home.model('slow', { loadMs: 60_000 });
    const reason = new Error('stopped');
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 300);
    await expect(
      startServingProcess({ modelDir: slow, loader: FAKE_LOADER, signal: controller.signal }),
    ).rejects.toBe(reason);
  });

  it('do not outlive a parent that is killed', async () => {
    const path = await home.model('one');
    await home.endpoints.switchTo('sentiment', { ...author, variants: [home.variant(path)] });
    const script = `
      import { startServing } from ${JSON.stringify(new URL('../../src/serving/index.ts', import.meta.url).href)};
      const server = await startServing({ home: ${JSON.stringify(home.folder)}, loader: ${JSON.stringify(FAKE_LOADER)} });
      await server.ready();
      console.log(server.supervisor.views()[0].variants[0].pids[0]);
      process.kill(process.pid, 'SIGKILL');`;
    const run = promisify(execFile);
    const parent = run(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script]);
    const output = await parent.catch((error: { stdout: string }) => error);
    const child = Number(output.stdout.trim());
    expect(child).toBeGreaterThan(0);
    await eventually(() => !alive(child));
  });

  it.skipIf(!existsSync('/proc'))(
    'get no credentials from the environment of the server',
    async () => {
      process.env.AWS_SECRET_ACCESS_KEY = 'hidden';
      try {
        const path = await home.model('one');
        const child = await startServingProcess({ modelDir: path, loader: FAKE_LOADER });
        const { readFile } = await import('node:fs/promises');
        const environment = await readFile(`/proc/${child.pid}/environ`, 'utf8');
        await child.stop();
        expect(environment).not.toContain('hidden');
      } finally {
        delete process.env.AWS_SECRET_ACCESS_KEY;
      }
    },
  );
});

describe('switching an endpoint', () => {
  it('loses no request, and the old child goes when the new one serves', async () => {
    const server = await serveOne();
    const old = server.supervisor.view('sentiment')?.variants[0]?.pids[0] as number;
    const next = await home.model('two', { always: 'neutral', loadMs: 200 });
    let done = false;
    const statuses: number[] = [];
    const load = (async () => {
      while (!done) statuses.push((await post(server, { inputs: 'great' })).status);
    })();
    const model = { name: 'sentiment', version: 'v1.1.0', uri: next, path: next };
    await home.endpoints.switchTo('sentiment', {
      ...author,
      variants: [home.variant(next, { model })],
    });
    await eventually(async () => {
      const answer = await post(server, { inputs: 'great' });
      return answer.body[0]?.label === 'neutral';
    });
    await eventually(() => !alive(old));
    done = true;
    await load;
    expect(statuses.length).toBeGreaterThan(3);
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(server.supervisor.view('sentiment')?.variants[0]?.model.version).toBe('v1.1.0');
  });

  it('keeps the old model when the new one cannot start, and says so', async () => {
    const server = await serveOne();
    const broken = await home.model('two', { broken: true });
    const model = { name: 'sentiment', version: 'v1.1.0', uri: broken, path: broken };
    await home.endpoints.switchTo('sentiment', {
      ...author,
      variants: [home.variant(broken, { model })],
    });
    await eventually(() => server.supervisor.view('sentiment')?.failure !== null);
    expect(server.supervisor.view('sentiment')).toMatchObject({
      revision: 1,
      failure: expect.stringMatching(/Revision 2 did not start: .*damaged/),
    });
    expect((await post(server, { inputs: 'great' })).status).toBe(200);
  });

  it('shares requests by weight and keeps children that still serve', async () => {
    const one = await home.model('one', { always: 'positive' });
    const two = await home.model('two', { always: 'negative' });
    const a = home.variant(one, { name: 'a', weight: 3 });
    const b = home.variant(two, {
      name: 'b',
      weight: 1,
      model: { name: 's', version: 'v2.0.0', uri: two, path: two },
    });
    await home.endpoints.switchTo('sentiment', { ...author, variants: [a, b] });
    let at = 0;
    const server = await home.serve({ random: () => (at++ % 4) / 4 });
    await server.ready();
    const labels: string[] = [];
    for (let i = 0; i < 8; i++) labels.push((await post(server, { inputs: 'x' })).body[0].label);
    expect(labels.filter((label) => label === 'negative')).toHaveLength(2);
    const pids = server.supervisor.views()[0]?.variants.map((variant) => variant.pids[0]);
    await home.endpoints.switchTo('sentiment', { ...author, variants: [{ ...a, weight: 0 }, b] });
    await server.reload();
    expect(server.supervisor.views()[0]?.variants.map((variant) => variant.pids[0])).toEqual(pids);
    expect((await post(server, { inputs: 'x' })).body[0].label).toBe('negative');
  });

  it('chooses a variant of positive weight whatever the random number', () => {
    const variants = [
      { ...home.variant('/m'), name: 'a', weight: 0 },
      { ...home.variant('/m'), name: 'b', weight: 1 },
    ];
    for (const random of [0, 0.5, 0.9999999999]) {
      expect(chooseVariant(variants, null, () => random)?.name).toBe('b');
    }
    expect(chooseVariant(variants, 'a', () => 0)?.name).toBe('a');
  });

  it('happens once for one key, and keeps the history', async () => {
    const request = { ...author, variants: [home.variant('/m')] };
    await home.endpoints.switchTo('sentiment', { ...request, key: 'k1' });
    await home.endpoints.switchTo('sentiment', { ...request, key: 'k1' });
    const record = await home.endpoints.switchTo('sentiment', { ...request, key: 'k2' });
    expect(record.revision).toBe(2);
    expect(record.history.map((item) => item.key)).toEqual(['k1', 'k2']);
  });
});

describe('the server', () => {
  it('answers probes: not ready until each endpoint has a child', async () => {
    const path = await home.model('slow', { loadMs: 500 });
    await home.endpoints.switchTo('sentiment', { ...author, variants: [home.variant(path)] });
    const server = await home.serve();
    const status = async (probe: string) => (await fetch(server.url + probe)).status;
    expect(await status('/livez')).toBe(200);
    expect(await status('/readyz')).toBe(503);
    expect((await post(server, { inputs: 'x' })).status).toBe(503);
    await server.ready();
    expect([await status('/readyz'), await status('/ping')]).toEqual([200, 200]);
    const list = (await (await fetch(`${server.url}/endpoints`)).json()) as { endpoints: object[] };
    expect(list.endpoints[0]).toMatchObject({ name: 'sentiment', status: 'InService' });
    const one = await (await fetch(`${server.url}/endpoints/sentiment`)).json();
    expect(one).toMatchObject({ revision: 1 });
  });

  it('serves the others when one record is damaged or one model is missing', async () => {
    const server = await serveOne();
    const { writeFile } = await import('node:fs/promises');
    await writeFile(`${home.folder}/serving/endpoints/damaged.json`, '{');
    await home.endpoints.switchTo('missing', { ...author, variants: [home.variant('/no/such')] });
    await server.reload();
    expect((await post(server, { inputs: 'x' })).status).toBe(200);
    expect((await post(server, { inputs: 'x' }, { endpoint: 'missing' })).status).toBe(503);
  });

  it('finishes running requests on close and leaves no child', async () => {
    const server = await serveOne();
    const pid = server.supervisor.view('sentiment')?.variants[0]?.pids[0] as number;
    const running = post(server, { inputs: 'SLOW' });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await server.close();
    expect((await running).status).toBe(200);
    expect(alive(pid)).toBe(false);
  });

  it('ends everything at once on abort', async () => {
    const controller = new AbortController();
    const server = await serveOne({}, { signal: controller.signal });
    const pid = server.supervisor.view('sentiment')?.variants[0]?.pids[0] as number;
    controller.abort();
    await eventually(() => !alive(pid));
    await expect(fetch(`${server.url}/livez`)).rejects.toThrow();
  });
});
