/** All that `decide` may know of the world: injected, so that the same facts follow from the same seed. */
import type { Chance } from '../expr/scope.js';
import type { EpochMs, Nonce } from '../lib/brand.js';
import type { Limits } from './limits.js';
import type { TaskRef } from './stimulus.js';

export interface Env extends Chance {
  /** The instant of this turn, epoch milliseconds: the same for every fact of it. */
  readonly now: EpochMs;
  readonly limits: Limits;
  nonce(): Nonce;
  /** Callback token of one attempt: only this engine can make it, and only for this attempt. */
  taskToken(executionArn: string, attempt: TaskRef): string;
}
