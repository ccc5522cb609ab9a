/** Evaluates JSONata of a state: binds `$states` and the variables. */
import type { JsonataTemplate } from '../expr/jsonata.js';
import { fromEntries, type Json } from '../lib/json.js';
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
): Promise<Json> {
  const members: [string, Json][] = [
    ['input', scope.frame.value],
    ['context', scope.context],
  ];
  if (more.result !== undefined) members.push(['result', more.result]);
  if (more.errorOutput !== undefined) members.push(['errorOutput', more.errorOutput]);
  const bound = fromEntries([...Object.entries(scope.variables), ['states', fromEntries(members)]]);
  return template.evaluate(bound, scope.chance);
}
