/** What is known of an execution: its state, its facts, and the AWS events that they are shown as. */
import { fold } from '../core/evolve.js';
import type { Fact } from '../core/fact.js';
import type { ExecutionState } from '../core/state.js';
import type { ExecutionArn } from '../lib/brand.js';
import type { Store } from '../store/store.js';
import { type HistoryEvent, projectHistory } from '../wire/history.js';
import type { HistoryPage, HistoryPageRequest } from './face.js';
import { loadJournal } from './journal.js';
import type { Live, LiveExecutions } from './live.js';

export interface ReaderWorld {
  readonly store: Store;
  readonly live: LiveExecutions;
  /** No other process writes: what memory holds is the newest. */
  readonly alone: boolean;
  /** Under a debugger: its mailbox may wait for a person. */
  isStepped(arn: ExecutionArn): boolean;
  /** Whether another process has written after what memory holds. */
  isStale(live: Live): Promise<boolean>;
}

export class Reader {
  constructor(private readonly world: ReaderWorld) {}

  async state(arn: ExecutionArn): Promise<ExecutionState | null> {
    const { live, alone, isStale } = this.world;
    // What is durable can be told all the same.
    if (this.world.isStepped(arn)) {
      const facts = await this.facts(arn);
      return facts === null ? null : fold(facts);
    }
    const known = live.peek(arn);
    if (known !== null && alone) return known;
    return live.enqueue(arn, async (held) => {
      if (await isStale(held)) await live.load(held);
      return held.state;
    });
  }

  async facts(arn: ExecutionArn): Promise<readonly Fact[] | null> {
    return (await loadJournal(this.world.store, arn))?.facts ?? null;
  }

  async history(arn: ExecutionArn): Promise<readonly HistoryEvent[] | null> {
    const facts = await this.facts(arn);
    return facts === null ? null : projectHistory(facts);
  }

  async historyPage(arn: ExecutionArn, page: HistoryPageRequest): Promise<HistoryPage | null> {
    const facts = await this.facts(arn);
    if (facts === null) return null;
    const { limit, newestFirst } = page;
    const total = facts.findLast((fact) => fact.event !== null)?.event?.id ?? 0;
    const from = page.from ?? (newestFirst ? total : 1);
    const range = newestFirst
      ? { from: from - limit + 1, to: from }
      : { from, to: from + limit - 1 };
    const events = projectHistory(facts, range);
    return { events: newestFirst ? events.reverse() : events, total };
  }
}
