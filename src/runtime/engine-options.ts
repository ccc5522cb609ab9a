/** What an engine is made of and what it is told at its start. */
import type { Limits } from '../core/limits.js';
import type { Logger } from '../handlers/handler.js';
import type { ExecutionArn } from '../lib/brand.js';
import type { Store } from '../store/store.js';
import type { Clock } from './clock.js';
import type { HandlerServices, Resources, TaskProgress } from './dispatcher.js';
import type { MapItems } from './map-runs/io.js';
import type { Peers } from './peers.js';

export interface EngineOptions {
  readonly store: Store;
  readonly resources: Resources;
  readonly services: HandlerServices;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Uniform in [0, 1); a seeded one replays a run. */
  readonly random?: () => number;
  readonly uuid?: () => string;
  readonly limits?: Limits;
  /** Executions under a debugger take one transition a turn. */
  readonly isStepped?: (arn: ExecutionArn) => boolean;
  /** Other limits for some state machines, by name; null: `limits`. */
  readonly limitsOf?: (stateMachineName: string) => Limits | null;
  readonly onProgress?: (progress: TaskProgress) => void;
  /** Whether an activity exists; without it every activity ARN is taken for one that does. */
  readonly activityExists?: (activityArn: string) => Promise<boolean>;
  /** Reads the items and writes the results of Map Runs; without it only a state's own input. */
  readonly mapItems?: MapItems;
  /** Drives just these executions and what they start; others in the store stay as they are. */
  readonly only?: readonly ExecutionArn[];
  /** No other engine works on this store: nothing has to be looked for that others may have done. */
  readonly sole?: boolean;
  /** Other processes that drive the same store; without them this one drives it alone. */
  readonly peers?: Peers;
}
