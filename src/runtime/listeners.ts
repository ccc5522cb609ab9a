/** Who wants to see facts as they are committed: of one execution, or of all. */
import type { Fact } from '../core/fact.js';
import type { ExecutionState } from '../core/state.js';
import type { ExecutionArn } from '../lib/brand.js';
import type { Engine } from './face.js';
import type { Troubles } from './troubles.js';

export type FactsListener = (arn: ExecutionArn, facts: readonly Fact[]) => void;

export class Listeners {
  private readonly listeners = new Map<ExecutionArn | null, Set<FactsListener>>();

  constructor(private readonly troubles: Troubles) {}

  publish(arn: ExecutionArn, facts: readonly Fact[]): void {
    for (const key of [arn, null]) {
      for (const listener of this.listeners.get(key) ?? []) {
        try {
          listener(arn, facts);
        } catch (error) {
          this.troubles.report('A listener failed.', error);
        }
      }
    }
  }

  /** The store may have gone back: who waits for one execution looks again, told of no facts. */
  lookAgain(): void {
    for (const [arn, listeners] of [...this.listeners]) {
      if (arn !== null) for (const listener of listeners) listener(arn, []);
    }
  }

  /** `arn` null: every execution. Returns the unsubscribe function. */
  subscribe(arn: ExecutionArn | null, listener: FactsListener): () => void {
    const set = this.listeners.get(arn) ?? new Set();
    this.listeners.set(arn, set);
    set.add(listener);
    return () => {
      set.delete(listener);
      if (set.size === 0) this.listeners.delete(arn);
    };
  }

  has(arn: ExecutionArn): boolean {
    return this.listeners.has(arn);
  }
}

/** An execution that somebody waits for is gone with what a failover took along: it is asked for anew. */
class ExecutionGone extends Error {
  override readonly name = 'StoreUnavailable';
}

export interface Waited extends Pick<Engine, 'state' | 'subscribe'> {
  /** What memory holds, maybe behind what another process has committed; null: nothing. */
  inMemory(arn: ExecutionArn): ExecutionState | null;
}

/** Resolves with the state of an execution that is over; rejects on abort, and when it is gone. */
export function untilEnded(
  engine: Waited,
  arn: ExecutionArn,
  signal?: AbortSignal,
): Promise<ExecutionState> {
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void): void => {
      unsubscribe();
      signal?.removeEventListener('abort', onAbort);
      settle();
    };
    const ask = (): void => {
      engine.state(arn).then(
        (state) => {
          if (state === null) {
            finish(() => reject(new ExecutionGone(`The store has gone back and lost ${arn}.`)));
          }
          if (state !== null && state.status !== 'RUNNING') finish(() => resolve(state));
        },
        (error) => finish(() => reject(error)),
      );
    };
    /** Asks the store only where memory cannot tell: whoever ends it publishes that. */
    const look = (isEnded: boolean): void => {
      const known = engine.inMemory(arn);
      const isOver = known !== null && known.status !== 'RUNNING';
      if (known === null || isOver !== isEnded) ask();
      else if (isOver) finish(() => resolve(known));
    };
    const onAbort = (): void => finish(() => reject(signal?.reason));
    const unsubscribe = engine.subscribe(arn, (_arn, facts) => {
      if (facts.length === 0) ask();
      else if (facts.some((fact) => fact.type === 'ExecutionEnded')) look(true);
    });
    signal?.addEventListener('abort', onAbort);
    if (signal?.aborted) onAbort();
    else look(false);
  });
}
