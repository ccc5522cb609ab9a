/** Evaluates JSONata of a state: binds `$states` and the variables. */
import type { JsonataTemplate } from '../expr/jsonata.js';
import type { Eventually } from '../lib/eventually.js';
import type { Json, JsonObject } from '../lib/json.js';
import type { FrameScope } from './context.js';

/** Members of `$states` beyond input and context. */
export interface StatesBindings {
  readonly result?: Json;
  readonly errorOutput?: Json;
}

export function evaluateIn(
  template: JsonataTemplate,
  scope: FrameScope,
  more: StatesBindings = {},
): Eventually<Json> {
  const states: Record<string, Json> = { input: scope.frame.value };
  // The Context Object costs more than most expressions do, and few look at it.
  const { statesMembers } = template;
  if (statesMembers.includes('context') || statesMembers.includes('*')) {
    states.context = scope.context;
  }
  if (more.result !== undefined) states.result = more.result;
  if (more.errorOutput !== undefined) states.errorOutput = more.errorOutput;
  // A spread defines own members only, so a variable of any name is safe.
  const bound: JsonObject = { ...scope.variables, states };
  return template.evaluate(bound, scope.chance);
}
