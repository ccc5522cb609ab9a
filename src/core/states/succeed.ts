/** Succeed: ends its block with its (path-filtered or JSONata) input. */
import { chain } from '../../lib/eventually.js';
import type { JsonObject } from '../../lib/json.js';
import type { StateContext } from '../compiler.js';
import { compileFlow } from '../data-flow.js';
import { exitTo, scopeOf } from '../finish.js';
import type { State } from '../machine.js';
import { baseState } from './base-state.js';

export function compileSucceed(definition: JsonObject, context: StateContext): State {
  const flow = compileFlow(definition, context.language, null);
  const state: State = {
    ...baseState('Succeed', definition, context, flow),
    start: (turn, id) => {
      const scope = scopeOf(turn, id, state);
      return chain(flow.pass(scope, flow.effectiveInput(scope)), (completion) =>
        exitTo(turn, id, state, completion, null),
      );
    },
  };
  return state;
}
