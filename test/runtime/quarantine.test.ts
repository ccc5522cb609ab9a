/** One execution that cannot go on stops alone, durably, with its journal; the others go on. */
import { describe, expect, it } from 'vitest';
import type { ExecutionArn } from '../../src/lib/brand.js';
import { MemoryStore } from '../../src/store/memory.js';
import type { JournalCommit, Store } from '../../src/store/store.js';
import { openWorld, startRequest } from '../support/run-machine.js';
import type { Script } from '../support/scripted-handlers.js';
import { VirtualClock } from '../support/virtual-clock.js';

const WAITS = {
  StartAt: 'W',
  States: {
    W: { Type: 'Wait', Seconds: 60, Next: 'T' },
    T: { Type: 'Task', Resource: 's:t', End: true },
  },
};
const OTHER = { ...WAITS, Comment: 'another revision' };

/** A revision that is missing is looked for as long: after a failover another process writes it again. */
const REVISION_MS = 60_000;

const arnOf = (name: string) =>
  `arn:aws:states:us-east-1:123456789012:execution:Machine:${name}` as ExecutionArn;

const SCRIPT: Script = { 's:t': { do: 'ok', output: 'done', afterMs: 5 } };

async function open(store: Store, clock: VirtualClock) {
  return (await openWorld(SCRIPT, { store, clock, seed: 7 })).engine;
}

/** A store that lies about one journal for as long as `damaged` is set. */
class LyingStore extends MemoryStore {
  damaged: ExecutionArn | null = null;
  loads = 0;

  override async load(arn: ExecutionArn): Promise<readonly JournalCommit[]> {
    const commits = await super.load(arn);
    if (arn !== this.damaged) return commits;
    this.loads += 1;
    return commits.map((commit) => ({ ...commit, facts: commit.facts.replace('"W"', '"V"') }));
  }
}

async function twoWaiting() {
  const clock = new VirtualClock();
  const store = new LyingStore();
  const first = await open(store, clock);
  await first.start(startRequest(WAITS, {}, { name: 'bad' }));
  await first.start(startRequest(OTHER, {}, { name: 'good' }));
  await first.close();
  return { clock, store, revision: startRequest(WAITS, {}).revision.id };
}

describe('quarantine', () => {
  it('an execution our code fails on is held with its journal, and others go on', async () => {
    const { clock, store, revision } = await twoWaiting();
    const definition = await store.documents.get('revision', revision);
    await store.documents.remove('revision', revision);
    const engine = await open(store, clock);
    await clock.runUntil(engine.ended(arnOf('good')));
    await clock.pass(REVISION_MS);
    const note = await engine.quarantined(arnOf('bad'));
    expect(note).toMatchObject({ reason: 'engine', seq: 3 });
    expect(note?.message).toContain('Revision');
    expect((await engine.state(arnOf('bad')))?.status).toBe('RUNNING');
    const kept = await store.load(arnOf('bad'));

    await engine.close();
    const again = await open(store, clock);
    await clock.pass(3_600_000);
    expect(await store.load(arnOf('bad'))).toEqual(kept);

    await store.documents.put('revision', revision, definition?.body ?? null, 'any');
    expect(await again.release(arnOf('bad'))).toBe(true);
    const state = await clock.runUntil(again.ended(arnOf('bad')));
    expect(state.outcome).toEqual({ ok: true, output: 'done' });
    expect(await again.quarantined(arnOf('bad'))).toBeNull();
  });

  it('a damaged journal is never executed, read twice at most, and goes on when it is whole', async () => {
    const { clock, store } = await twoWaiting();
    store.damaged = arnOf('bad');
    const engine = await open(store, clock);
    await clock.runUntil(engine.ended(arnOf('good')));
    await clock.pass(600_000);
    expect(await engine.quarantined(arnOf('bad'))).toMatchObject({ reason: 'journal', seq: null });
    const { loads } = store;
    await clock.pass(3_600_000);
    expect(store.loads).toBe(loads);

    store.damaged = null;
    await engine.release(arnOf('bad'));
    const state = await clock.runUntil(engine.ended(arnOf('bad')));
    expect(state.status).toBe('SUCCEEDED');
  });

  it('a fault that was only in memory heals by itself', async () => {
    const { clock, store } = await twoWaiting();
    const load = store.load.bind(store);
    let lies = 1;
    store.load = async (arn) => {
      const commits = await load(arn);
      if (arn !== arnOf('bad') || lies-- <= 0) return commits;
      return commits.slice(0, -1);
    };
    const engine = await open(store, clock);
    const state = await clock.runUntil(engine.ended(arnOf('bad')));
    expect(state.status).toBe('SUCCEEDED');
    expect(await engine.quarantined(arnOf('bad'))).toBeNull();
  });

  it('what is quarantined can be stopped', async () => {
    const { clock, store, revision } = await twoWaiting();
    const definition = await store.documents.get('revision', revision);
    await store.documents.remove('revision', revision);
    const engine = await open(store, clock);
    await clock.runUntil(engine.ended(arnOf('good')));
    await clock.pass(REVISION_MS);
    expect(await engine.quarantined(arnOf('bad'))).not.toBeNull();
    await store.documents.put('revision', revision, definition?.body ?? null, 'any');
    await engine.stop(arnOf('bad'), { error: 'Enough', cause: null });
    expect((await store.row(arnOf('bad')))?.status).toBe('ABORTED');
    expect(await engine.quarantined(arnOf('bad'))).toBeNull();
  });
});
