/**
 * A store whose journals may hold more than a store should carry: values above AWS's payload limit lie
 * in a payload place, the journal keeps their hash. Everything above it sees whole journals, everything
 * below it small ones; the digest chain covers the whole.
 */
import type { ExecutionArn } from '../lib/brand.js';
import type { StoreCare, Stray } from './care.js';
import { claimsOf, hasClaims, putBack, takeOut } from './claims.js';
import type { PayloadPlace } from './payloads.js';
import type { Commit, JournalCommit, SharedStore, Store } from './store.js';

/** The place is written down in the store, so that every command finds it. */
export const SETTINGS_KIND = 'settings';
export const PAYLOADS_ID = 'payloads';
/** A payload is written before the commit that refers to it. */
const UNDER_WAY_MS = 3_600_000;

export function withClaimCheck(
  inner: Store,
  place: PayloadPlace,
  /** Whether the place need not be written down. */
  known: { readonly noted: boolean },
): Store {
  let { noted } = known;
  const store = (text: string, arn: ExecutionArn): string | Promise<string> => {
    const { text: small, taken } = takeOut(text);
    if (taken.length === 0) return text;
    return (async () => {
      if (!noted) {
        await inner.documents.put(SETTINGS_KIND, PAYLOADS_ID, place.location, 'any');
        noted = true;
      }
      for (const payload of taken) await place.put(arn, payload);
      return small;
    })();
  };
  const whole = async (arn: ExecutionArn, commit: JournalCommit): Promise<JournalCommit> => {
    if (!hasClaims(commit.facts)) return commit;
    const values = new Map<string, string>();
    for (const { hash } of claimsOf(commit.facts)) {
      const value = await place.get(arn, hash);
      if (value !== null) values.set(hash, value);
    }
    return { ...commit, facts: putBack(commit.facts, values) };
  };
  const load = async (arn: ExecutionArn): Promise<readonly JournalCommit[]> => {
    const commits = await inner.load(arn);
    if (!commits.some(({ facts }) => hasClaims(facts))) return commits;
    const filled: JournalCommit[] = [];
    for (const commit of commits) filled.push(await whole(arn, commit));
    return filled;
  };
  return {
    get description() {
      return inner.description;
    },
    documents: inner.documents,
    care: careOf(inner, place, store),
    commit: (commit: Commit) => {
      const facts = store(commit.facts, commit.arn);
      if (typeof facts === 'string') return inner.commit(commit);
      return facts.then((small) => inner.commit({ ...commit, facts: small }));
    },
    load,
    row: (arn) => inner.row(arn),
    list: (filter, limit, token) => inner.list(filter, limit, token),
    dueTimers: (now, limit) => inner.dueTimers(now, limit),
    nextTimer: () => inner.nextTimer(),
    touchTimer: (arn, key, dueAt, holder) => inner.touchTimer(arn, key, dueAt, holder),
    ...sharedPart(inner),
    pendingEffects: (limit, token) => inner.pendingEffects(limit, token),
    dropEffect: (arn, key) => inner.dropEffect(arn, key),
    open: (limit, token) => inner.open(limit, token),
    remove: async (arn) => {
      await inner.remove(arn);
      await place.remove(arn);
    },
    close: () => inner.close(),
  };
}

/** What a store that several processes drive can do besides. */
function sharedPart(inner: Store): Partial<SharedStore> {
  if (!isShared(inner)) return {};
  return {
    head: (arn) => inner.head(arn),
    effect: (arn, key) => inner.effect(arn, key),
    timer: (arn, key) => inner.timer(arn, key),
    replaceEffect: (arn, key, before, after) => inner.replaceEffect(arn, key, before, after),
  };
}

function isShared(store: Store): store is SharedStore {
  return 'replaceEffect' in store;
}

function careOf(
  inner: Store,
  place: PayloadPlace,
  store: (text: string, arn: ExecutionArn) => string | Promise<string>,
): StoreCare {
  const { care } = inner;
  return {
    head: (arn) => care.head(arn),
    pending: (arn) => care.pending(arn),
    journals: (limit, token) => care.journals(limit, token),
    ended: (limit, token) => care.ended(limit, token),
    rederive: (arn, expected, head, derived) => care.rederive(arn, expected, head, derived),
    restore: async (journal, derived) => {
      if ((await care.head(derived.row.arn)) !== null) return 'exists';
      const small: JournalCommit[] = [];
      for (const commit of journal) {
        small.push({ ...commit, facts: await store(commit.facts, derived.row.arn) });
      }
      return care.restore(small, derived);
    },
    strays: async (mend) => [
      ...(await care.strays(mend)),
      ...(await strayPayloads(inner, place, mend)),
    ],
    documentKinds: () => care.documentKinds(),
    size: () => care.size(),
    frozen: (work) => care.frozen((still) => work(withClaimCheck(still, place, { noted: true }))),
    check: () => care.check(),
  };
}

/** Payloads of executions that are gone, or that a start which never committed has left. */
async function strayPayloads(inner: Store, place: PayloadPlace, mend: boolean): Promise<Stray[]> {
  const found: Stray[] = [];
  for await (const arn of place.owners(Date.now() - UNDER_WAY_MS)) {
    if ((await inner.care.head(arn)) !== null) continue;
    if (mend) await place.remove(arn);
    found.push({ kind: 'payload', what: arn });
  }
  return found;
}
