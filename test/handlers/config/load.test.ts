import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig, parseConfig } from '../../../src/handlers/config/load.js';
import { ConfigError } from '../../../src/handlers/config/place.js';
import { createSecrets, resolveSecret } from '../../../src/handlers/secrets.js';
import type { Json } from '../../../src/lib/json.js';

const parse = (raw: Json) => parseConfig(raw, { path: null, base: '/base' });

describe('loadConfig', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stepwell-config-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('without a file uses the current folder and .stepwell', async () => {
    const config = await loadConfig(null, folder);
    expect(config).toMatchObject({
      path: null,
      base: folder,
      files: { roots: [folder] },
      artifacts: join(folder, '.stepwell/artifacts'),
      egress: { allow: [] },
      smtp: null,
    });
    expect(config.functions.size).toBe(0);
  });

  it('finds stepwell.config.json in the current folder; paths refer to its folder', async () => {
    await writeFile(
      join(folder, 'stepwell.config.json'),
      JSON.stringify({ files: { roots: ['./data', '/abs'] }, artifacts: 'store' }),
    );
    const config = await loadConfig(null, folder);
    expect(config.files.roots).toEqual([join(folder, 'data'), '/abs']);
    expect(config.artifacts).toBe(join(folder, 'store'));
    const named = await loadConfig('stepwell.config.json', folder);
    expect(named).toEqual(config);
  });

  it('says which tasks serve and worker take, and refuses what is no glob', async () => {
    const origin = { path: 'x.json', base: folder };
    const serve = { resources: ['!ml:*'] };
    const worker = { resources: ['ml:*', 'io:*'], concurrency: 2 };
    expect(parseConfig({ serve, worker }, origin).work).toEqual({ serve, worker });
    expect(parseConfig({}, origin).work).toEqual({ serve: {}, worker: {} });
    for (const wrong of ['', '!', 'ml *', '!!a']) {
      expect(() => parseConfig({ worker: { resources: [wrong] } }, origin), wrong).toThrow(
        '/worker/resources/0',
      );
    }
    expect(() => parseConfig({ serve: { concurrency: -1 } }, origin)).toThrow('/serve/concurrency');
  });

  it('a named file that is missing, no JSON or no object is an error that names it', async () => {
    await expect(loadConfig('none.json', folder)).rejects.toThrow(/Cannot read .*none\.json/);
    await writeFile(join(folder, 'a.json'), '{"functions": }');
    await expect(loadConfig('a.json', folder)).rejects.toThrow(/a\.json is not JSON/);
    await writeFile(join(folder, 'b.json'), '[]');
    await expect(loadConfig('b.json', folder)).rejects.toThrow(/must hold a JSON object/);
  });
});

describe('functions', () => {
  it('a string names a handler, a file or a URL', () => {
    const { functions } = parse({
      functions: {
        a: 'ml:ingest',
        b: './functions/score.js#score',
        c: 'functions/score.mjs',
        d: 'http://127.0.0.1:9000/score',
      },
    });
    expect(functions.get('a')).toMatchObject({ kind: 'handler', handler: 'ml:ingest' });
    expect(functions.get('b')).toMatchObject({
      kind: 'module',
      file: '/base/functions/score.js',
      exportName: 'score',
    });
    expect(functions.get('c')).toMatchObject({ kind: 'module', exportName: 'handler' });
    expect(functions.get('d')).toMatchObject({ kind: 'http', url: 'http://127.0.0.1:9000/score' });
  });

  it('an object adds parameters, an environment and what a lost worker means', () => {
    const { functions } = parse({
      functions: {
        a: { handler: 'ml:ingest', parameters: { limit: 5 } },
        b: { process: ['python3', 'train.py'], cwd: 'jobs', onWorkerLost: 'fail' },
        __proto__x: 'ml:x',
      },
    });
    expect(functions.get('a')).toMatchObject({ parameters: { limit: 5 }, onWorkerLost: 'rerun' });
    expect(functions.get('b')).toMatchObject({
      kind: 'process',
      command: ['python3', 'train.py'],
      cwd: '/base/jobs',
      onWorkerLost: 'fail',
    });
  });
});

const mistakes: readonly (readonly [string, Json, RegExp])[] = [
  [
    'a mistyped key',
    { topic: {} },
    /at \/topic: "topic" is not a known key\. Did you mean "topics"\?/,
  ],
  [
    'a mistyped key inside',
    { topics: { t: { subscripions: [] } } },
    /at \/topics\/t\/subscripions: .*Did you mean "subscriptions"\? Known keys: subscriptions, /,
  ],
  ['a wrong type', { egress: { allow: 'x' } }, /at \/egress\/allow: .* is "x"; it must be array/],
  ['a missing key', { smtp: {} }, /at \/smtp\/host: "host" is missing at \/smtp/],
  ['a function of number', { functions: { f: 7 } }, /\/functions\/f: .* must be string or object/],
  [
    'a function without target',
    { functions: { f: {} } },
    /at \/functions\/f: .* says nowhere what/,
  ],
  [
    'a function with two targets',
    { functions: { f: { handler: 'a', url: 'http://x' } } },
    /names handler and url/,
  ],
  [
    'a mistyped function option',
    { functions: { f: { proces: ['x'] } } },
    /at \/functions\/f\/proces: .*Did you mean "process"\?/,
  ],
  ['a name with a slash', { functions: { 'a/b': {} } }, /at \/functions\/a~1b:/],
  [
    'an unknown protocol',
    { topics: { t: { subscriptions: [{ protocol: 'mail' }] } } },
    /at \/topics\/t\/subscriptions\/0\/protocol: .*one of "log", "file".*Did you mean "email"\?/,
  ],
  [
    'a webhook without endpoint',
    { topics: { t: { subscriptions: [{ protocol: 'https' }] } } },
    /at \/topics\/t\/subscriptions\/0: A subscription by https needs "endpoint"/,
  ],
  [
    'an endpoint that is no URL',
    { topics: { t: { subscriptions: [{ protocol: 'https', endpoint: 'x' }] } } },
    /"x" is not an http or https URL/,
  ],
  [
    'e-mail without a server',
    { topics: { t: { subscriptions: [{ protocol: 'email', endpoint: 'a@b' }] } } },
    /E-mail needs a server: add "smtp"/,
  ],
  [
    'a URL where a host may be reached',
    { egress: { allow: ['10.0.0.0/8', 'http://x/y'] } },
    /at \/egress\/allow\/1: "http:\/\/x\/y" is no host, host:port/,
  ],
  ['a secret from nowhere', { secrets: { s: {} } }, /at \/secrets\/s/],
  ['a secret from two places', { secrets: { s: { env: 'A', file: 'b' } } }, /not from both/],
];

describe('a mistake in the configuration is named with its place and its mend', () => {
  it.each(mistakes)('%s', (_name, raw, message) => {
    expect(() => parse(raw)).toThrow(ConfigError);
    expect(() => parse(raw)).toThrow(message);
  });
});

describe('secrets', () => {
  const config = parse({ secrets: { key: { env: 'KEY' }, gone: { env: 'GONE' } } });
  const secret = createSecrets(config, { KEY: 'canary' });

  it('a reference is replaced by the value, other text stays', () => {
    expect(resolveSecret('secret://key', secret)).toBe('canary');
    expect(resolveSecret('plain', secret)).toBe('plain');
  });

  it('a missing secret is named, with the line to add, and no value is shown', () => {
    expect(() => secret('kee')).toThrow(/No secret "kee".*Did you mean "key"\?.*"env": "KEE"/);
    expect(() => secret('gone')).toThrow(/needs the environment variable GONE/);
  });
});
