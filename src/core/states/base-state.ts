/** What every state type has in common, made from its definition and its place. */
import type { JsonObject } from '../../lib/json.js';
import { nextOf, type StateContext } from '../compiler.js';
import type { DataFlow } from '../data-flow.js';
import type { StateKind } from '../fact.js';
import type { State } from '../machine.js';
import { compileCatchers, compileRetriers } from '../retry.js';

/** Everything but what the state does. Types that know no Retry and Catch are given none. */
export function baseState(
  kind: StateKind,
  definition: JsonObject,
  context: StateContext,
  flow: DataFlow,
): Omit<State, 'start'> {
  return {
    kind,
    name: context.name,
    block: context.block,
    next: nextOf(definition),
    flow,
    retriers: compileRetriers(definition),
    catchers: compileCatchers(definition, context.language),
    definition,
  };
}
