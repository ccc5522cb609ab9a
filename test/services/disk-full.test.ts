/** A disk that fills up under a running engine: it says so, keeps answering, and goes on by itself. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ExecutionArn } from '../../src/lib/brand.js';
import { createEngine } from '../../src/runtime/engine.js';
import { SqliteStore } from '../../src/store/sqlite.js';
import { startRequest } from '../support/run-machine.js';
import { ScriptedHandlers, silentLog, testServices } from '../support/scripted-handlers.js';
import { VirtualClock } from '../support/virtual-clock.js';

const MACHINE = {
  StartAt: 'W',
  States: { W: { Type: 'Wait', Seconds: 1, Next: 'P' }, P: { Type: 'Pass', End: true } },
};

const folder = mkdtempSync(join(tmpdir(), 'stepwell-full-'));
const mounted = mount('size=2m');
if (!mounted)
  console.warn('No small file system can be mounted here: the disk-full test is SKIPPED.');

function mount(options: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const arnOf = (name: string) =>
  `arn:aws:states:us-east-1:123456789012:execution:Machine:${name}` as ExecutionArn;

/** Leaves no free block. */
function fill(): void {
  const { bavail, bsize } = statfsSync(folder);
  writeFileSync(join(folder, 'filler'), Buffer.alloc(bavail * bsize));
}

describe.skipIf(!mounted)('a full disk', () => {
  let store: SqliteStore;
  beforeAll(() => {
    store = SqliteStore.open(join(folder, 'a.db'));
  });
  afterAll(async () => {
    await store.close();
    // Lazily: the database's handles go with the process.
    execFileSync('umount', ['-l', folder]);
    rmSync(folder, { recursive: true, force: true });
  });

  it('pauses the engine, leaves reads alone, and is over when there is space again', async () => {
    // Real time: the disk does not follow a virtual clock.
    const engine = await createEngine({
      store,
      resources: new ScriptedHandlers({}, new VirtualClock()),
      services: testServices(),
      log: silentLog,
    });
    try {
      await engine.start(startRequest(MACHINE, {}, { name: 'before' }));
      fill();
      const big = { text: 'x'.repeat(200_000) };
      let refused = 0;
      for (let starts = 0; starts < 20; starts++) {
        await engine
          .start(startRequest(MACHINE, big, { name: `during-${starts}` }))
          .catch((error) => {
            expect(error.name).toBe('StoreUnavailable');
            expect(error.message).toMatch(/disk is full.*nothing that was acknowledged is lost/);
            refused += 1;
          });
      }
      expect(refused).toBeGreaterThan(0);
      // The timer of the running execution has come, and its turn cannot be written.
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      expect((await engine.state(arnOf('before')))?.identity.name).toBe('before');
      expect((await engine.list({}, 100, null)).items.length).toBe(1 + 20 - refused);
      rmSync(join(folder, 'filler'));
      const state = await engine.ended(arnOf('before'), AbortSignal.timeout(20_000));
      expect(state.status).toBe('SUCCEEDED');
      await engine.start(startRequest(MACHINE, {}, { name: 'after' }));
      await engine.ended(arnOf('after'), AbortSignal.timeout(20_000));
    } finally {
      await engine.close();
    }
  });
});
