/** Mocks against the machine they are for: names that exist, states that call something, shapes that fit. */
import { parseResource } from '../../core/resource.js';
import { getOwn, type JsonObject } from '../../lib/json.js';
import { didYouMean } from '../../lib/suggest.js';
import { checkMockResult, type FieldValidationMode } from '../../wire/service-outputs/check.js';
import { statesOf } from '../machine-states.js';
import type { Plan } from './plan.js';
import { type FileProblem, Problems } from './problems.js';

/** `validate`: how strictly results are held against the service's API model, as in TestState. */
export function checkPlan(
  plan: Plan,
  definition: JsonObject,
  validate: FieldValidationMode = 'NONE',
): readonly FileProblem[] {
  const problems = new Problems();
  const states = new Map(statesOf(definition).map((state) => [state.name, state.definition]));
  for (const [name, rules] of plan.states) {
    const pointer = plan.pointers.get(name) ?? '';
    const state = states.get(name);
    if (state === undefined) {
      const hint = didYouMean(name, states.keys());
      problems.error(pointer, `The machine has no state "${name}".${hint}`);
      continue;
    }
    const resource = getOwn(state, 'Resource');
    const type = getOwn(state, 'Type');
    if (type !== 'Task' && !callsOutside(state)) {
      problems.error(
        pointer,
        `"${name}" is a ${String(type)} state: it calls nothing that a mock could answer.`,
      );
      continue;
    }
    if (typeof resource !== 'string') continue;
    for (const { results } of rules) {
      for (const { pointer: place, value } of results) {
        const complaint = checkMockResult(parseResource(resource), value, validate);
        if (complaint !== null)
          problems.error(place, `Not what ${resource} answers: ${complaint}.`);
      }
    }
  }
  return problems.list;
}

/** A distributed Map with a reader or a writer. */
function callsOutside(state: JsonObject): boolean {
  return getOwn(state, 'ItemReader') !== undefined || getOwn(state, 'ResultWriter') !== undefined;
}
