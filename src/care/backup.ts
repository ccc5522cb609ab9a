/**
 * Backup and restore of a whole store, while a server runs: journals, documents, the key of task tokens.
 * Rows, timers, outbox and indexes are not in the file; restore derives them from the journals.
 */
import type { EpochMs, ExecutionArn } from '../lib/brand.js';
import type { Json, JsonObject } from '../lib/json.js';
import { JournalCorrupt, verifyJournal } from '../runtime/journal.js';
import { MAP_RUN_KIND, OPEN_KIND } from '../runtime/map-runs/document.js';
import type { JournalCommit, Store } from '../store/store.js';
import type { ArchivedDocument, ArchivedExecution, ArchiveLine } from './archive.js';
import { ArchiveDamaged } from './archive.js';
import { derive } from './derive.js';
import { everyItem } from '../lib/pages.js';

export interface Counts {
  executions: number;
  documents: number;
  /** Executions whose journal is damaged: in the file as they are, and not restored. */
  damaged: { arn: string; reason: string }[];
}

/** Says that a restore has begun and not ended: such a store is not driven. */
export const RESTORE_KIND = 'restore';
const RESTORE_ID = 'in-progress';

/**
 * Lines of a backup. Where the store cannot stand still, the order makes it sound: a Map Run's document
 * may be older than its children (it looks for them again), never newer; a definition is always there
 * before the executions that need it.
 */
export async function* backupLines(store: Store, counts: Counts): AsyncGenerator<ArchiveLine> {
  for (const kind of MAP_RUN_KINDS) yield* documentLines(store, kind, counts);
  const seen = new Set<ExecutionArn>();
  for await (const arn of everyItem((limit, token) => store.care.journals(limit, token))) {
    if (seen.has(arn)) continue;
    seen.add(arn);
    yield* executionLines(store, arn, counts);
  }
  const kinds = await store.care.documentKinds();
  const others = kinds.filter((kind) => !MAP_RUN_KINDS.includes(kind) && kind !== RESTORE_KIND);
  for (const kind of others) yield* documentLines(store, kind, counts);
}

const MAP_RUN_KINDS: readonly string[] = [MAP_RUN_KIND, OPEN_KIND];

export async function* executionLines(
  store: Store,
  arn: ExecutionArn,
  counts: Counts,
): AsyncGenerator<ArchiveLine> {
  const head = await store.care.head(arn);
  const loaded = await store.load(arn);
  // A commit that came after the head was read is left for the next backup.
  const commits = head === null ? loaded : loaded.filter(({ after }) => after < head.seq);
  if (commits.length === 0) return;
  const damage = damageOf(arn, commits);
  if (damage !== null) counts.damaged.push({ arn, reason: damage });
  counts.executions += 1;
  yield { execution: arn, head, commits: commits.length };
  for (const { after, count, digest, facts } of commits) yield { after, count, digest, facts };
}

async function* documentLines(
  store: Store,
  kind: string,
  counts: Counts,
): AsyncGenerator<ArchiveLine> {
  const documents = everyItem((limit, token) => store.documents.list(kind, { limit, token }));
  for await (const { id, body } of documents) {
    counts.documents += 1;
    yield { kind, id, body };
  }
}

function damageOf(arn: ExecutionArn, commits: readonly JournalCommit[]): string | null {
  try {
    verifyJournal(arn, commits);
    return null;
  } catch (error) {
    if (error instanceof JournalCorrupt) return error.reason;
    throw error;
  }
}

export async function isEmpty(store: Store): Promise<boolean> {
  const { running, ended } = await store.care.size();
  return running + ended === 0 && (await store.care.documentKinds()).length === 0;
}

/** Removes every execution and document. */
export async function empty(store: Store): Promise<void> {
  for (;;) {
    const { items } = await store.care.journals(500, null);
    const more = await store.list({}, 500, null);
    if (items.length === 0 && more.items.length === 0) break;
    for (const arn of [...items, ...more.items.map((row) => row.arn)]) await store.remove(arn);
  }
  for (const kind of await store.care.documentKinds()) {
    for (;;) {
      const { items } = await store.documents.list(kind, { limit: 500, token: null });
      if (items.length === 0) break;
      for (const { id } of items) await store.documents.remove(kind, id);
    }
  }
}

/** Puts verified lines into an empty store; `lines` come from a file whose checksum was right. */
export async function restoreLines(
  store: Store,
  lines: AsyncIterable<JsonObject>,
  now: EpochMs,
): Promise<Counts> {
  const counts: Counts = { executions: 0, documents: 0, damaged: [] };
  await store.documents.put(RESTORE_KIND, RESTORE_ID, new Date(now).toISOString(), 'any');
  for await (const item of archiveItems(lines)) {
    if ('kind' in item) {
      await store.documents.put(item.kind, item.id, item.body, 'any');
      counts.documents += 1;
    } else {
      await restoreExecution(store, item.head, item.journal, now, counts);
    }
  }
  await store.documents.remove(RESTORE_KIND, RESTORE_ID);
  return counts;
}

export interface JournalItem {
  readonly head: ArchivedExecution;
  readonly journal: readonly JournalCommit[];
}

/** Documents as they are, executions with their commits gathered. The header is skipped. */
export async function* archiveItems(
  lines: AsyncIterable<JsonObject>,
): AsyncGenerator<ArchivedDocument | JournalItem> {
  let open: { head: ArchivedExecution; journal: JournalCommit[] } | null = null;
  for await (const line of lines) {
    if ('stepwell' in line) continue;
    if (open === null && typeof line.kind === 'string' && typeof line.id === 'string') {
      yield { kind: line.kind, id: line.id, body: line.body as Json };
      continue;
    }
    if (open === null && typeof line.execution === 'string' && typeof line.commits === 'number') {
      open = { head: line as unknown as ArchivedExecution, journal: [] };
      continue;
    }
    if (open === null || typeof line.facts !== 'string') {
      throw new ArchiveDamaged('a line is neither a document nor a part of an execution');
    }
    open.journal.push(line as unknown as JournalCommit);
    if (open.journal.length < open.head.commits) continue;
    yield open;
    open = null;
  }
  if (open !== null) throw new ArchiveDamaged('an execution is not complete');
}

async function restoreExecution(
  store: Store,
  head: ArchivedExecution,
  journal: readonly JournalCommit[],
  now: EpochMs,
  counts: Counts,
): Promise<void> {
  const arn = head.execution;
  try {
    const loaded = verifyJournal(arn, journal);
    if (loaded === null) return;
    if (head.head !== null && head.head.digest !== loaded.digest) {
      throw new JournalCorrupt(arn, 'it does not end at its head');
    }
    await store.care.restore(journal, derive(loaded.facts, now));
    counts.executions += 1;
  } catch (error) {
    if (!(error instanceof JournalCorrupt)) throw error;
    counts.damaged.push({ arn, reason: error.reason });
  }
}

/** True when a restore into this store was cut short. */
export async function isHalfRestored(store: Store): Promise<boolean> {
  return (await store.documents.get(RESTORE_KIND, RESTORE_ID)) !== null;
}
