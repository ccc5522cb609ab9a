/**
 * The store that forgets: for the simulator, for tests and for Express executions. It upholds the
 * same laws as the durable stores (test/store/conformance.ts) and does every operation in one step,
 * so nothing can interleave inside a commit.
 */
import { assert } from '../lib/assert.js';
import type { Digest, EpochMs, ExecutionArn, Seq } from '../lib/brand.js';
import { EMPTY_DIGEST } from '../lib/digest.js';
import type { Json } from '../lib/json.js';
import type { Derived, Pending, StoreCare } from './care.js';
import { memoryCare } from './memory-care.js';
import { TimerHeap } from './memory-timers.js';
import type {
  Commit,
  Document,
  DocumentStore,
  DueTimer,
  ExecutionFilter,
  ExecutionRow,
  JournalCommit,
  OutboxEntry,
  Page,
  SharedStore,
} from './store.js';
import { StoreUnavailable } from './unavailable.js';

interface Execution {
  /** Order of creation; breaks ties between equal start times and never comes back. */
  readonly number: number;
  readonly journal: JournalCommit[];
  seq: Seq;
  digest: Digest;
  row: ExecutionRow;
}

interface PendingEntry extends OutboxEntry {
  readonly number: number;
}

export class MemoryStore implements SharedStore {
  readonly description = 'memory (everything is lost when the process ends)';
  readonly #documents = new MemoryDocuments();
  readonly documents: DocumentStore = this.#documents;
  readonly care: StoreCare = memoryCare({
    store: this,
    execution: (arn) => this.#executions.get(arn) ?? null,
    executions: () => this.#executions.values(),
    pending: (arn) => this.#pending(arn),
    derive: (journal, derived) => this.#derive(journal, derived),
    kinds: () => this.#documents.kinds(),
  });
  readonly #executions = new Map<ExecutionArn, Execution>();
  /** Executions newest first; null when one was added or removed since it was sorted. */
  #sorted: Execution[] | null = [];
  readonly #running = new Map<ExecutionArn, Execution>();
  readonly #timers = new TimerHeap();
  readonly #outbox = new Map<string, PendingEntry>();
  readonly #outboxKeys = new Map<ExecutionArn, Set<string>>();
  #number = 0;
  #closed = false;

  async commit(commit: Commit): Promise<'committed' | 'conflict'> {
    this.#assertOpen();
    assert(commit.row.arn === commit.arn, 'A commit carries the row of its own execution.');
    const known = this.#executions.get(commit.arn);
    if ((known?.seq ?? 0) !== commit.after) return 'conflict';
    if ((known?.digest ?? EMPTY_DIGEST) !== commit.previousDigest) return 'conflict';
    const execution = known ?? this.#create(commit.row);
    const { after, facts, count, digest } = commit;
    execution.journal.push({ after, facts, count, digest });
    execution.seq = (after + count) as Seq;
    execution.digest = digest;
    this.#file(execution, commit.row);
    for (const { key, dueAt, holder } of commit.timers) {
      if (dueAt === null) this.#timers.drop(commit.arn, key);
      else this.#timers.set(commit.arn, key, dueAt, holder);
    }
    for (const { key, effect } of commit.outbox) this.#setEffect(commit.arn, key, effect);
    return 'committed';
  }

  async load(arn: ExecutionArn): Promise<readonly JournalCommit[]> {
    this.#assertOpen();
    return this.#executions.get(arn)?.journal.slice() ?? [];
  }

  async row(arn: ExecutionArn): Promise<ExecutionRow | null> {
    this.#assertOpen();
    return this.#executions.get(arn)?.row ?? null;
  }

  async list(
    filter: ExecutionFilter,
    limit: number,
    token: string | null,
  ): Promise<Page<ExecutionRow>> {
    this.#assertOpen();
    this.#sorted ??= [...this.#executions.values()].sort(newestFirst);
    const last = token === null ? null : parsePosition(token);
    const wanted = this.#sorted.filter(
      (execution) => (last === null || isAfter(execution, last)) && matches(execution.row, filter),
    );
    return page(wanted, limit, (e) => e.row, positionOf);
  }

  async dueTimers(now: EpochMs, limit: number): Promise<readonly DueTimer[]> {
    this.#assertOpen();
    return this.#timers.due(now, limit);
  }

  async nextTimer(): Promise<DueTimer | null> {
    this.#assertOpen();
    return this.#timers.next();
  }

  async touchTimer(arn: ExecutionArn, key: string, dueAt: EpochMs, holder?: string): Promise<void> {
    this.#assertOpen();
    if (this.#timers.has(arn, key)) this.#timers.set(arn, key, dueAt, holder);
  }

  async head(arn: ExecutionArn): Promise<{ readonly seq: Seq; readonly digest: Digest } | null> {
    this.#assertOpen();
    const execution = this.#executions.get(arn);
    return execution === undefined ? null : { seq: execution.seq, digest: execution.digest };
  }

  async effect(arn: ExecutionArn, key: string): Promise<Json> {
    this.#assertOpen();
    return this.#outbox.get(outboxId(arn, key))?.effect ?? null;
  }

  async timer(arn: ExecutionArn, key: string): Promise<EpochMs | null> {
    this.#assertOpen();
    return this.#timers.dueAt(arn, key);
  }

  async replaceEffect(arn: ExecutionArn, key: string, before: Json, after: Json): Promise<boolean> {
    this.#assertOpen();
    const present = this.#outbox.get(outboxId(arn, key));
    if (present === undefined) return false;
    if (JSON.stringify(present.effect) !== JSON.stringify(before)) return false;
    this.#setEffect(arn, key, after);
    return true;
  }

  async pendingEffects(limit: number, token: string | null): Promise<Page<OutboxEntry>> {
    this.#assertOpen();
    const last = token === null ? 0 : Number(token);
    const wanted = [...this.#outbox.values()]
      .filter((entry) => entry.number > last)
      .sort((a, b) => a.number - b.number);
    return page(wanted, limit, outboxEntry, (entry) => String(entry.number));
  }

  async dropEffect(arn: ExecutionArn, key: string): Promise<void> {
    this.#assertOpen();
    this.#setEffect(arn, key, null);
  }

  async open(limit: number, token: string | null): Promise<Page<ExecutionRow>> {
    this.#assertOpen();
    const last = token === null ? 0 : Number(token);
    const wanted = [...this.#running.values()]
      .filter((execution) => execution.number > last)
      .sort((a, b) => a.number - b.number);
    return page(
      wanted,
      limit,
      (e) => e.row,
      (e) => String(e.number),
    );
  }

  async remove(arn: ExecutionArn): Promise<void> {
    this.#assertOpen();
    if (!this.#executions.delete(arn)) return;
    this.#running.delete(arn);
    this.#sorted = null;
    this.#timers.dropAll(arn);
    for (const key of this.#outboxKeys.get(arn) ?? []) this.#outbox.delete(outboxId(arn, key));
    this.#outboxKeys.delete(arn);
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #create(row: ExecutionRow): Execution {
    const execution: Execution = {
      number: ++this.#number,
      journal: [],
      seq: 0 as Seq,
      digest: EMPTY_DIGEST,
      row,
    };
    this.#executions.set(row.arn, execution);
    this.#sorted = null;
    return execution;
  }

  #file(execution: Execution, row: ExecutionRow): void {
    if (execution.row.startedAt !== row.startedAt) this.#sorted = null;
    execution.row = row;
    if (row.status === 'RUNNING') this.#running.set(row.arn, execution);
    else this.#running.delete(row.arn);
  }

  #pending(arn: ExecutionArn): Pending {
    const keys = [...(this.#outboxKeys.get(arn) ?? [])].sort(compareBytes);
    return {
      timers: this.#timers.of(arn),
      outbox: keys.map((key) => {
        const { effect = null } = this.#outbox.get(outboxId(arn, key)) ?? {};
        return { key, effect };
      }),
    };
  }

  #derive(journal: readonly JournalCommit[], derived: Derived): void {
    const { row, timers, outbox } = derived;
    const { arn } = row;
    const execution = this.#executions.get(arn) ?? this.#create(row);
    const last = journal.at(-1);
    assert(last !== undefined, 'A journal has a commit.');
    if (execution.journal.length === 0) execution.journal.push(...journal);
    execution.seq = (last.after + last.count) as Seq;
    execution.digest = last.digest;
    this.#file(execution, row);
    this.#timers.dropAll(arn);
    for (const { key } of this.#pending(arn).outbox) this.#setEffect(arn, key, null);
    for (const { key, dueAt } of timers) this.#timers.set(arn, key, dueAt);
    for (const { key, effect } of outbox) this.#setEffect(arn, key, effect);
  }

  #setEffect(arn: ExecutionArn, key: string, effect: Json | null): void {
    const id = outboxId(arn, key);
    let keys = this.#outboxKeys.get(arn);
    if (effect === null) {
      this.#outbox.delete(id);
      keys?.delete(key);
      if (keys?.size === 0) this.#outboxKeys.delete(arn);
      return;
    }
    if (keys === undefined) this.#outboxKeys.set(arn, (keys = new Set()));
    keys.add(key);
    const number = this.#outbox.get(id)?.number ?? ++this.#number;
    this.#outbox.set(id, { arn, key, effect, number });
  }

  #assertOpen(): void {
    if (this.#closed) throw new StoreUnavailable('The memory store is closed.');
  }
}

class MemoryDocuments implements DocumentStore {
  readonly #kinds = new Map<string, Map<string, Document>>();

  kinds(): readonly string[] {
    const filled = [...this.#kinds].filter(([, documents]) => documents.size > 0);
    return filled.map(([kind]) => kind).sort(compareBytes);
  }

  async get(kind: string, id: string): Promise<Document | null> {
    return this.#kinds.get(kind)?.get(id) ?? null;
  }

  async put(
    kind: string,
    id: string,
    body: Json,
    expected: number | null | 'any',
  ): Promise<number | 'conflict'> {
    let documents = this.#kinds.get(kind);
    const current = documents?.get(id)?.revision ?? null;
    if (expected !== 'any' && expected !== current) return 'conflict';
    if (documents === undefined) this.#kinds.set(kind, (documents = new Map()));
    const revision = (current ?? 0) + 1;
    documents.set(id, { id, revision, body });
    return revision;
  }

  async remove(kind: string, id: string): Promise<boolean> {
    return this.#kinds.get(kind)?.delete(id) ?? false;
  }

  async list(
    kind: string,
    options: { readonly prefix?: string; readonly limit: number; readonly token: string | null },
  ): Promise<Page<Document>> {
    const { prefix = '', limit, token } = options;
    const wanted = [...(this.#kinds.get(kind)?.values() ?? [])]
      .filter(({ id }) => id.startsWith(prefix) && (token === null || compareBytes(id, token) > 0))
      .sort((a, b) => compareBytes(a.id, b.id));
    return page(
      wanted,
      limit,
      (document) => document,
      (document) => document.id,
    );
  }
}

/** One page of `wanted`, which starts where the last page ended. */
function page<T, R>(
  wanted: readonly T[],
  limit: number,
  show: (item: T) => R,
  tokenOf: (item: T) => string,
): Page<R> {
  const items = wanted.slice(0, limit);
  const last = items.at(-1);
  const more = wanted.length > items.length && last !== undefined;
  return { items: items.map(show), next: more ? tokenOf(last) : null };
}

function matches(row: ExecutionRow, filter: ExecutionFilter): boolean {
  return (
    (filter.stateMachineArn === undefined || row.stateMachineArn === filter.stateMachineArn) &&
    (filter.stateMachineVersionArn === undefined ||
      row.stateMachineVersionArn === filter.stateMachineVersionArn) &&
    (filter.stateMachineAliasArn === undefined ||
      row.stateMachineAliasArn === filter.stateMachineAliasArn) &&
    (filter.mapRunArn === undefined || row.mapRunArn === filter.mapRunArn) &&
    (filter.status === undefined || row.status === filter.status) &&
    (filter.redriven === undefined || row.redriveCount > 0 === filter.redriven)
  );
}

interface Position {
  readonly startedAt: number;
  readonly number: number;
}

function positionOf(execution: Execution): string {
  return `${execution.row.startedAt}.${execution.number}`;
}

function parsePosition(token: string): Position {
  const [startedAt, number] = token.split('.').map(Number);
  return { startedAt: startedAt ?? 0, number: number ?? 0 };
}

function isAfter(execution: Execution, last: Position): boolean {
  const { startedAt } = execution.row;
  return startedAt === last.startedAt ? execution.number < last.number : startedAt < last.startedAt;
}

function newestFirst(a: Execution, b: Execution): number {
  return b.row.startedAt - a.row.startedAt || b.number - a.number;
}

function outboxEntry({ arn, key, effect }: PendingEntry): OutboxEntry {
  return { arn, key, effect };
}

function outboxId(arn: ExecutionArn, key: string): string {
  return `${arn}\n${key}`;
}

/** UTF-8 byte order, which SQLite and Redis use too. */
function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
