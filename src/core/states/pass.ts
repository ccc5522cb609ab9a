/** Pass: its result is `Result`, or its effective input after Parameters. */
import { getOwn, type JsonObject } from '../../lib/json.js';
import type { StateContext } from '../compiler.js';
import { compileFlow } from '../data-flow.js';
import { exitTo, finish, scopeOf } from '../finish.js';
import type { State } from '../machine.js';
import { chain } from '../../lib/eventually.js';
import { baseState } from './base-state.js';

export function compilePass(definition: JsonObject, context: StateContext): State {
  const jsonPath = context.language === 'JSONPath';
  const flow = compileFlow(definition, context.language, jsonPath ? 'Parameters' : null);
  const result = jsonPath ? getOwn(definition, 'Result') : undefined;
  const state: State = {
    ...baseState('Pass', definition, context, flow),
    start: (turn, id) => {
      const scope = scopeOf(turn, id, state);
      if (!jsonPath) {
        return chain(flow.pass(scope, scope.input), (completion) =>
          exitTo(turn, id, state, completion, state.next),
        );
      }
      if (result !== undefined) return finish(turn, id, state, result);
      const effective = flow.effectiveInput(scope);
      return chain(flow.arguments(scope.with(effective)), (value) =>
        finish(turn, id, state, value),
      );
    },
  };
  return state;
}
