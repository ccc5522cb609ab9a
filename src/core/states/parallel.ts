/** Parallel: every branch gets the same input; the outputs join in branch order. */
import { chain, type Eventually } from '../../lib/eventually.js';
import { getOwn, type Json, type JsonObject } from '../../lib/json.js';
import type { StateContext } from '../compiler.js';
import { compileFlow } from '../data-flow.js';
import { finish, scopeOf } from '../finish.js';
import { fanOutOf, joinedOutputs, startChildren } from '../fan-out.js';
import type { Block, State } from '../machine.js';
import type { FrameId } from '../../lib/brand.js';
import type { Turn } from '../turn.js';
import { baseState } from './base-state.js';

export function compileParallel(definition: JsonObject, context: StateContext): State {
  const { language, name, block } = context;
  const flow = compileFlow(
    definition,
    language,
    language === 'JSONata' ? 'Arguments' : 'Parameters',
  );
  const branches = getOwn(definition, 'Branches') as readonly JsonObject[];
  const blocks = branches.map((branch, index) =>
    context.compileBlock(`${block}/${name}/${index}`, branch),
  );
  const state: State = {
    ...baseState('Parallel', definition, context, flow),
    start: (turn, id) => {
      const scope = scopeOf(turn, id, state);
      const effective = scope.with(flow.effectiveInput(scope));
      return chain(flow.arguments(effective), (input) => fanOut(turn, id, blocks, input));
    },
    advance: (turn, id) => {
      const open = fanOutOf(turn, id);
      if (open.next < open.width) return startBranches(turn, id, blocks, open.input);
      const outputs = joinedOutputs(turn, open);
      turn.event(id, { type: 'FanOutEnded', kind: 'Parallel', ok: true, discard: true });
      return finish(turn, id, state, outputs);
    },
  };
  return state;
}

function fanOut(turn: Turn, id: FrameId, blocks: readonly Block[], input: Json): Eventually<void> {
  turn.event(id, {
    type: 'FanOutStarted',
    kind: 'Parallel',
    width: blocks.length,
    items: null,
    input,
    limit: blocks.length,
  });
  return startBranches(turn, id, blocks, input);
}

function startBranches(
  turn: Turn,
  id: FrameId,
  blocks: readonly Block[],
  input: Json,
): Eventually<void> {
  return startChildren(
    turn,
    id,
    (index) => blocks[index] as Block,
    () => input,
  );
}
