/**
 * The part of a store that doctor, rebuild, backup, restore and retention use. Nothing here is on the
 * path of a running execution but `head`. Law (test/store/care-conformance.ts): whatever is derived
 * (row, timers, outbox, index entries) can be written anew from the journal, and nothing else can.
 */
import type { Digest, EpochMs, ExecutionArn, Seq } from '../lib/brand.js';
import type { Json } from '../lib/json.js';
import type { ExecutionRow, JournalCommit, Page, Store } from './store.js';

/** Where a journal ends, as kept beside it. */
export interface JournalHead {
  readonly seq: Seq;
  readonly digest: Digest;
}

export interface PendingTimer {
  readonly key: string;
  readonly dueAt: EpochMs;
}

export interface PendingEffect {
  readonly key: string;
  readonly effect: Json;
}

/** What would wake an execution. */
export interface Pending {
  readonly timers: readonly PendingTimer[];
  readonly outbox: readonly PendingEffect[];
}

/** Everything a store keeps of an execution that follows from its journal. */
export interface Derived extends Pending {
  readonly row: ExecutionRow;
}

/** Something in the store that belongs to no execution, or a journal that lost its row. */
export interface Stray {
  readonly kind: 'timer' | 'effect' | 'index-entry' | 'payload' | 'journal-without-row';
  readonly what: string;
}

export interface StoreSize {
  readonly running: number;
  readonly ended: number;
  /** Bytes in use; Redis: of the whole server. */
  readonly bytes: number;
}

export interface Finding {
  readonly level: 'ok' | 'warning' | 'error';
  /** One word for scripts, e.g. `integrity`. */
  readonly check: string;
  readonly message: string;
  /** What to do about it. */
  readonly mend: string | null;
}

export interface StoreCare {
  /** Null when the store keeps no head for this execution. */
  head(arn: ExecutionArn): Promise<JournalHead | null>;
  /** Timers by key and effects by key of one execution. */
  pending(arn: ExecutionArn): Promise<Pending>;
  /** Every execution that has a journal, without use of an index; one may be named twice. */
  journals(limit: number, token: string | null): Promise<Page<ExecutionArn>>;
  /** Executions that are over, the one started longest ago first. */
  ended(limit: number, token: string | null): Promise<Page<ExecutionRow>>;
  /**
   * Replaces what is derived, and sets the head to `head`, if the store's head is still `expected`;
   * the journal is left as it is.
   */
  rederive(
    arn: ExecutionArn,
    expected: JournalHead | null,
    head: JournalHead,
    derived: Derived,
  ): Promise<'done' | 'conflict'>;
  /** Puts back a whole execution; nothing is changed when it exists. */
  restore(journal: readonly JournalCommit[], derived: Derived): Promise<'restored' | 'exists'>;
  /** What belongs to nothing; with `mend` it is removed, and a journal without a row gets one. */
  strays(mend: boolean): Promise<readonly Stray[]>;
  /** Kinds of documents that are present. */
  documentKinds(): Promise<readonly string[]>;
  size(): Promise<StoreSize>;
  /**
   * Runs `work` over the store as it is at one instant where the store can (sqlite); elsewhere each
   * execution is read at one instant.
   */
  frozen<T>(work: (store: Store) => Promise<T>): Promise<T>;
  /** What the store finds out about itself; takes a while on a large one. */
  check(): Promise<readonly Finding[]>;
}
