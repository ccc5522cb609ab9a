/** The laws of a store that several processes drive: who holds what, and claims that one of two wins. */
import { describe, expect, it } from 'vitest';
import type { EpochMs } from '../../src/lib/brand.js';
import type { SharedStore } from '../../src/store/store.js';
import { commitAfter, EMPTY_HEAD, executionArn, headAfter } from './fixtures.js';

const at = (ms: number): EpochMs => ms as EpochMs;

export function sharedConformance(name: string, open: () => Promise<SharedStore>): void {
  describe(`${name}, shared`, () => {
    const arn = executionArn('shared');

    it('a timer says who holds it until it is moved or dropped', async () => {
      const store = await open();
      const first = commitAfter(EMPTY_HEAD, 'shared', {
        timers: [
          { key: 'a', dueAt: at(10), holder: 'one' },
          { key: 'b', dueAt: at(20) },
          { key: 'c', dueAt: at(30), holder: 'one' },
        ],
      });
      await store.commit(first);
      expect(await store.dueTimers(at(100), 10)).toEqual([
        { arn, key: 'a', dueAt: 10, holder: 'one' },
        { arn, key: 'b', dueAt: 20 },
        { arn, key: 'c', dueAt: 30, holder: 'one' },
      ]);
      expect(await store.timer(arn, 'a')).toBe(10);
      expect(await store.timer(arn, 'none')).toBeNull();
      await store.touchTimer(arn, 'a', at(40), 'two');
      await store.touchTimer(arn, 'b', at(20), 'two');
      // The same instant, another holder; and one dropped.
      await store.commit(
        commitAfter(headAfter(first), 'shared', {
          timers: [
            { key: 'a', dueAt: at(40), holder: 'three' },
            { key: 'c', dueAt: null },
          ],
        }),
      );
      expect(await store.dueTimers(at(100), 10)).toEqual([
        { arn, key: 'b', dueAt: 20, holder: 'two' },
        { arn, key: 'a', dueAt: 40, holder: 'three' },
      ]);
      await store.remove(arn);
      expect(await store.dueTimers(at(100), 10)).toEqual([]);
      await store.close();
    });

    it('an effect is claimed by one of many, and stays in its place', async () => {
      const store = await open();
      await store.commit(
        commitAfter(EMPTY_HEAD, 'shared', {
          outbox: [
            { key: 'w:1', effect: { what: 'task', on: 'lost' } },
            { key: 'w:2', effect: { what: 'task' } },
          ],
        }),
      );
      const before = { what: 'task', on: 'lost' };
      const claims = await Promise.all(
        ['a', 'b', 'c', 'd'].map((on) =>
          store.replaceEffect(arn, 'w:1', before, { what: 'task', on }),
        ),
      );
      expect(claims.filter(Boolean)).toHaveLength(1);
      const winner = ['a', 'b', 'c', 'd'][claims.indexOf(true)];
      expect(await store.effect(arn, 'w:1')).toEqual({ what: 'task', on: winner });
      expect(await store.effect(arn, 'w:3')).toBeNull();
      expect(await store.replaceEffect(arn, 'w:3', before, before)).toBe(false);
      const { items } = await store.pendingEffects(10, null);
      expect(items.map(({ key }) => key).sort()).toEqual(['w:1', 'w:2']);
      await store.close();
    });

    it('the head is that of the journal', async () => {
      const store = await open();
      expect(await store.head(arn)).toBeNull();
      const commit = commitAfter(EMPTY_HEAD, 'shared', { count: 3 });
      await store.commit(commit);
      expect(await store.head(arn)).toEqual({ seq: 3, digest: commit.digest });
      await store.close();
    });
  });
}
