/**
 * After a restart: the children that were started before it, and how far they are. Children are named
 * by index, so they are looked for one after the other, from the first one that is not counted as ended.
 */
import { copyOf } from '../../core/map-run.js';
import type { ExecutionState } from '../../core/state.js';
import { itemsOfInput } from './children.js';
import { START_WINDOW } from './launcher.js';
import { childArnOf } from './order.js';
import type { Parts } from './parts.js';

/** Our reason: this many absent children in a row mean that no more were started. */
const ABSENT_IN_A_ROW = 2 * START_WINDOW;

export class Reconciliation {
  /** Children of before the restart, by index, with their items. */
  readonly found = new Map<number, number>();
  /** The child being looked for. */
  private lookedAt: { readonly arn: string; ended: ExecutionState | null } | null = null;

  constructor(
    private readonly parts: Parts,
    private readonly childEnded: (state: ExecutionState) => void,
  ) {}

  async run(): Promise<void> {
    const { patience, roster } = this.parts;
    const from = copyOf(roster.progress.cursor);
    roster.nextIndex = from.children;
    roster.itemsTaken = from.items;
    let absent = 0;
    for (let index = from.children; absent < ABSENT_IN_A_ROW && !patience.isOver; index++) {
      const isThere = await this.find(index);
      absent = isThere ? 0 : absent + 1;
      if (isThere) roster.nextIndex = index + 1;
    }
  }

  /** Takes child `index` up again, whatever has become of it. */
  private async find(index: number): Promise<boolean> {
    const { order, patience, roster, world } = this.parts;
    const arn = childArnOf(order, index);
    this.lookedAt = { arn, ended: null };
    const found = await patience.insist(() => world.state(arn));
    // It may have ended while it was looked at.
    const state = this.lookedAt.ended ?? found;
    this.lookedAt = null;
    if (state === null || state === undefined) return false;
    const items = itemsOfInput(order.request, state.input);
    this.found.set(index, items);
    roster.itemsTaken += items;
    if (this.awaitsRedrive(state)) roster.awaitsRedrive({ index, items });
    else {
      roster.runs(arn, { index, items });
      if (state.status === 'RUNNING') await patience.insist(() => world.adopt(arn));
      this.childEnded(state);
    }
    return true;
  }

  /** It failed before the Map Run was redriven, and has not been run again since. */
  private awaitsRedrive(state: ExecutionState): boolean {
    const { redrivenAt } = this.parts.ledger.body;
    if (redrivenAt === null || state.status === 'RUNNING') return false;
    return state.status !== 'SUCCEEDED' && (state.stoppedAt ?? 0) <= redrivenAt;
  }

  /** A child ended: perhaps the one that is just looked at. */
  heard(state: ExecutionState): void {
    if (this.lookedAt?.arn === state.identity.arn) this.lookedAt.ended = state;
  }
}
