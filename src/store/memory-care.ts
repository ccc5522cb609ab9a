/** Care of the store that forgets: the same answers as the durable stores give, so that tools and tests run on it. */
import type { ExecutionArn } from '../lib/brand.js';
import type { Derived, Finding, Pending, StoreCare } from './care.js';
import type { ExecutionRow, JournalCommit, Page, Store } from './store.js';

export interface MemoryAccess {
  readonly store: Store;
  execution(arn: ExecutionArn): MemoryExecution | null;
  executions(): Iterable<MemoryExecution>;
  pending(arn: ExecutionArn): Pending;
  /** Sets row, timers and outbox; makes the execution when it is not there. */
  derive(journal: readonly JournalCommit[], derived: Derived): void;
  kinds(): readonly string[];
}

export interface MemoryExecution {
  readonly number: number;
  readonly journal: readonly JournalCommit[];
  readonly seq: JournalCommit['after'];
  readonly digest: JournalCommit['digest'];
  readonly row: ExecutionRow;
}

export function memoryCare(access: MemoryAccess): StoreCare {
  return {
    head: async (arn) => {
      const found = access.execution(arn);
      return found === null ? null : { seq: found.seq, digest: found.digest };
    },
    pending: async (arn) => access.pending(arn),
    journals: async (limit, token) => {
      const { items, next } = after(access, token, limit, () => true);
      return { items: items.map((row) => row.arn), next };
    },
    ended: async (limit, token) => after(access, token, limit, (row) => row.status !== 'RUNNING'),
    rederive: async (arn, expected, head, derived) => {
      const found = access.execution(arn);
      if (found?.seq !== expected?.seq || found?.digest !== expected?.digest) return 'conflict';
      if (found === null || found.seq !== head.seq) return 'conflict';
      access.derive(found.journal, derived);
      return 'done';
    },
    restore: async (journal, derived) => {
      if (access.execution(derived.row.arn) !== null) return 'exists';
      access.derive(journal, derived);
      return 'restored';
    },
    strays: async () => [],
    documentKinds: async () => access.kinds(),
    size: async () => {
      const size = { running: 0, ended: 0, bytes: 0 };
      for (const { row, journal } of access.executions()) {
        if (row.status === 'RUNNING') size.running += 1;
        else size.ended += 1;
        for (const { facts } of journal) size.bytes += facts.length;
      }
      return size;
    },
    frozen: (work) => work(access.store),
    check: async () => [FORGETS],
  };
}

const FORGETS: Finding = {
  level: 'warning',
  check: 'durability',
  message: 'A memory store loses everything when the process ends.',
  mend: 'Keep executions in sqlite:PATH or redis://HOST:PORT.',
};

/** In order of creation, which is the order of starting but for redriven executions. */
function after(
  access: MemoryAccess,
  token: string | null,
  limit: number,
  wanted: (row: ExecutionRow) => boolean,
): Page<ExecutionRow> {
  const last = token === null ? 0 : Number(token);
  const found = [...access.executions()]
    .filter(({ number, row }) => number > last && wanted(row))
    .sort((a, b) => a.number - b.number);
  const shown = found.slice(0, limit);
  const next = found.length > shown.length ? (shown.at(-1) ?? null) : null;
  return { items: shown.map(({ row }) => row), next: next === null ? null : String(next.number) };
}
