/** `stepwell stop` beside a server that drives the store, and without one. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JsonObject } from '../../src/lib/json.js';
import {
  createMachine,
  type Running,
  start,
  startProcess,
  urlOf,
} from '../services/support/processes.js';
import { Folder } from '../support/command-line.js';

const folder = new Folder();
let server: Running;

beforeAll(async () => {
  server = await startProcess(folder, ['serve', '--port', '0'], /listens on/);
  const machine = await createMachine(urlOf(server), {
    StartAt: 'W',
    States: { W: { Type: 'Wait', Seconds: 3600, End: true } },
  });
  for (const name of ['one', 'two']) await start(urlOf(server), machine, name, {});
}, 60_000);
afterAll(async () => {
  await server.end('SIGKILL');
  folder.remove();
});

const described = async (name: string) =>
  JSON.parse((await folder.run(['describe', name])).stdout) as JsonObject;

it('asks the server that drives the store', async () => {
  const stopped = await folder.run(['stop', 'one', '--error', 'Enough', '--cause', 'told so']);
  expect(stopped).toMatchObject({ status: 0, stdout: 'ABORTED one\n' });
  expect(await described('one')).toMatchObject({
    status: 'ABORTED',
    error: 'Enough',
    cause: 'told so',
  });
  const again = await folder.run(['stop', 'one']);
  expect(again).toMatchObject({ status: 1, stderr: 'one is over already.\n' });
  const none = await folder.run(['stop', 'none']);
  expect(none).toMatchObject({ status: 2, stderr: expect.stringContaining("named 'none'") });
});

it('does it here when nobody drives the store', async () => {
  await server.end('SIGTERM');
  expect(await folder.run(['stop', 'two'])).toMatchObject({ status: 0, stdout: 'ABORTED two\n' });
  expect(await described('two')).toMatchObject({ status: 'ABORTED' });
});
