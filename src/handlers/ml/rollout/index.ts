/** The handlers that a rollout's machine is made of (state-machines/ml-rollout*.asl.json). */
import { isObject } from '../../../lib/json.js';
import { type Handler, TaskFailure } from '../../handler.js';
import { evaluateAbHandler } from './ab.js';
import { NAME, plain, type RolloutOptions } from './parts.js';
import { sendTrafficHandler } from './send-traffic.js';
import { startRolloutHandler } from './start.js';
import { stepHandlers } from './steps.js';
import { verifyTrafficHandler } from './verify.js';

export type { RolloutOptions } from './parts.js';

export function rolloutHandlers(options: RolloutOptions): Handler[] {
  return [
    startRolloutHandler(options),
    ...stepHandlers(options),
    verifyTrafficHandler(options),
    evaluateAbHandler(options),
    sendTrafficHandler(options),
    describeEndpointHandler(options),
  ];
}

/** So that a machine can tell a first deployment, which has nothing to fall back to, from a later one. */
function describeEndpointHandler({ endpoints }: RolloutOptions): Handler {
  return {
    resource: 'ml:describe-endpoint',
    description: 'What an endpoint serves, or {"exists": false}.',
    onWorkerLost: 'rerun',
    parameters: {
      type: 'object',
      required: ['endpoint'],
      additionalProperties: false,
      properties: { endpoint: NAME, optional: { type: 'boolean' } },
    },
    run: async (parameters) => {
      const { endpoint, optional } = parameters as {
        readonly endpoint: string;
        readonly optional?: boolean;
      };
      const record = await endpoints.get(endpoint);
      if (record === null && optional !== true) {
        throw new TaskFailure('ResourceNotFound', `There is no endpoint "${endpoint}".`);
      }
      if (record === null) return { endpoint, exists: false, model: null };
      const { revision, variants, shadows = [], settings = {}, rollout = null, updatedAt } = record;
      const [first] = variants;
      const shown = plain({ revision, variants, shadows, settings, rollout, updatedAt });
      const model = isObject(plain(first?.model ?? {})) ? plain(first?.model ?? {}) : {};
      return { endpoint, exists: true, model, ...shown };
    },
  };
}
