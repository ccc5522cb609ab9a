/**
 * The laws of the store interface as tests. Every store runs this suite; a store with a memory of its
 * own passes `reopen`, and then whatever was committed must be there again.
 */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Digest, EpochMs, Seq } from '../../src/lib/brand.js';
import type { Json } from '../../src/lib/json.js';
import type { Commit, ExecutionRow, Store } from '../../src/store/store.js';
import { careConformance } from './care-conformance.js';
import {
  allPages,
  type CommitOptions,
  commitAfter,
  EMPTY_HEAD,
  executionArn,
  type Head,
  headAfter,
  MACHINE,
  rowOf,
} from './fixtures.js';

export interface StoreFixture {
  open(): Promise<Store>;
  /** Closes the store and opens what it left behind; absent for a store that forgets. */
  reopen?(store: Store): Promise<Store>;
  cleanUp(): Promise<void>;
}

const at = (ms: number): EpochMs => ms as EpochMs;

export function storeConformance(name: string, createFixture: () => StoreFixture): void {
  careConformance(name, createFixture);
  describe(`${name} keeps the laws of a store`, () => {
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

    const commit = async (head: Head, execution: string, options?: CommitOptions) => {
      const made = commitAfter(head, execution, options);
      expect(await store.commit(made)).toBe('committed');
      return headAfter(made);
    };

    describe('commit', () => {
      it('a first commit starts a journal, a row, timers and effects at once', async () => {
        const made = commitAfter(EMPTY_HEAD, 'a', {
          count: 3,
          row: { details: { revision: 'r1' } },
          timers: [{ key: '3', dueAt: at(50) }],
          outbox: [{ key: '3', effect: { type: 'Enqueue' } }],
        });
        expect(await store.commit(made)).toBe('committed');
        const { after, facts, count, digest } = made;
        expect(await store.load(made.arn)).toEqual([{ after, facts, count, digest }]);
        expect(await store.row(made.arn)).toEqual(made.row);
        expect(await store.nextTimer()).toEqual({ arn: made.arn, key: '3', dueAt: 50 });
        expect((await store.pendingEffects(10, null)).items).toEqual([
          { arn: made.arn, key: '3', effect: { type: 'Enqueue' } },
        ]);
      });

      it('the same commit twice is a conflict and changes nothing', async () => {
        const made = commitAfter(EMPTY_HEAD, 'a');
        expect(await store.commit(made)).toBe('committed');
        expect(await store.commit(made)).toBe('conflict');
        expect(await store.load(made.arn)).toHaveLength(1);
      });

      it('a commit after the wrong seq is a conflict and changes nothing at all', async () => {
        const head = await commit(EMPTY_HEAD, 'a', { timers: [{ key: '1', dueAt: at(9) }] });
        const stale = commitAfter({ ...head, after: (head.after + 1) as Seq }, 'a', {
          row: { status: 'FAILED', details: { touched: true } },
          timers: [
            { key: '1', dueAt: null },
            { key: '2', dueAt: at(1) },
          ],
          outbox: [{ key: '2', effect: 'never' }],
        });
        expect(await store.commit(stale)).toBe('conflict');
        expect(await store.load(stale.arn)).toHaveLength(1);
        expect(await store.row(stale.arn)).toEqual(rowOf('a'));
        expect(await store.dueTimers(at(100), 10)).toEqual([
          { arn: stale.arn, key: '1', dueAt: 9 },
        ]);
        expect((await store.pendingEffects(10, null)).items).toEqual([]);
      });

      it('a commit after the right seq but another digest is a conflict', async () => {
        const head = await commit(EMPTY_HEAD, 'a');
        const forked = commitAfter({ ...head, digest: 'f'.repeat(64) as Digest }, 'a');
        expect(await store.commit(forked)).toBe('conflict');
      });

      it('a first commit with a digest other than that of the empty journal is a conflict', async () => {
        const odd = commitAfter({ after: 0 as Seq, digest: 'f'.repeat(64) as Digest }, 'a');
        expect(await store.commit(odd)).toBe('conflict');
        expect(await store.row(odd.arn)).toBeNull();
      });

      it('a later commit for an execution that does not exist is a conflict', async () => {
        const odd = commitAfter({ ...EMPTY_HEAD, after: 4 as Seq }, 'a');
        expect(await store.commit(odd)).toBe('conflict');
        expect(await store.row(odd.arn)).toBeNull();
      });

      it('a commit without facts moves the digest and the indexes only', async () => {
        const head = await commit(EMPTY_HEAD, 'a');
        const empty = commitAfter(head, 'a', { count: 0, timers: [{ key: 'x', dueAt: at(5) }] });
        expect(await store.commit(empty)).toBe('committed');
        expect(await store.commit(empty)).toBe('conflict');
        await commit(headAfter(empty), 'a');
        const journal = await store.load(executionArn('a'));
        expect(journal.map((c) => c.after)).toEqual([0, 1, 1]);
      });

      it('of many racing commits exactly one wins, in one event-loop turn or in several', async () => {
        for (const spread of [false, true]) {
          const execution = `race-${spread}`;
          const racers = Array.from({ length: 20 }, (_, i) =>
            commitAfter(EMPTY_HEAD, execution, { note: `racer ${i}` }),
          );
          const results = await Promise.all(
            racers.map(async (racer, index) => {
              if (spread && index % 3 === 0) await new Promise((done) => setImmediate(done));
              return store.commit(racer);
            }),
          );
          expect(results.filter((result) => result === 'committed')).toHaveLength(1);
          const winner = racers[results.indexOf('committed')];
          const journal = await store.load(executionArn(execution));
          expect(journal.map((c) => c.digest)).toEqual([winner?.digest]);
        }
      });

      it('a conflict between commits of the same moment does not undo the others', async () => {
        const stale = commitAfter({ ...EMPTY_HEAD, after: 7 as Seq }, 'stale');
        const results = await Promise.all([
          store.commit(commitAfter(EMPTY_HEAD, 'a')),
          store.commit(stale),
          store.commit(commitAfter(EMPTY_HEAD, 'b')),
        ]);
        expect(results).toEqual(['committed', 'conflict', 'committed']);
        expect(await store.load(executionArn('b'))).toHaveLength(1);
      });

      it('commits of one execution may be sent without waiting, and keep their order', async () => {
        const commits: Commit[] = [];
        let head = EMPTY_HEAD;
        for (let i = 0; i < 10; i += 1) {
          const made = commitAfter(head, 'a', { count: i % 3, note: String(i) });
          commits.push(made);
          head = headAfter(made);
        }
        const results = await Promise.all(commits.map((made) => store.commit(made)));
        expect(new Set(results)).toEqual(new Set(['committed']));
        const journal = await store.load(executionArn('a'));
        expect(journal.map((c) => c.digest)).toEqual(commits.map((c) => c.digest));
      });

      it('facts come back byte for byte', async () => {
        const note = 'é 漢 \u{1f600} \ud800 \u0000 \u2028 "\\ __proto__';
        const made = commitAfter(EMPTY_HEAD, 'a', { note, padding: 100_000 });
        await store.commit(made);
        expect((await store.load(made.arn))[0]?.facts).toBe(made.facts);
      });

      it('every column of the row follows the last commit', async () => {
        const head = await commit(EMPTY_HEAD, 'a');
        const row: Partial<ExecutionRow> = {
          stateMachineVersionArn: `${MACHINE}:3`,
          stateMachineAliasArn: `${MACHINE}:PROD`,
          mapRunArn: 'arn:map',
          status: 'TIMED_OUT',
          startedAt: at(1_800_000_000_001),
          stoppedAt: at(1_800_000_000_002),
          redriveCount: 2,
          redrivenAt: at(1_800_000_000_003),
          details: JSON.parse('{"__proto__": {"a": [1, null]}, "n": 0.1}'),
        };
        await commit(head, 'a', { row });
        expect(await store.row(executionArn('a'))).toEqual(rowOf('a', row));
      });
    });

    describe('load and row', () => {
      it('an unknown execution has an empty journal and no row', async () => {
        expect(await store.load(executionArn('none'))).toEqual([]);
        expect(await store.row(executionArn('none'))).toBeNull();
      });
    });

    describe('list', () => {
      beforeEach(async () => {
        const rows: Partial<ExecutionRow>[] = [
          { startedAt: at(10), status: 'SUCCEEDED', stateMachineVersionArn: `${MACHINE}:1` },
          { startedAt: at(30), status: 'FAILED', redriveCount: 1, redrivenAt: at(35) },
          { startedAt: at(20), stateMachineArn: 'arn:other', mapRunArn: 'arn:map' },
          { startedAt: at(40), stateMachineAliasArn: `${MACHINE}:PROD` },
        ];
        for (const [index, row] of rows.entries()) await commit(EMPTY_HEAD, `e${index}`, { row });
      });
      const names = async (filter: Parameters<Store['list']>[0], limit = 10) =>
        (await allPages((token) => store.list(filter, limit, token))).map((row) => row.name);

      it('shows the newest first', async () => {
        expect(await names({})).toEqual(['e3', 'e1', 'e2', 'e0']);
      });

      it('filters by machine, version, alias, map run, status and redrive', async () => {
        expect(await names({ stateMachineArn: MACHINE })).toEqual(['e3', 'e1', 'e0']);
        expect(await names({ stateMachineVersionArn: `${MACHINE}:1` })).toEqual(['e0']);
        expect(await names({ stateMachineAliasArn: `${MACHINE}:PROD` })).toEqual(['e3']);
        expect(await names({ mapRunArn: 'arn:map' })).toEqual(['e2']);
        expect(await names({ status: 'RUNNING' })).toEqual(['e3', 'e2']);
        expect(await names({ redriven: true })).toEqual(['e1']);
        expect(await names({ redriven: false })).toEqual(['e3', 'e2', 'e0']);
        expect(await names({ stateMachineArn: MACHINE, status: 'FAILED' })).toEqual(['e1']);
        expect(await names({ stateMachineArn: 'arn:none' })).toEqual([]);
      });

      it('pages of any size give the same list, and the last page says so', async () => {
        for (const limit of [1, 2, 3, 4, 5]) {
          expect(await names({}, limit)).toEqual(['e3', 'e1', 'e2', 'e0']);
        }
        expect((await store.list({}, 4, null)).next).toBeNull();
      });

      it('paging goes on when the last item seen was removed or changed, or newer ones came', async () => {
        const first = await store.list({}, 2, null);
        await store.remove(executionArn('e1'));
        await commit(EMPTY_HEAD, 'newer', { row: { startedAt: at(99) } });
        const rest = await store.list({}, 2, first.next);
        expect(rest.items.map((row) => row.name)).toEqual(['e2', 'e0']);
      });

      it('executions of the same millisecond are each listed once', async () => {
        for (let i = 0; i < 7; i += 1) {
          await commit(EMPTY_HEAD, `same${i}`, { row: { startedAt: at(25) } });
        }
        const listed = await names({}, 3);
        expect(listed).toHaveLength(11);
        expect(new Set(listed).size).toBe(11);
      });
    });

    describe('timers', () => {
      it('due timers come earliest first, up to the limit, and stay until dropped', async () => {
        const head = await commit(EMPTY_HEAD, 'a', {
          timers: [30, 10, 20, 40].map((ms) => ({ key: `t${ms}`, dueAt: at(ms) })),
        });
        const due = async (now: number, limit = 10) =>
          (await store.dueTimers(at(now), limit)).map((timer) => timer.key);
        expect(await due(30)).toEqual(['t10', 't20', 't30']);
        expect(await due(30, 2)).toEqual(['t10', 't20']);
        expect(await due(30)).toEqual(['t10', 't20', 't30']);
        expect(await due(9)).toEqual([]);
        await commit(head, 'a', { timers: [{ key: 't10', dueAt: null }] });
        expect(await due(100)).toEqual(['t20', 't30', 't40']);
        expect((await store.nextTimer())?.key).toBe('t20');
      });

      it('setting a timer again moves it; a touch moves an existing one only', async () => {
        const head = await commit(EMPTY_HEAD, 'a', { timers: [{ key: 't', dueAt: at(10) }] });
        await commit(head, 'a', { timers: [{ key: 't', dueAt: at(50) }] });
        expect(await store.dueTimers(at(49), 10)).toEqual([]);
        await store.touchTimer(executionArn('a'), 't', at(70));
        await store.touchTimer(executionArn('a'), 'absent', at(1));
        await store.touchTimer(executionArn('absent'), 't', at(1));
        expect(await store.nextTimer()).toEqual({ arn: executionArn('a'), key: 't', dueAt: 70 });
        expect(await store.dueTimers(at(1_000), 10)).toHaveLength(1);
      });

      it('the same key in two executions is two timers', async () => {
        await commit(EMPTY_HEAD, 'a', { timers: [{ key: '1', dueAt: at(1) }] });
        await commit(EMPTY_HEAD, 'b', { timers: [{ key: '1', dueAt: at(2) }] });
        expect(await store.dueTimers(at(5), 10)).toHaveLength(2);
      });

      it('a due time far beyond 32 bits is kept exactly', async () => {
        const far = Date.UTC(2199, 0, 1);
        await commit(EMPTY_HEAD, 'a', { timers: [{ key: 't', dueAt: at(far) }] });
        expect((await store.nextTimer())?.dueAt).toBe(far);
      });
    });

    describe('outbox', () => {
      it('pending effects come oldest first in pages, and vanish once done', async () => {
        let head = EMPTY_HEAD;
        for (let i = 0; i < 5; i += 1) {
          head = await commit(head, 'a', { outbox: [{ key: `k${i}`, effect: { i } }] });
        }
        await commit(head, 'a', { outbox: [{ key: 'k1', effect: null }] });
        await store.dropEffect(executionArn('a'), 'k3');
        await store.dropEffect(executionArn('a'), 'absent');
        const pending = await allPages((token) => store.pendingEffects(2, token));
        expect(pending.map((entry) => entry.effect)).toEqual([{ i: 0 }, { i: 2 }, { i: 4 }]);
      });

      it('any JSON but null may be an effect', async () => {
        const effects: Json[] = [0, '', false, [], { a: null }];
        await commit(EMPTY_HEAD, 'a', {
          outbox: effects.map((effect, index) => ({ key: String(index), effect })),
        });
        const pending = await store.pendingEffects(10, null);
        expect(pending.items.map((entry) => entry.effect)).toEqual(effects);
      });
    });

    describe('open and remove', () => {
      it('lists the running executions, oldest first, in pages', async () => {
        for (const name of ['a', 'b', 'c', 'd']) await commit(EMPTY_HEAD, name);
        const b = await store.load(executionArn('b'));
        await commit({ after: 1 as Seq, digest: b[0]?.digest as Digest }, 'b', {
          row: { status: 'SUCCEEDED', stoppedAt: at(1) },
        });
        const running = await allPages((token) => store.open(2, token));
        expect(running.map((row) => row.name)).toEqual(['a', 'c', 'd']);
      });

      it('a removed execution leaves nothing behind, and its name may start anew', async () => {
        const first = commitAfter(EMPTY_HEAD, 'a', {
          timers: [{ key: 't', dueAt: at(1) }],
          outbox: [{ key: 'o', effect: 1 }],
        });
        await store.commit(first);
        await commit(EMPTY_HEAD, 'b', { timers: [{ key: 't', dueAt: at(2) }] });
        await store.remove(first.arn);
        await store.remove(first.arn);
        expect(await store.row(first.arn)).toBeNull();
        expect(await store.load(first.arn)).toEqual([]);
        expect((await store.pendingEffects(10, null)).items).toEqual([]);
        expect((await store.dueTimers(at(9), 10)).map((t) => t.arn)).toEqual([executionArn('b')]);
        expect(await store.commit(commitAfter(headAfter(first), 'a'))).toBe('conflict');
        expect(await store.commit(first)).toBe('committed');
      });
    });

    describe('documents', () => {
      it('a put with the expected revision wins, any other is a conflict', async () => {
        const { documents } = store;
        expect(await documents.get('machine', 'a')).toBeNull();
        expect(await documents.put('machine', 'a', { v: 1 }, 4)).toBe('conflict');
        const first = await documents.put('machine', 'a', { v: 1 }, null);
        expect(await documents.put('machine', 'a', { v: 2 }, null)).toBe('conflict');
        const second = await documents.put('machine', 'a', { v: 2 }, first as number);
        expect(await documents.put('machine', 'a', { v: 3 }, first as number)).toBe('conflict');
        expect(await documents.put('machine', 'a', { v: 4 }, 'any')).toBeTypeOf('number');
        expect(second).not.toBe(first);
        expect((await documents.get('machine', 'a'))?.body).toEqual({ v: 4 });
      });

      it('of racing puts with one expectation exactly one wins', async () => {
        const results = await Promise.all(
          Array.from({ length: 10 }, (_, i) => store.documents.put('k', 'id', i, null)),
        );
        expect(results.filter((result) => result !== 'conflict')).toHaveLength(1);
      });

      it('kinds are separate, lists are ordered by id and limited by prefix', async () => {
        const { documents } = store;
        for (const id of ['b/2', 'a', 'b/10', 'b/1', 'c', 'b', 'é', '\u{1f600}', '\uff5e']) {
          await documents.put('k', id, id, null);
        }
        await documents.put('other', 'b/3', 0, null);
        const ids = async (prefix: string | undefined, limit: number) =>
          (
            await allPages((token) =>
              documents.list('k', { limit, token, ...(prefix === undefined ? {} : { prefix }) }),
            )
          ).map((document) => document.id);
        expect(await ids('b/', 2)).toEqual(['b/1', 'b/10', 'b/2']);
        expect(await ids(undefined, 4)).toEqual([
          'a',
          'b',
          'b/1',
          'b/10',
          'b/2',
          'c',
          'é',
          '\uff5e',
          '\u{1f600}',
        ]);
        expect(await documents.remove('k', 'b/10')).toBe(true);
        expect(await documents.remove('k', 'b/10')).toBe(false);
        expect(await ids('b/', 10)).toEqual(['b/1', 'b/2']);
      });

      it('any JSON is a body', async () => {
        const body = JSON.parse(
          '{"__proto__": 1, "constructor": [null, "\\u0000", 1e308]}',
        ) as Json;
        await store.documents.put('k', 'id', body, null);
        expect(JSON.stringify((await store.documents.get('k', 'id'))?.body)).toBe(
          JSON.stringify(body),
        );
      });
    });

    it('random histories end as a simple model of the interface says', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { maxLength: 60 }), async (operations) => {
          const own = createFixture();
          let subject = await own.open();
          const model = new Model();
          try {
            for (const step of operations) {
              if (step.do === 'reopen') subject = (await own.reopen?.(subject)) ?? subject;
              else expect(await perform(subject, model, step)).toEqual(model.apply(step));
            }
            await expectEqual(subject, model);
          } finally {
            await subject.close();
            await own.cleanUp();
          }
        }),
        { numRuns: 40 },
      );
    });

    it('a closed store refuses further work', async () => {
      const closed = await createFixture().open();
      await closed.close();
      await closed.close();
      await expect(closed.row(executionArn('a'))).rejects.toThrow(/closed/);
      await expect(closed.commit(commitAfter(EMPTY_HEAD, 'a'))).rejects.toThrow(/closed/);
    });
  });
}

interface CommitStep {
  readonly do: 'commit';
  readonly name: string;
  /** `right` follows the journal, the others must be refused. */
  readonly aim: 'right' | 'stale' | 'early' | 'forked';
  readonly options: CommitOptions;
}

type Step =
  | CommitStep
  | { readonly do: 'touch'; readonly name: string; readonly key: string; readonly dueAt: number }
  | { readonly do: 'dropEffect'; readonly name: string; readonly key: string }
  | { readonly do: 'remove'; readonly name: string; readonly key: string }
  | { readonly do: 'reopen' };

/** What JSON text can carry: no -0. */
const jsonArbitrary = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as Json);
const nameArbitrary = fc.constantFrom('a', 'b', 'c');
const keyArbitrary = fc.constantFrom('1', '2', '3');
const dueArbitrary = fc.integer({ min: 0, max: 1_000 }).map(at);

const operation: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('commit' as const),
      name: nameArbitrary,
      aim: fc.constantFrom('right', 'right', 'right', 'stale', 'early', 'forked'),
      options: fc.record({
        count: fc.integer({ min: 0, max: 4 }),
        note: fc.string(),
        row: fc.record({
          status: fc.constantFrom('RUNNING', 'RUNNING', 'SUCCEEDED', 'ABORTED'),
          startedAt: dueArbitrary,
          redriveCount: fc.integer({ min: 0, max: 2 }),
          details: fc.dictionary(fc.string(), jsonArbitrary),
        }),
        timers: fc.array(
          fc.record({ key: keyArbitrary, dueAt: fc.option(dueArbitrary, { nil: null }) }),
          { maxLength: 3 },
        ),
        outbox: fc.array(fc.record({ key: keyArbitrary, effect: jsonArbitrary }), { maxLength: 3 }),
      }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('touch' as const),
      name: nameArbitrary,
      key: keyArbitrary,
      dueAt: dueArbitrary,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('dropEffect' as const, 'remove' as const),
      name: nameArbitrary,
      key: keyArbitrary,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
);

interface ModelExecution {
  head: Head;
  readonly commits: Commit[];
  readonly timers: Map<string, number>;
  readonly outbox: Map<string, Json>;
}

/** The interface said again in the simplest possible way. */
class Model {
  readonly executions = new Map<string, ModelExecution>();

  headFor(step: CommitStep): Head {
    const head = this.executions.get(step.name)?.head ?? EMPTY_HEAD;
    if (step.aim === 'stale') return { ...head, after: Math.max(0, head.after - 1) as Seq };
    if (step.aim === 'early') return { ...head, after: (head.after + 1) as Seq };
    return step.aim === 'forked' ? { ...head, digest: 'e'.repeat(64) as Digest } : head;
  }

  apply(step: Step): unknown {
    if (step.do === 'reopen') return undefined;
    const execution = this.executions.get(step.name);
    if (step.do === 'touch') {
      if (execution?.timers.has(step.key)) execution.timers.set(step.key, step.dueAt);
    } else if (step.do === 'dropEffect') execution?.outbox.delete(step.key);
    else if (step.do === 'remove') this.executions.delete(step.name);
    else return this.commit(step);
    return undefined;
  }

  commit(step: CommitStep): 'committed' | 'conflict' {
    const real = this.executions.get(step.name)?.head ?? EMPTY_HEAD;
    const made = commitAfter(this.headFor(step), step.name, step.options);
    if (made.after !== real.after || made.previousDigest !== real.digest) return 'conflict';
    const execution: ModelExecution = this.executions.get(step.name) ?? {
      head: EMPTY_HEAD,
      commits: [],
      timers: new Map(),
      outbox: new Map(),
    };
    this.executions.set(step.name, execution);
    execution.commits.push(made);
    execution.head = headAfter(made);
    for (const { key, dueAt } of made.timers) {
      if (dueAt === null) execution.timers.delete(key);
      else execution.timers.set(key, dueAt);
    }
    for (const { key, effect } of made.outbox) {
      if (effect === null) execution.outbox.delete(key);
      else execution.outbox.set(key, effect);
    }
    return 'committed';
  }
}

async function perform(store: Store, model: Model, step: Step): Promise<unknown> {
  if (step.do === 'reopen') return undefined;
  const arn = executionArn(step.name);
  if (step.do === 'touch') return store.touchTimer(arn, step.key, at(step.dueAt));
  if (step.do === 'dropEffect') return store.dropEffect(arn, step.key);
  if (step.do === 'remove') return store.remove(arn);
  return store.commit(commitAfter(model.headFor(step), step.name, step.options));
}

async function expectEqual(store: Store, model: Model): Promise<void> {
  const rows: ExecutionRow[] = [];
  const timers: Json[] = [];
  const effects: Json[] = [];
  for (const [name, execution] of model.executions) {
    const arn = executionArn(name);
    const commits = execution.commits;
    expect(await store.load(arn)).toEqual(
      commits.map(({ after, facts, count, digest }) => ({ after, facts, count, digest })),
    );
    const row = commits.at(-1)?.row as ExecutionRow;
    expect(await store.row(arn)).toEqual(row);
    rows.push(row);
    for (const [key, dueAt] of execution.timers) timers.push({ arn, key, dueAt });
    for (const [key, effect] of execution.outbox) effects.push({ arn, key, effect });
  }
  const listed = await allPages((token) => store.list({}, 2, token));
  expect(bag(listed)).toEqual(bag(rows));
  expect(listed.map((row) => row.startedAt)).toEqual(
    rows.map((row) => row.startedAt).sort((a, b) => b - a),
  );
  const running = await allPages((token) => store.open(2, token));
  expect(bag(running)).toEqual(bag(rows.filter((row) => row.status === 'RUNNING')));
  const due = await store.dueTimers(at(1_000), 100);
  expect(bag(due)).toEqual(bag(timers));
  expect(due.map((timer) => timer.dueAt)).toEqual(due.map((t) => t.dueAt).sort((a, b) => a - b));
  expect((await store.nextTimer())?.dueAt).toBe(due[0]?.dueAt);
  expect(bag(await allPages((token) => store.pendingEffects(2, token)))).toEqual(bag(effects));
}

function bag(items: readonly unknown[]): string[] {
  return items.map((item) => JSON.stringify(item)).sort();
}
