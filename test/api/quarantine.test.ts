/** A damaged execution behind the API: told as far as it is known, explained in REST, released there. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MemoryStore } from '../../src/store/memory.js';
import type { ExecutionArn } from '../../src/lib/brand.js';
import type { JournalCommit } from '../../src/store/store.js';
import { call, createMachine, type Harness, readReply, startHarness, WAIT } from './harness.js';

class LyingStore extends MemoryStore {
  damaged: string | null = null;
  /** Stays open over a restart of what drives it. */
  override async close(): Promise<void> {}
  override async load(arn: ExecutionArn): Promise<readonly JournalCommit[]> {
    const commits = await super.load(arn);
    if (arn !== this.damaged) return commits;
    return commits.map((commit) => ({ ...commit, facts: commit.facts.replace('"W"', '"V"') }));
  }
}

const store = new LyingStore();
let server: Harness;
beforeAll(async () => {
  server = await startHarness({ store });
});
afterAll(() => server.close());

test('a damaged journal is shown by its row, explained, and driven again when it is whole', async () => {
  const stateMachineArn = await createMachine(server.url, WAIT);
  const { body } = await call(server.url, 'StartExecution', { stateMachineArn, input: '{"a":1}' });
  const { executionArn } = body;
  // The engine has it in memory: as after a restart, it has to read it again.
  store.damaged = executionArn;
  await server.close();
  server = await startHarness({ store });

  const described = await call(server.url, 'DescribeExecution', { executionArn });
  expect(described.status).toBe(200);
  expect(described.body).toMatchObject({
    executionArn,
    stateMachineArn,
    status: 'RUNNING',
    inputDetails: { included: false },
  });
  expect(described.body.input).toBeUndefined();

  const stopped = await call(server.url, 'StopExecution', { executionArn });
  expect(stopped.status).toBe(500);
  const rest = `${server.url}/v1/executions/${encodeURIComponent(executionArn)}`;
  const explained = await readReply(await fetch(rest));
  expect(explained.body.quarantine).toMatchObject({ reason: 'journal' });
  expect(explained.body.quarantine.message).toContain('the digest chain is broken');

  store.damaged = null;
  const headers = { 'Content-Type': 'application/json' };
  const released = await readReply(
    await fetch(`${rest}/release`, { method: 'POST', headers, body: '{}' }),
  );
  expect(released.body).toEqual({ released: true });
  const now = await call(server.url, 'DescribeExecution', { executionArn });
  expect(now.body).toMatchObject({ status: 'RUNNING', input: '{"a":1}' });
  const ended = await call(server.url, 'StopExecution', { executionArn });
  expect(ended.status).toBe(200);
});
