/** JSONata in mock and scenario files: `{% … %}` over what a call, or a run, is. */
import { compileJsonata, compileJsonataTemplate, evaluateJsonata } from '../../expr/jsonata.js';
import { StatesError } from '../../expr/scope.js';
import type { Json, JsonObject } from '../../lib/json.js';
import type { Call } from '../call.js';
import { SeededRandom } from '../seeded-random.js';

/** `$input`, `$attempt`, `$call`, `$index`, `$item`, `$state`, `$resource`, `$now`; also `$states.input`. */
export function callBindings(call: Call): JsonObject {
  const { input, attempt, invocation, scopes, state, resource } = call;
  const inner = scopes.findLast(({ kind }) => kind === 'Map');
  return {
    input,
    attempt,
    call: invocation,
    index: inner?.index ?? null,
    item: inner?.item ?? null,
    state,
    resource: resource.arn,
    now: call.at,
    states: { input },
  };
}

function chance(now: number) {
  const random = new SeededRandom(now % 1_000_000_007);
  return { random: random.next, uuid: random.uuid, now };
}

/** Throws ExpressionSyntaxError when a text is no JSONata. */
export function compileComputed(
  template: Json,
  field: string,
): (bindings: JsonObject, now: number) => Promise<Json> {
  const compiled = compileJsonataTemplate(template, field);
  return async (bindings, now) => compiled.evaluate(bindings, chance(now));
}

/** True or false; what evaluates to nothing is false. */
export function compilePredicate(
  text: string,
  field: string,
): (bindings: JsonObject, now: number) => Promise<boolean> {
  const compiled = compileJsonata(text);
  return async (bindings, now) => {
    try {
      return (await evaluateJsonata(compiled, bindings, field, chance(now))) === true;
    } catch (error) {
      if (error instanceof StatesError && /returned nothing/.test(error.cause)) return false;
      throw error;
    }
  };
}
