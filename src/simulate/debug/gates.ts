/**
 * The hold between turns: a store whose commits wait, for the executions under a debugger, until they
 * are let through. What was decided but not written is nothing yet, so a person may change the execution
 * meanwhile: the held commit then meets a conflict, and the engine decides again. The engine itself knows
 * nothing of it.
 */
import type { Fact } from '../../core/fact.js';
import type { Digest, ExecutionArn, Seq } from '../../lib/brand.js';
import { EMPTY_DIGEST } from '../../lib/digest.js';
import type { Commit, Store } from '../../store/store.js';

export interface Held {
  readonly facts: readonly Fact[];
  /** Resolves when the commit is written, or has met a conflict. */
  release(): Promise<'committed' | 'conflict'>;
}

/** The commits of one execution, one after the other. */
export class Gate {
  private waiting: Held | null = null;
  private open = false;
  private wake: () => void = () => undefined;
  /** Of the last commit written. */
  seq = 0 as Seq;
  digest: Digest = EMPTY_DIGEST;

  get held(): Held | null {
    return this.waiting;
  }

  /** Resolves when a commit is held, or `signal` aborts. */
  async next(signal: AbortSignal): Promise<Held | null> {
    while (this.waiting === null && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    return this.waiting;
  }

  /** Lets everything through from now on. */
  leave(): void {
    this.open = true;
    this.waiting?.release().catch(() => undefined);
  }

  async commit(
    commit: Commit,
    write: (commit: Commit) => Promise<'committed' | 'conflict'>,
  ): Promise<'committed' | 'conflict'> {
    const settle = this.open ? () => undefined : await this.hold(commit);
    try {
      const answer = await write(commit);
      if (answer === 'committed') {
        this.seq = (commit.after + commit.count) as Seq;
        this.digest = commit.digest;
      }
      settle(answer);
      return answer;
    } catch (error) {
      settle('conflict');
      throw error;
    }
  }

  /** Resolves when the commit is let through, to what tells the one who did how it ended. */
  private hold(commit: Commit): Promise<(answer: 'committed' | 'conflict') => void> {
    return new Promise((pass) => {
      this.waiting = {
        facts: JSON.parse(commit.facts) as Fact[],
        release: () => {
          this.waiting = null;
          return new Promise((settle) => {
            pass(settle);
          });
        },
      };
      this.wake();
    });
  }
}

export class Gates {
  private readonly gates = new Map<ExecutionArn, Gate>();

  has(arn: ExecutionArn): boolean {
    return this.gates.has(arn);
  }

  attach(arn: ExecutionArn): Gate {
    const known = this.gates.get(arn);
    if (known !== undefined) throw new Error(`${arn} is under a debugger already.`);
    const gate = new Gate();
    this.gates.set(arn, gate);
    return gate;
  }

  detach(arn: ExecutionArn): void {
    this.gates.get(arn)?.leave();
    this.gates.delete(arn);
  }

  /** The same store, but commits of executions with a gate pass through it. */
  over(store: Store): Store {
    const commit = (wanted: Commit): Promise<'committed' | 'conflict'> => {
      const gate = this.gates.get(wanted.arn);
      return gate === undefined
        ? store.commit(wanted)
        : gate.commit(wanted, (passed) => store.commit(passed));
    };
    // Bound once: every turn asks for them.
    const bound = new Map<PropertyKey, unknown>([['commit', commit]]);
    return new Proxy(store, {
      get: (inner, name) => {
        const known = bound.get(name);
        if (known !== undefined) return known;
        const value: unknown = Reflect.get(inner, name, inner);
        if (typeof value !== 'function') return value;
        const made: unknown = value.bind(inner);
        bound.set(name, made);
        return made;
      },
    });
  }
}
