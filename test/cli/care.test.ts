/** The restore drill and the other commands of care, as an operator types them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import Database from 'libsql';
import type { JsonObject } from '../../src/lib/json.js';
import { Folder, said } from '../support/command-line.js';

let folder: Folder;
beforeAll(() => {
  folder = new Folder();
  folder.write('wait.asl.json', {
    StartAt: 'W',
    States: { W: { Type: 'Wait', Seconds: 2, Next: 'P' }, P: { Type: 'Pass', End: true } },
  });
  folder.write('long.asl.json', {
    StartAt: 'W',
    States: { W: { Type: 'Wait', Seconds: 900, End: true } },
  });
});
afterAll(() => folder.remove());

/** From the build when there is one: this file starts the program two dozen times. */
const run = (args: readonly string[]) => said(folder.start(args));

const json = (text: string): JsonObject => JSON.parse(text.trim().split('\n').at(-1) ?? '{}');

it('a store is backed up while a server drives it, and the drill restores, checks and goes on', async () => {
  const server = folder.start(['serve', '--port', '0']);
  const ended = said(server);
  try {
    const url = await listening(server);
    const call = (path: string, body: unknown) =>
      fetch(`${url}/v1/${path}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      }).then((response) => response.json() as Promise<JsonObject>);
    await call('state-machines', {
      name: 'Waits',
      definition: {
        StartAt: 'W',
        States: { W: { Type: 'Wait', Seconds: 8, Next: 'P' }, P: { Type: 'Pass', End: true } },
      },
      roleArn: 'arn:aws:iam::123456789012:role/r',
    });
    await call('state-machines/Waits/executions', { name: 'one', input: { n: 1 } });
    const backup = await run(['backup', 'nightly.gz', '--json']);
    expect(backup, backup.stderr).toMatchObject({ status: 0 });
    expect(json(backup.stdout)).toMatchObject({ executions: 1, damaged: [] });
    const refused = await run(['restore', 'nightly.gz', '--json']);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toMatch(/in use by|not empty/);
  } finally {
    server.kill('SIGKILL');
    await ended;
  }
  const drill = ['--store', 'sqlite:drill.db'];
  const restored = await run(['restore', 'nightly.gz', '--json', ...drill]);
  expect(restored, restored.stderr).toMatchObject({ status: 0 });
  const doctor = await run(['doctor', '--deep', '--json', ...drill]);
  expect(doctor, doctor.stdout).toMatchObject({ status: 0 });
  const described = await run(['describe', 'one', '--json', ...drill]);
  expect(json(described.stdout)).toMatchObject({
    status: 'RUNNING',
    input: { n: 1 },
    waitingFor: [{ state: 'W', for: 'wait' }],
  });
  const again = await run(['restore', 'nightly.gz', ...drill]);
  expect(again.status).toBe(2);
  expect(again.stderr).toMatch(/not empty[\s\S]*--overwrite/);
  const over = await run(['restore', 'nightly.gz', '--overwrite', ...drill]);
  expect(over, over.stderr).toMatchObject({ status: 0 });
}, 120_000);

it('doctor finds what nothing would wake, rebuild mends it, and says so in exit statuses', async () => {
  const store = ['--store', 'sqlite:broken.db'];
  const child = folder.start(['run', 'long.asl.json', '--name', 'stuck', ...store]);
  const left = said(child);
  await until(async () => {
    const { stdout } = await run(['executions', ...store]);
    return stdout.includes('stuck');
  });
  child.kill('SIGKILL');
  await left;
  const database = new Database(join(folder.path, 'broken.db'));
  database.exec('DELETE FROM timers');
  database.close();
  const sick = await run(['doctor', ...store]);
  expect(sick.status).toBe(1);
  expect(sick.stdout).toMatch(/stuck\s+Nothing would wake it: timer wait:3:0 is missing/);
  const rebuilt = await run(['rebuild', ...store]);
  expect(rebuilt, rebuilt.stdout).toMatchObject({ status: 0 });
  expect(rebuilt.stdout).toMatch(/mended[\s\S]*Verified/);
  expect((await run(['doctor', ...store])).status).toBe(0);
  const exported = await run(['export', 'stuck', '-o', 'stuck.jsonl', ...store]);
  expect(exported, exported.stderr).toMatchObject({ status: 0 });
  const other = ['--store', 'sqlite:other.db'];
  const careful = await run(['import', 'stuck.jsonl', ...other]);
  expect(careful).toMatchObject({ status: 2 });
  expect(careful.stderr).toMatch(/still running[\s\S]*--resume/);
  const imported = await run(['import', 'stuck.jsonl', '--resume', ...other]);
  expect(imported, imported.stderr).toMatchObject({ status: 0 });
}, 120_000);

it('a damaged journal is described as such, and a file that is no backup is refused', async () => {
  const store = ['--store', 'sqlite:damaged.db'];
  expect((await run(['run', 'wait.asl.json', '--name', 'bad', ...store])).status).toBe(0);
  const database = new Database(join(folder.path, 'damaged.db'));
  database.exec("UPDATE commits SET facts = replace(facts, 'WaitStarted', 'WaitStArted')");
  database.close();
  const described = await run(['describe', 'bad', '--json', ...store]);
  expect(described.status).toBe(1);
  expect(json(described.stdout).damaged).toMatch(/digest chain is broken/);
  const doctor = await run(['doctor', '--deep', ...store]);
  expect(doctor.status).toBe(1);
  writeFileSync(join(folder.path, 'no.gz'), 'this is no backup');
  const refused = await run(['restore', 'no.gz', '--store', 'sqlite:new.db']);
  expect(refused.status).toBe(2);
}, 120_000);

function listening(server: ReturnType<Folder['start']>): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    server.stdout?.on('data', (chunk: string) => {
      text += chunk;
      const url = /listens on (http:\S+)/.exec(text)?.[1];
      if (url !== undefined) resolve(url);
    });
    server.once('exit', () => reject(new Error(`The server has ended: ${text}`)));
  });
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 40; tries++) if (await holds()) return;
  throw new Error('It never came to be.');
}
