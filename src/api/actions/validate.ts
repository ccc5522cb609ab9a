/** ValidateStateMachineDefinition: the same validation as CreateStateMachine, as diagnostics. */
import { type Diagnostic, hasErrors, ranked } from '../../core/diagnostic.js';
import type { Actions } from './action.js';

/** AWS: "The default is 100 and the maximum allowed … 100. A value of 0 uses the default." */
const MAX_DIAGNOSTICS = 100;

export const validateActions: Actions<'ValidateStateMachineDefinition'> = {
  ValidateStateMachineDefinition: async (api, input) => {
    const type = input.type ?? 'STANDARD';
    const { diagnostics } = api.definitions.validate(input.definition, { type });
    const shown = ranked(diagnostics).filter(
      (one) => one.severity === 'ERROR' || input.severity === 'WARNING',
    );
    const limit = input.maxResults || MAX_DIAGNOSTICS;
    return {
      result: hasErrors(diagnostics) ? 'FAIL' : 'OK',
      diagnostics: shown.slice(0, limit).map(describe),
      truncated: shown.length > limit,
    };
  },
};

function describe(one: Diagnostic) {
  return {
    severity: one.severity,
    code: one.code,
    message: one.message,
    location: one.location ?? undefined,
  };
}
