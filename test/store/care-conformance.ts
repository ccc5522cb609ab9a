/** The laws of a store's care: heads, repair from the journal, restore, strays. Every store runs them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EpochMs } from '../../src/lib/brand.js';
import type { Derived } from '../../src/store/care.js';
import type { Store } from '../../src/store/store.js';
import type { StoreFixture } from './conformance.js';
import { allPages, commitAfter, EMPTY_HEAD, executionArn, headAfter, rowOf } from './fixtures.js';

const at = (ms: number): EpochMs => ms as EpochMs;

const DERIVED: Derived = {
  row: rowOf('a', { status: 'RUNNING', details: { repaired: true } }),
  timers: [{ key: 'wait:1', dueAt: at(70) }],
  outbox: [{ key: 'work:2', effect: { what: 'task', by: 2 } }],
};

export function careConformance(name: string, createFixture: () => StoreFixture): void {
  describe(`${name} can be taken care of`, () => {
    let fixture: StoreFixture;
    let store: Store;
    beforeEach(async () => {
      fixture = createFixture();
      store = await fixture.open();
    });
    afterEach(async () => {
      await store.close();
      await fixture.cleanUp();
    });

    const started = async (execution: string) => {
      const first = commitAfter(EMPTY_HEAD, execution, {
        count: 2,
        timers: [{ key: 'old', dueAt: at(50) }],
        outbox: [{ key: 'old', effect: { what: 'task', by: 1 } }],
      });
      const second = commitAfter(headAfter(first), execution, { note: 'second' });
      expect(await store.commit(first)).toBe('committed');
      expect(await store.commit(second)).toBe('committed');
      const { after: seq, digest } = headAfter(second);
      return { seq, digest };
    };

    it('the head is where the last commit ended', async () => {
      expect(await store.care.head(executionArn('a'))).toBeNull();
      const head = await started('a');
      expect(await store.care.head(executionArn('a'))).toEqual(head);
    });

    it('what would wake an execution is told by execution', async () => {
      await started('a');
      expect(await store.care.pending(executionArn('a'))).toEqual({
        timers: [{ key: 'old', dueAt: 50 }],
        outbox: [{ key: 'old', effect: { what: 'task', by: 1 } }],
      });
      expect(await store.care.pending(executionArn('b'))).toEqual({ timers: [], outbox: [] });
    });

    it('every journal is found without an index', async () => {
      for (const execution of ['a', 'b', 'c']) await started(execution);
      const found = await allPages((token) => store.care.journals(2, token));
      expect([...new Set(found)].sort()).toEqual(['a', 'b', 'c'].map(executionArn));
    });

    it('row, timers, outbox and lists are replaced, and the journal stays', async () => {
      const head = await started('a');
      const journal = await store.load(executionArn('a'));
      const ended = { ...DERIVED.row, status: 'FAILED' as const, stoppedAt: at(9) };
      const derived = { ...DERIVED, row: ended };
      expect(await store.care.rederive(executionArn('a'), head, head, derived)).toBe('done');
      expect(await store.row(executionArn('a'))).toEqual(ended);
      const { timers, outbox } = DERIVED;
      expect(await store.care.pending(executionArn('a'))).toEqual({ timers, outbox });
      expect(await store.load(executionArn('a'))).toEqual(journal);
      expect((await store.list({ status: 'RUNNING' }, 5, null)).items).toEqual([]);
      expect((await store.list({ status: 'FAILED' }, 5, null)).items).toEqual([ended]);
      expect((await store.open(5, null)).items).toEqual([]);
      expect(await store.dueTimers(at(100), 5)).toEqual([
        { arn: executionArn('a'), key: 'wait:1', dueAt: 70 },
      ]);
      expect((await store.pendingEffects(5, null)).items).toEqual([
        { arn: executionArn('a'), ...outbox[0] },
      ]);
    });

    it('repair gives way to a commit that came in between', async () => {
      const head = await started('a');
      const late = commitAfter({ after: head.seq, digest: head.digest }, 'a');
      await store.commit(late);
      expect(await store.care.rederive(executionArn('a'), head, head, DERIVED)).toBe('conflict');
      expect(await store.row(executionArn('a'))).toEqual(rowOf('a'));
    });

    it('an execution goes on after a repair', async () => {
      const head = await started('a');
      await store.care.rederive(executionArn('a'), head, head, DERIVED);
      const next = commitAfter({ after: head.seq, digest: head.digest }, 'a', {
        timers: [{ key: 'wait:1', dueAt: null }],
        outbox: [{ key: 'work:2', effect: null }],
      });
      expect(await store.commit(next)).toBe('committed');
      expect(await store.care.pending(executionArn('a'))).toEqual({ timers: [], outbox: [] });
      expect(await store.load(executionArn('a'))).toHaveLength(3);
      expect((await store.list({}, 5, null)).items).toHaveLength(1);
      expect(await store.nextTimer()).toBeNull();
      expect((await store.pendingEffects(5, null)).items).toEqual([]);
    });

    it('an execution is restored with everything, once', async () => {
      const head = await started('a');
      const journal = await store.load(executionArn('a'));
      expect(await store.care.restore(journal, DERIVED)).toBe('exists');
      await store.remove(executionArn('a'));
      expect(await store.care.restore(journal, DERIVED)).toBe('restored');
      expect(await store.load(executionArn('a'))).toEqual(journal);
      expect(await store.care.head(executionArn('a'))).toEqual(head);
      expect(await store.row(executionArn('a'))).toEqual(DERIVED.row);
      const { timers, outbox } = DERIVED;
      expect(await store.care.pending(executionArn('a'))).toEqual({ timers, outbox });
      const next = commitAfter({ after: head.seq, digest: head.digest }, 'a');
      expect(await store.commit(next)).toBe('committed');
    });

    it('a long journal is restored whole', async () => {
      let head = EMPTY_HEAD;
      for (let commits = 0; commits < 120; commits++) {
        const made = commitAfter(head, 'a', { padding: 20_000 });
        await store.commit(made);
        head = headAfter(made);
      }
      const journal = await store.load(executionArn('a'));
      await store.remove(executionArn('a'));
      expect(await store.care.restore(journal, DERIVED)).toBe('restored');
      expect(await store.load(executionArn('a'))).toEqual(journal);
    });

    it('what is over is listed from the oldest, page by page', async () => {
      const names = ['a', 'b', 'c', 'd'];
      for (const [index, execution] of names.entries()) {
        const status = execution === 'b' ? 'RUNNING' : 'SUCCEEDED';
        const row = { status, startedAt: at(1000 + index) } as const;
        await store.commit(commitAfter(EMPTY_HEAD, execution, { row }));
      }
      const found = await allPages((token) => store.care.ended(1, token));
      expect(found.map((row) => row.name)).toEqual(['a', 'c', 'd']);
    });

    it('counts what runs and what is over, and knows the bytes', async () => {
      await started('a');
      await store.commit(commitAfter(EMPTY_HEAD, 'b', { row: { status: 'ABORTED' } }));
      const { running, ended, bytes } = await store.care.size();
      expect({ running, ended }).toEqual({ running: 1, ended: 1 });
      expect(bytes).toBeGreaterThan(0);
    });

    it('a sound store has no strays', async () => {
      await started('a');
      await store.commit(commitAfter(EMPTY_HEAD, 'b', { row: { status: 'ABORTED' } }));
      expect(await store.care.strays(false)).toEqual([]);
      expect(await store.care.strays(true)).toEqual([]);
      expect((await store.list({}, 5, null)).items).toHaveLength(2);
    });

    it('names the kinds of its documents', async () => {
      await store.documents.put('tag', 'x', 1, null);
      await store.documents.put('alias', 'x', 1, null);
      expect(await store.care.documentKinds()).toEqual(['alias', 'tag']);
    });

    it('says how it is', async () => {
      const findings = await store.care.check();
      expect(findings.length).toBeGreaterThan(0);
      expect(findings.filter(({ level }) => level === 'error')).toEqual([]);
    });
  });
}
