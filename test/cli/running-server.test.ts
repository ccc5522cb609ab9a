/** `stepwell stop` and `quarantine release` beside a server that drives the store, and without one. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JsonObject } from '../../src/lib/json.js';
import { QUARANTINE_KIND } from '../../src/runtime/quarantine.js';
import { SqliteStore } from '../../src/store/sqlite.js';
import {
  createMachine,
  type Running,
  start,
  startProcess,
  urlOf,
} from '../services/support/processes.js';
import { Folder, type Said, USUAL } from '../support/command-line.js';

const folder = new Folder();
const say = (args: readonly string[]): Promise<Said> => folder.run(args, '', USUAL);
let server: Running;

beforeAll(async () => {
  server = await startProcess(folder, ['serve', '--port', '0'], /listens on/);
  const machine = await createMachine(urlOf(server), {
    StartAt: 'W',
    States: { W: { Type: 'Wait', Seconds: 3600, End: true } },
  });
  for (const name of ['one', 'two']) await start(urlOf(server), machine, name, {});
  await server.end('SIGTERM');
  await quarantine('two');
  server = await startProcess(folder, ['serve', '--port', '0'], /listens on/);
}, 60_000);
afterAll(async () => {
  await server.end('SIGKILL');
  folder.remove();
});

/** As an engine marks it. */
async function quarantine(name: string): Promise<void> {
  const arn = String((await described(name)).executionArn);
  const store = await SqliteStore.open(join(folder.path, '.stepwell/stepwell.db'));
  const note = { reason: 'engine', message: 'for the test', since: '2026-01-01T00:00:00Z', seq: 1 };
  await store.documents.put(QUARANTINE_KIND, arn, note, 'any');
  await store.close();
}

const described = async (name: string) =>
  JSON.parse((await say(['describe', name])).stdout) as JsonObject;

it('asks the server that drives the store', async () => {
  const stopped = await say(['stop', 'one', '--error', 'Enough', '--cause', 'told so']);
  expect(stopped).toMatchObject({ status: 0, stdout: 'ABORTED one\n' });
  expect(await described('one')).toMatchObject({
    status: 'ABORTED',
    error: 'Enough',
    cause: 'told so',
  });
  const again = await say(['stop', 'one']);
  expect(again).toMatchObject({ status: 1, stderr: 'one is over already.\n' });
  const none = await say(['stop', 'none']);
  expect(none).toMatchObject({ status: 2, stderr: expect.stringContaining("named 'none'") });
});

it('has an execution released by that server', async () => {
  const arn = String((await described('two')).executionArn);
  const released = await say(['quarantine', 'release', arn]);
  expect(released).toMatchObject({ status: 0, stdout: `Released ${arn}\n` });
  expect((await say(['quarantine', 'list'])).stdout).toBe('Nothing is quarantined.\n');
  const again = await say(['quarantine', 'release', arn]);
  expect(again).toMatchObject({ status: 2, stderr: expect.stringContaining('not quarantined') });
});

it('does it here when nobody drives the store', async () => {
  await server.end('SIGTERM');
  expect(await say(['stop', 'two'])).toMatchObject({ status: 0, stdout: 'ABORTED two\n' });
  expect(await described('two')).toMatchObject({ status: 'ABORTED' });
});
