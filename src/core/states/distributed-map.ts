/** Map, distributed: a Map Run starts child executions; this state waits for its outcome. */
import type { JsonObject } from '../../lib/json.js';
import type { StateContext } from '../compiler.js';
import type { State } from '../machine.js';

export function compileDistributedMap(
  _definition: JsonObject,
  _processor: JsonObject,
  context: StateContext,
): State {
  throw new Error(`Distributed Map '${context.name}' is being built.`);
}
