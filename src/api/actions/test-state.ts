/** TestState: one state by itself. Waits for the engine's single-state evaluation. */
import { ApiError } from '../../wire/errors.js';
import type { Actions } from './action.js';

export const testStateActions: Actions<'TestState'> = {
  TestState: async () => {
    throw new ApiError('UnknownOperationException', null);
  },
};
