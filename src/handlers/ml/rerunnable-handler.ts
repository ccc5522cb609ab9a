/** A handler of flat parameters that may run again after its worker is lost: what most small steps are. */
import type { Json, JsonObject } from '../../lib/json.js';
import type { Handler, HandlerContext } from '../handler.js';

/** Parameters are an object with these properties and no others. */
export function rerunnableHandler(
  resource: string,
  description: string,
  required: readonly string[],
  properties: JsonObject,
  run: (parameters: JsonObject, context: HandlerContext) => Promise<Json>,
): Handler {
  return {
    resource,
    description,
    onWorkerLost: 'rerun',
    parameters: { type: 'object', required, additionalProperties: false, properties },
    run: (parameters, context) => run(parameters as JsonObject, context),
  };
}
