/** What a Map Run is to do, and for whom. */
import type { MapRunRequest } from '../../core/fact.js';
import type { MapRunPlan } from '../../core/machine.js';
import { childIdentity } from '../../core/map-run.js';
import type { ExecutionState } from '../../core/state.js';
import type { ExecutionArn, FrameId, Seq } from '../../lib/brand.js';
import type { Revision } from '../face.js';
import type { SelectorView } from './children.js';

export interface Order {
  readonly parent: ExecutionState;
  readonly frame: FrameId;
  readonly by: Seq;
  readonly stateName: string;
  readonly request: MapRunRequest;
  readonly plan: MapRunPlan;
  /** The children's machine. */
  readonly revision: Revision;
  readonly view: SelectorView;
  /** How often the parent has redriven it. */
  readonly redrives: number;
}

export function childArnOf({ parent, request }: Order, index: number): ExecutionArn {
  return childIdentity(parent.identity, request, index).arn as ExecutionArn;
}
