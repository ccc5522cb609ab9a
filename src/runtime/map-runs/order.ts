/** What a Map Run is to do, and for whom. */
import type { Env } from '../../core/env.js';
import type { MapRunRequest } from '../../core/fact.js';
import { scopeOf } from '../../core/finish.js';
import { type Machine, type MapRunPlan, stateOf } from '../../core/machine.js';
import { childIdentity } from '../../core/map-run.js';
import type { ExecutionState, Phase } from '../../core/state.js';
import { Turn } from '../../core/turn.js';
import { assert } from '../../lib/assert.js';
import type { ExecutionArn, FrameId, Seq } from '../../lib/brand.js';
import { getOwn, type JsonObject, withKey } from '../../lib/json.js';
import type { Revision } from '../face.js';
import { revisionOf } from '../machines.js';
import type { SelectorView } from './children.js';

/** A frame that waits for its Map Run. */
export type Waiting = Extract<Phase, { is: 'map-run' }>;

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

export function orderOf(
  machine: Machine,
  env: Env,
  parent: ExecutionState,
  frameId: FrameId,
  phase: Waiting,
): Order {
  const turn = new Turn(machine, parent, env);
  const state = stateOf(turn, frameId);
  assert(state.mapRun !== undefined, 'A Map Run belongs to a distributed Map.');
  const scope = scopeOf(turn, frameId, state);
  return {
    parent,
    frame: frameId,
    by: phase.by,
    stateName: state.name,
    request: phase.request,
    plan: state.mapRun,
    revision: childRevision(machine, state.mapRun.processor, phase.request.executionType),
    view: { turn, frame: turn.frame(frameId), input: state.flow.effectiveInput(scope) },
    redrives: phase.redrives,
  };
}

/** The children's machine: the ItemProcessor, in the query language of the machine around it. */
function childRevision(
  machine: Machine,
  processor: JsonObject,
  type: 'STANDARD' | 'EXPRESS',
): Revision {
  const language = getOwn(machine.definition, 'QueryLanguage');
  let definition = processor;
  if (language !== undefined) definition = withKey(definition, 'QueryLanguage', language);
  return revisionOf(JSON.stringify(definition), type);
}

export function childArnOf({ parent, request }: Order, index: number): ExecutionArn {
  return childIdentity(parent.identity, request, index).arn as ExecutionArn;
}
