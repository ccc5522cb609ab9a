/** Answers of workers and callbacks: SendTaskSuccess, SendTaskFailure, SendTaskHeartbeat. */
import { assertNever } from '../../lib/assert.js';
import { parseJson } from '../../lib/jackson.js';
import type { TokenAnswer } from '../../runtime/face.js';
import { invalidOutput, invalidToken, taskTimedOut } from '../../wire/errors.js';
import type { Actions } from './action.js';

export const taskActions: Actions<'SendTaskSuccess' | 'SendTaskFailure' | 'SendTaskHeartbeat'> = {
  SendTaskSuccess: async (api, input) => {
    // Recorded (test_sfn_send_task_outcome_with_no_such_token): the token is judged first.
    if (!api.engine.isTaskToken(input.taskToken)) throw invalidToken();
    const output = parseJson(input.output);
    if ('error' in output) throw invalidOutput(output.error.message);
    return answered(await api.engine.taskSucceeded(input.taskToken, output.value));
  },

  SendTaskFailure: async (api, input) => {
    const failure = { error: input.error ?? null, cause: input.cause ?? null };
    return answered(await api.engine.taskFailed(input.taskToken, failure));
  },

  SendTaskHeartbeat: async (api, input) => {
    return answered(await api.engine.taskHeartbeat(input.taskToken));
  },
};

function answered(answer: TokenAnswer) {
  switch (answer) {
    case 'accepted':
      return {};
    case 'invalid':
      throw invalidToken();
    case 'timed-out':
      throw taskTimedOut();
    default:
      return assertNever(answer);
  }
}
