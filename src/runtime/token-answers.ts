/** Answers that come with a task token: results, failures and heartbeats of callbacks and activities. */
import type { Fact, Outcome } from '../core/fact.js';
import type { ExecutionState } from '../core/state.js';
import { type Stimulus, type TaskRef, timerKey } from '../core/stimulus.js';
import type { EpochMs, ExecutionArn, Seq } from '../lib/brand.js';
import type { Store } from '../store/store.js';
import type { Clock } from './clock.js';
import type { TokenAnswer } from './face.js';
import { readToken } from './token.js';

export interface TokenAnswersWorld {
  readonly key: string;
  readonly store: Store;
  readonly clock: Clock;
  state(arn: ExecutionArn): Promise<ExecutionState | null>;
  deliver(arn: ExecutionArn, stimulus: Stimulus): Promise<readonly Fact[]>;
  /** This process, where several share the store. */
  readonly holder?: string;
  setTimer(arn: ExecutionArn, key: string, dueAt: EpochMs): void;
  /** A token has answered for the handler that still runs. */
  answered(arn: ExecutionArn, by: Seq): void;
}

export class TokenAnswers {
  constructor(private readonly world: TokenAnswersWorld) {}

  isToken(token: string): boolean {
    return readToken(this.world.key, token) !== null;
  }

  async answer(token: string, outcome: Outcome): Promise<TokenAnswer> {
    const content = readToken(this.world.key, token);
    if (content === null) return 'invalid';
    const { arn, task } = content;
    const facts = await this.world.deliver(arn, { type: 'TaskResult', task, outcome });
    if (facts.length === 0) return 'timed-out';
    this.world.answered(arn, task.scheduled);
    return 'accepted';
  }

  async heartbeatBy(token: string): Promise<TokenAnswer> {
    const content = readToken(this.world.key, token);
    if (content === null) return 'invalid';
    return (await this.heartbeat(content.arn, content.task)) ? 'accepted' : 'timed-out';
  }

  /** Heartbeats are not facts: they move a timer. False when the attempt is over. */
  async heartbeat(arn: ExecutionArn, task: TaskRef): Promise<boolean> {
    const { clock, store } = this.world;
    const state = await this.world.state(arn);
    const phase = state?.frames.get(task.frame)?.phase;
    const live = phase?.is === 'task' && phase.nonce === task.nonce && state?.status === 'RUNNING';
    if (!live) return false;
    if (phase.heartbeatSeconds === null) return true;
    const key = timerKey('heartbeat', task.frame, task.scheduled);
    const dueAt = (clock.now() + phase.heartbeatSeconds * 1000) as EpochMs;
    await store.touchTimer(arn, key, dueAt, this.world.holder);
    this.world.setTimer(arn, key, dueAt);
    return true;
  }
}
