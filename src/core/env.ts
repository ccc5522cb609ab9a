/** All that `decide` may know of the world: injected, so that the same facts follow from the same seed. */
import type { Chance } from '../expr/scope.js';
import type { EpochMs, Nonce } from '../lib/brand.js';
import type { Eventually } from '../lib/eventually.js';
import type { Json, JsonObject } from '../lib/json.js';
import type { Limits } from './limits.js';
import type { TaskRef } from './stimulus.js';

/** Names of the stages, as InspectionData has them. */
export type Stage =
  | 'afterInputPath'
  | 'afterParameters'
  | 'afterArguments'
  | 'result'
  | 'afterResultSelector'
  | 'afterResultPath'
  | 'afterItemsPath'
  | 'afterItemSelector'
  | 'afterItemBatcher'
  | 'maxConcurrency'
  | 'toleratedFailureCount'
  | 'toleratedFailurePercentage';

export interface Env extends Chance {
  /** The instant of this turn, epoch milliseconds: the same for every fact of it. */
  readonly now: EpochMs;
  readonly limits: Limits;
  /** Sees the data flow of every state pass by: TestState's inspection, `--explain`. */
  readonly trace?: (stage: Stage, value: Json) => void;
  /** Stands in for the Context Object (TestState's `context`). */
  readonly contextObject?: JsonObject;
  nonce(): Nonce;
  /** Whether somebody made this activity; absent where a simulated world answers for them all. */
  readonly activityExists?: (activityArn: string) => Eventually<boolean>;
  /** Callback token of one attempt: only this engine can make it, and only for this attempt. */
  taskToken(executionArn: string, attempt: TaskRef): string;
}
