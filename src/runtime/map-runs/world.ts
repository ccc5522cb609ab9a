/** What a Map Run may use of the engine around it. */
import type { Failure, Outcome } from '../../core/fact.js';
import type { ExecutionState } from '../../core/state.js';
import type { ExecutionArn, FrameId, Seq } from '../../lib/brand.js';
import type { JsonObject } from '../../lib/json.js';
import type { Store } from '../../store/store.js';
import type { Clock } from '../clock.js';
import type { Started, StartRequest } from '../face.js';
import type { MapItems } from './io.js';

export interface MapRunEnd {
  readonly arn: ExecutionArn;
  readonly frame: FrameId;
  readonly by: Seq;
  readonly outcome: Outcome;
  readonly aborted: boolean;
}

export interface World {
  readonly store: Store;
  readonly clock: Clock;
  /** Null: only items of a state's own input, and no exported results. */
  readonly io: MapItems | null;
  readonly payloadBytes: number;
  /** No other engine works on this store: every end is told. */
  readonly sole: boolean;
  start(request: StartRequest): Promise<Started>;
  state(arn: ExecutionArn): Promise<ExecutionState | null>;
  /** Sees to it that this engine drives a child of before the restart. */
  adopt(arn: ExecutionArn): Promise<void>;
  stop(arn: ExecutionArn, failure: Failure): Promise<unknown>;
  redrive(arn: ExecutionArn): Promise<void>;
  /** Durable when it resolves. */
  ended(end: MapRunEnd): Promise<void>;
  report(message: string, error: unknown, fields: JsonObject): void;
}
