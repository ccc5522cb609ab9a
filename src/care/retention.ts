/**
 * Retention: executions that are over are removed by age, count and bytes, oldest first, a bounded piece
 * of work at a time. Never touched: what runs, a parent with an open Map Run, and a Map Run's child while
 * its parent is there (a redrive needs it); a parent's children go just before their parent.
 */
import type { EpochMs, ExecutionArn } from '../lib/brand.js';
import type { Clock } from '../runtime/clock.js';
import { MAP_RUN_KIND, OPEN_KIND, type OpenNote } from '../runtime/map-runs/document.js';
import { mapRunPrefix } from '../runtime/map-runs/stored.js';
import type { ExecutionRow, Store } from '../store/store.js';
import { everyItem } from '../lib/pages.js';

const DAY_MS = 24 * 3600 * 1000;
const EVERY_MS = 60_000;
/** More is waiting: soon again, and not at once. */
const SOON_MS = 1_000;
const MAX_REMOVED = 500;
const MAX_LOOKED_AT = 5_000;

/** Null members: no such bound. */
export interface RetentionRule {
  readonly days: number | null;
  /** At most this many executions that are over. */
  readonly count: number | null;
  /** At most this many bytes in the store (Redis: in the server). */
  readonly bytes: number | null;
}

export interface Sweep {
  readonly removed: number;
  /** The sweep ended at its bound, not at the end of the list. */
  readonly more: boolean;
}

export class Retention {
  /** Where the next sweep goes on in the list of what is over. */
  private cursor: string | null = null;
  private cancel: (() => void) | null = null;
  private running: Promise<void> = Promise.resolve();
  private closed = false;

  constructor(
    private readonly store: Store,
    private readonly rule: RetentionRule,
    private readonly clock: Clock,
    private readonly report: (error: unknown) => void,
  ) {}

  start(): void {
    const { days, count, bytes } = this.rule;
    if (days !== null || count !== null || bytes !== null) this.again(EVERY_MS);
  }

  private again(afterMs: number): void {
    if (this.closed) return;
    this.cancel = this.clock.at((this.clock.now() + afterMs) as EpochMs, () => {
      this.running = this.sweep().then(
        ({ more }) => this.again(more ? SOON_MS : EVERY_MS),
        (error) => {
          this.report(error);
          this.again(EVERY_MS);
        },
      );
    });
  }

  /** Removes what the rule no longer keeps; at most a few hundred executions. */
  async sweep(): Promise<Sweep> {
    const surplus = await this.surplus();
    const open = await openMapRuns(this.store);
    let removed = 0;
    let looked = 0;
    while (looked < MAX_LOOKED_AT && removed < MAX_REMOVED && !this.closed) {
      const page = await this.store.care.ended(100, this.cursor);
      for (const row of page.items) {
        looked += 1;
        if (removed >= surplus && this.isYoung(row)) {
          // The list is in order of starting, and nothing ends before it starts.
          this.cursor = null;
          return { removed, more: false };
        }
        if (!this.isOver(row, removed < surplus)) continue;
        removed += await this.remove(row, open, MAX_REMOVED - removed);
        if (removed >= MAX_REMOVED) return { removed, more: true };
      }
      this.cursor = page.next;
      if (page.next === null)
        return { removed, more: removed > 0 && this.rule.bytes !== null && surplus > 0 };
    }
    return { removed, more: removed > 0 };
  }

  /** Started within the days that are kept, so that it cannot have ended before them. */
  private isYoung(row: ExecutionRow): boolean {
    const { days } = this.rule;
    return days === null || row.startedAt + days * DAY_MS > this.clock.now();
  }

  /** How many have to go for the sake of count or bytes, taking all as equally large. */
  private async surplus(): Promise<number> {
    const { count, bytes } = this.rule;
    if (count === null && bytes === null) return 0;
    const size = await this.store.care.size();
    const tooMany = count === null ? 0 : size.ended - count;
    const each = size.bytes / Math.max(1, size.ended + size.running);
    const tooBig = bytes === null ? 0 : Math.ceil((size.bytes - bytes) / Math.max(1, each));
    return Math.max(0, tooMany, tooBig);
  }

  private isOver(row: ExecutionRow, surplus: boolean): boolean {
    const { days } = this.rule;
    if (row.status === 'RUNNING' || row.stoppedAt === null) return false;
    return surplus || (days !== null && row.stoppedAt + days * DAY_MS <= this.clock.now());
  }

  /** Number of executions removed; 0 for one that has to stay. */
  private async remove(row: ExecutionRow, open: OpenMapRuns, budget: number): Promise<number> {
    if (open.parents.has(row.arn)) return 0;
    if (row.mapRunArn !== null && (await this.isNeeded(row.mapRunArn, open))) return 0;
    let removed = 0;
    for (const mapRunArn of await mapRunsOf(this.store, row.arn)) {
      for (;;) {
        const { items } = await this.store.list({ mapRunArn }, 100, null);
        if (items.length === 0) break;
        if (items.some((child) => child.status === 'RUNNING')) return removed;
        for (const child of items) await this.store.remove(child.arn);
        removed += items.length;
        if (removed >= budget) return removed;
      }
      await this.store.documents.remove(MAP_RUN_KIND, mapRunArn);
    }
    await this.store.documents.remove('redrive-tokens', row.arn);
    await this.store.remove(row.arn);
    return removed + 1;
  }

  private async isNeeded(mapRunArn: string, open: OpenMapRuns): Promise<boolean> {
    if (open.runs.has(mapRunArn)) return true;
    const document = await this.store.documents.get(MAP_RUN_KIND, mapRunArn);
    if (document === null) return false;
    const { executionArn } = document.body as { executionArn: string };
    return (await this.store.row(executionArn as ExecutionArn)) !== null;
  }

  async close(): Promise<void> {
    this.closed = true;
    this.cancel?.();
    await this.running;
  }
}

interface OpenMapRuns {
  readonly runs: ReadonlySet<string>;
  readonly parents: ReadonlySet<string>;
}

async function openMapRuns({ documents }: Store): Promise<OpenMapRuns> {
  const runs = new Set<string>();
  const parents = new Set<string>();
  const notes = everyItem((limit, token) => documents.list(OPEN_KIND, { limit, token }));
  for await (const { id, body } of notes) {
    runs.add(id);
    parents.add((body as unknown as OpenNote).executionArn);
  }
  return { runs, parents };
}

async function mapRunsOf({ documents }: Store, arn: ExecutionArn): Promise<readonly string[]> {
  const prefix = mapRunPrefix(arn);
  const found: string[] = [];
  const all = everyItem((limit, token) => documents.list(MAP_RUN_KIND, { prefix, limit, token }));
  for await (const { id, body } of all) {
    if ((body as { executionArn: string }).executionArn === arn) found.push(id);
  }
  return found;
}
