/** What the data handlers share: failures by their name, datasets by their address, JSON as given. */
import type { Json, JsonObject } from '../../lib/json.js';
import { DataFailure } from '../../ml/data/data-failure.js';
import { type HandlerContext, TaskFailure } from '../handler.js';

/** Runs a step of `src/ml`; its named failures become the failure of the task. */
export async function asTask<T>(step: () => Promise<T>): Promise<Json> {
  try {
    // A JSON copy: results are plain data, and absent members are truly absent.
    return JSON.parse(JSON.stringify(await step())) as Json;
  } catch (error) {
    if (error instanceof DataFailure) throw new TaskFailure(error.error, error.reason);
    throw error;
  }
}

/** `artifact://…`, a path, or an object that carries one of them as `uri`. */
export const ADDRESS: JsonObject = {
  anyOf: [
    { type: 'string', minLength: 1 },
    { type: 'object', required: ['uri'], properties: { uri: { type: 'string', minLength: 1 } } },
  ],
};

const share: Json = { type: 'number', minimum: 0, exclusiveMaximum: 1 };

/** How a dataset is split into its sides. */
export const SPLIT: JsonObject = {
  type: 'object',
  additionalProperties: false,
  properties: {
    testSize: share,
    validationSize: share,
    seed: { type: ['integer', 'string'] },
    stratify: { type: 'boolean' },
  },
};

export type Address = string | { readonly uri: string };

export function uriOf(address: Address): string {
  return typeof address === 'string' ? address : address.uri;
}

/** Local path of an artifact or of a file inside the allowed folders. */
export async function locate(address: Address, context: HandlerContext): Promise<string> {
  const uri = uriOf(address);
  if (uri.startsWith('artifact://')) return await context.artifacts.path(uri);
  return await context.files.resolveReadable(uri.replace(/^file:\/\//, ''));
}
