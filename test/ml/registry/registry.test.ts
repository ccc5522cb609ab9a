import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openRegistry, type Registration } from '../../../src/ml/registry/index.js';
import { compareVersions, nextVersion } from '../../../src/ml/registry/version.js';

let folder: string;
let clock: number;
const now = (): number => clock;
const author = { who: 'ann', why: 'weekly run' };
const registration = (extra: Partial<Registration> = {}): Registration => ({
  ...author,
  name: 'sentiment',
  uri: 'artifact://sha256/aa/model',
  ...extra,
});
const log = (): string => join(folder, 'log.jsonl');

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'registry-'));
  clock = Date.parse('2026-01-05T02:00:00Z');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('versions', () => {
  it.each([
    [[], 'minor', 'v1.0.0'],
    [['v1.0.0'], 'minor', 'v1.1.0'],
    [['v1.9.0', 'v1.10.0'], 'minor', 'v1.11.0'],
    [['v1.10.3'], 'patch', 'v1.10.4'],
    [['v1.10.3'], 'major', 'v2.0.0'],
  ] as const)('after %j a %s bump gives %s', (existing, bump, expected) => {
    expect(nextVersion(existing, bump)).toBe(expected);
  });

  it('orders by number, not by text', () => {
    expect(compareVersions('v1.10.0', 'v1.9.0')).toBeGreaterThan(0);
  });
});

describe('registering', () => {
  it('numbers versions and keeps everything about them', async () => {
    const registry = openRegistry({ folder, now });
    await registry.register(registration());
    const second = await registry.register(
      registration({
        metrics: { accuracy: 0.9 },
        lineage: { dataVersion: 'd1' },
        tags: { a: 'b' },
      }),
    );
    expect(second).toMatchObject({
      version: 'v1.1.0',
      stage: 'None',
      metrics: { accuracy: 0.9 },
      lineage: { dataVersion: 'd1' },
      registeredBy: 'ann',
    });
    expect(await openRegistry({ folder }).get('sentiment')).toEqual(second);
    expect(await registry.models()).toEqual(['sentiment']);
  });

  it('answers the same version for the same idempotency key, and refuses other content', async () => {
    const registry = openRegistry({ folder, now });
    const first = await registry.register(registration({ idempotencyKey: 'k' }));
    const again = await registry.register(registration({ idempotencyKey: 'k' }));
    expect(again.version).toBe(first.version);
    expect(await registry.versions('sentiment')).toHaveLength(1);
    await expect(
      registry.register(registration({ idempotencyKey: 'k', uri: 'artifact://sha256/bb' })),
    ).rejects.toMatchObject({ code: 'ResourceInUse' });
  });

  it.each([
    [{ name: '../etc' }, /name:/],
    [{ name: '__proto__' }, /name:/],
    [{ uri: '' }, /uri:/],
    [{ stage: 'Live' as never }, /stage:/],
    [{ tags: { ['k'.repeat(251)]: 'v' } }, /tags:/],
  ])('refuses %j', async (extra, message) => {
    await expect(openRegistry({ folder }).register(registration(extra))).rejects.toThrow(message);
  });

  it('keeps user keys such as __proto__ as data', async () => {
    const metrics = JSON.parse('{"__proto__": 1}');
    await openRegistry({ folder }).register(registration({ metrics }));
    const found = await openRegistry({ folder }).get('sentiment');
    expect(JSON.stringify(found.metrics)).toBe('{"__proto__":1}');
  });

  it('gives every one of many concurrent processes its own version', async () => {
    const script = `
      import { openRegistry } from ${JSON.stringify(new URL('../../../src/ml/registry/index.ts', import.meta.url).href)};
      const registry = openRegistry({ folder: ${JSON.stringify(folder)} });
      for (let i = 0; i < 5; i++) {
        const version = await registry.register({ who: 'p', why: 'w', name: 'sentiment', uri: 'file:///m' + process.pid });
        console.log(version.version);
      }`;
    const run = promisify(execFile);
    const runs = await Promise.all(
      [1, 2, 3].map(() =>
        run(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script]),
      ),
    );
    const versions = runs.flatMap((result) => result.stdout.trim().split('\n'));
    expect(new Set(versions).size).toBe(15);
    expect(await openRegistry({ folder }).verify()).toMatchObject({ valid: true, entries: 15 });
  });
});

describe('stages and aliases', () => {
  it('archives the former Production version in the same entry', async () => {
    const registry = openRegistry({ folder, now });
    await registry.register(registration({ stage: 'Production' }));
    await registry.register(registration());
    await registry.setStage('sentiment', 'v1.1.0', 'Production', { who: 'bob', why: 'better' });
    expect((await registry.versions('sentiment')).map((v) => v.stage)).toEqual([
      'Archived',
      'Production',
    ]);
    const last = (await registry.history('sentiment')).at(-1);
    expect(last).toMatchObject({ who: 'bob', why: 'better', what: 'StageChanged' });
    expect(last?.data).toMatchObject({ from: 'None', archived: ['v1.0.0'] });
  });

  it('writes nothing when the stage is already so', async () => {
    const registry = openRegistry({ folder, now });
    await registry.register(registration({ stage: 'Staging' }));
    await registry.setStage('sentiment', 'v1.0.0', 'Staging', author);
    expect(await registry.history()).toHaveLength(1);
  });

  it('answers what was in production at any time', async () => {
    const registry = openRegistry({ folder, now });
    await registry.register(registration({ stage: 'Production' }));
    clock += 7 * 86_400_000;
    await registry.register(registration({ stage: 'Production' }));
    const at = async (time: string) =>
      (await registry.productionAt('sentiment', time))?.version ?? null;
    expect(await at('2026-01-05T01:59:59Z')).toBeNull();
    expect(await at('2026-01-05T02:00:00Z')).toBe('v1.0.0');
    expect(await at('2026-01-12T01:59:59Z')).toBe('v1.0.0');
    expect(await at('2026-01-12T02:00:00Z')).toBe('v1.1.0');
    await expect(registry.productionAt('sentiment', 'yesterday')).rejects.toThrow(/no date/);
  });

  it('never dates an entry before the one before it', async () => {
    const registry = openRegistry({ folder, now });
    await registry.register(registration());
    clock -= 3_600_000;
    await registry.register(registration());
    const [first, second] = await registry.history();
    expect(second?.at).toBe(first?.at);
  });

  it('moves an alias from one version to the other', async () => {
    const registry = openRegistry({ folder, now });
    await registry.register(registration());
    await registry.register(registration());
    await registry.setAlias('sentiment', 'v1.0.0', 'champion', author);
    await registry.setAlias('sentiment', 'v1.1.0', 'champion', author);
    expect((await registry.get('sentiment', { alias: 'champion' })).version).toBe('v1.1.0');
    await registry.removeAlias('sentiment', 'champion', author);
    expect(await registry.find('sentiment', { alias: 'champion' })).toBeNull();
  });

  it('says which model or version is missing', async () => {
    const registry = openRegistry({ folder, now });
    await expect(registry.get('x')).rejects.toThrow('The registry has no model named "x".');
    await registry.register(registration());
    await expect(registry.get('sentiment', { stage: 'Production' })).rejects.toThrow(
      'Model "sentiment" has no version with stage "Production".',
    );
  });

  it('replaces tags', async () => {
    const registry = openRegistry({ folder, now });
    await registry.register(registration({ tags: { a: '1' } }));
    const tagged = await registry.setTags('sentiment', 'v1.0.0', { b: '2' }, author);
    expect(tagged.tags).toEqual({ b: '2' });
  });
});

describe('the log', () => {
  const fill = async (): Promise<void> => {
    const registry = openRegistry({ folder, now });
    await registry.register(registration());
    await registry.register(registration());
    await registry.setStage('sentiment', 'v1.1.0', 'Production', author);
  };
  const rewrite = async (change: (lines: string[]) => string[]): Promise<void> => {
    const lines = (await readFile(log(), 'utf8')).trimEnd().split('\n');
    await writeFile(log(), `${change(lines).join('\n')}\n`);
  };
  const verify = () => openRegistry({ folder }).verify();

  it('verifies when untouched', async () => {
    await fill();
    const result = await verify();
    expect(result).toMatchObject({ valid: true, entries: 3, problems: [], notes: [] });
    expect((await openRegistry({ folder }).verify(result.head)).valid).toBe(true);
    expect((await openRegistry({ folder }).verify('0'.repeat(64))).valid).toBe(false);
  });

  it.each<[string, (lines: string[]) => string[], RegExp]>([
    ['a changed field', (l) => l.map((x) => x.replace('"ann"', '"eve"')), /was changed/],
    ['an added field', (l) => l.map((x) => x.replace('{"seq"', '{"x":1,"seq"')), /was changed/],
    ['a removed entry', (l) => [l[0] as string, l[2] as string], /added or removed/],
    ['a removed end', (l) => l.slice(0, 2), /its end is missing/],
    ['swapped entries', (l) => [l[1], l[0], l[2]] as string[], /added or removed/],
    ['a garbled line', (l) => [l[0] as string, '{', l[2] as string], /no log entry/],
    ['an empty line', (l) => [l[0] as string, '', l[2] as string], /no log entry/],
  ])('shows %s', async (_name, change, problem) => {
    await fill();
    await rewrite(change);
    const result = await verify();
    expect(result.valid).toBe(false);
    expect(result.problems[0]).toMatch(problem);
  });

  it('refuses changes once its chain is broken', async () => {
    await fill();
    await rewrite((lines) => lines.map((line) => line.replace('v1.0.0', 'v9.0.0')));
    await expect(openRegistry({ folder }).register(registration())).rejects.toThrow(/was changed/);
  });

  it('drops a torn last line, also inside a character, and notes it', async () => {
    await fill();
    await appendFile(log(), Buffer.concat([Buffer.from('{"seq":4,"who":"'), Buffer.from([0xc3])]));
    expect(await openRegistry({ folder }).versions('sentiment')).toHaveLength(2);
    expect((await verify()).notes).toEqual(['The last line is incomplete (17 bytes).']);
    const version = await openRegistry({ folder, now }).register(registration());
    expect(version.version).toBe('v1.2.0');
    const result = await verify();
    expect(result).toMatchObject({ valid: true, entries: 5 });
    expect(result.notes[0]).toMatch(/17 bytes\) was dropped/);
  });

  it('is whole for a reader when its head was not written before a crash', async () => {
    await fill();
    const head = await readFile(join(folder, 'head.json'), 'utf8');
    await openRegistry({ folder }).register(registration());
    await writeFile(join(folder, 'head.json'), head);
    expect((await verify()).valid).toBe(true);
  });

  it('keeps every acknowledged version when its writer is killed at any moment', async () => {
    const script = `
      import { openRegistry } from ${JSON.stringify(new URL('../../../src/ml/registry/index.ts', import.meta.url).href)};
      const registry = openRegistry({ folder: ${JSON.stringify(folder)} });
      for (;;) {
        const version = await registry.register({ who: 'p', why: 'w', name: 'sentiment', uri: 'file:///m' });
        console.log(version.version);
      }`;
    const acknowledged: string[] = [];
    for (const delayMs of [3, 11, 26]) {
      const child = spawn(process.execPath, [
        '--import',
        'tsx',
        '--input-type=module',
        '-e',
        script,
      ]);
      let output = '';
      child.stdout.setEncoding('utf8').on('data', (part: string) => {
        output += part;
      });
      await once(child.stdout, 'data');
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      child.kill('SIGKILL');
      await once(child, 'close');
      acknowledged.push(...output.split('\n').slice(0, -1));
    }
    const registry = openRegistry({ folder });
    await registry.register(registration());
    const versions = new Set((await registry.versions('sentiment')).map((item) => item.version));
    expect(acknowledged.length).toBeGreaterThanOrEqual(3);
    expect(acknowledged.filter((version) => !versions.has(version))).toEqual([]);
    expect(await registry.verify()).toMatchObject({ valid: true });
  });

  it('sees what another process has written since', async () => {
    const one = openRegistry({ folder });
    const two = openRegistry({ folder });
    await one.register(registration());
    expect(await two.versions('sentiment')).toHaveLength(1);
    await two.register(registration());
    expect(await one.versions('sentiment')).toHaveLength(2);
  });
});
