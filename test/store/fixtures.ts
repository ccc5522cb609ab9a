/** Commits to feed a store with: a journal that knows its own head, so that tests say only what matters. */
import type { Digest, EpochMs, ExecutionArn, Seq } from '../../src/lib/brand.js';
import { chainDigest, EMPTY_DIGEST } from '../../src/lib/digest.js';
import type { JsonObject } from '../../src/lib/json.js';
import type {
  Commit,
  ExecutionRow,
  OutboxChange,
  Page,
  TimerChange,
} from '../../src/store/store.js';

export const MACHINE = 'arn:aws:states:us-east-1:123456789012:stateMachine:Demo';

export function executionArn(name: string): ExecutionArn {
  return `arn:aws:states:us-east-1:123456789012:execution:Demo:${name}` as ExecutionArn;
}

export function rowOf(name: string, changes: Partial<ExecutionRow> = {}): ExecutionRow {
  return {
    arn: executionArn(name),
    name,
    stateMachineArn: MACHINE,
    stateMachineVersionArn: null,
    stateMachineAliasArn: null,
    mapRunArn: null,
    status: 'RUNNING',
    startedAt: 1_700_000_000_000 as EpochMs,
    stoppedAt: null,
    redriveCount: 0,
    redrivenAt: null,
    details: {},
    ...changes,
  };
}

export interface Head {
  readonly after: Seq;
  readonly digest: Digest;
}

export const EMPTY_HEAD: Head = { after: 0 as Seq, digest: EMPTY_DIGEST };

export interface CommitOptions {
  readonly count?: number;
  readonly row?: Partial<ExecutionRow>;
  readonly timers?: readonly TimerChange[];
  readonly outbox?: readonly OutboxChange[];
  readonly note?: string;
  readonly padding?: number;
}

export function commitAfter(head: Head, name: string, options: CommitOptions = {}): Commit {
  const { count = 1, note = '', padding = 0 } = options;
  const facts = JSON.stringify(
    Array.from(
      { length: count },
      (_, index): JsonObject => ({
        seq: head.after + index + 1,
        at: 1_700_000_000_000,
        type: 'StateEntered',
        note,
        padding: 'x'.repeat(padding),
      }),
    ),
  );
  return {
    arn: executionArn(name),
    after: head.after,
    previousDigest: head.digest,
    facts,
    count,
    digest: chainDigest(head.digest, facts),
    row: rowOf(name, options.row),
    timers: options.timers ?? [],
    outbox: options.outbox ?? [],
  };
}

export function headAfter(commit: Commit): Head {
  return { after: (commit.after + commit.count) as Seq, digest: commit.digest };
}

/** Follows the page tokens to the end. */
export async function allPages<T>(read: (token: string | null) => Promise<Page<T>>): Promise<T[]> {
  const items: T[] = [];
  for (let token: string | null = null; ; ) {
    const page: Page<T> = await read(token);
    items.push(...page.items);
    if (page.next === null) return items;
    token = page.next;
  }
}
