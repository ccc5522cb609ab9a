/** One API call: operation and members in, members out. Every face of the API goes through here. */
import type { JsonObject } from '../lib/json.js';
import type { WireObject } from '../wire/describe.js';
import type { Operation } from '../wire/operations.js';
import { readInput } from '../wire/request.js';
import { ACTIONS } from './actions/index.js';
import type { Action } from './actions/action.js';
import type { ApiContext, Call } from './context.js';

export async function dispatch<O extends Operation>(
  api: ApiContext,
  operation: O,
  members: JsonObject,
  call: Call,
): Promise<WireObject> {
  const action: Action<O> = ACTIONS[operation];
  return action(api, readInput(operation, members, api.config.payloadBytes), call);
}
