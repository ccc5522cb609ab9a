/** Records that a state machine makes by name: models and endpoint configurations. */
import type { JsonObject } from '../../lib/json.js';
import type { HandlerContext } from '../handler.js';
import { sagemakerError } from './errors.js';
import { type SageMakerOptions, sagemakerArn } from './options.js';

/** Takes the name, and answers its ARN; the same task finds its own record again. */
export async function recorded(
  kind: 'models' | 'endpoint-configs',
  name: string,
  record: JsonObject,
  { context, options }: { context: HandlerContext; options: SageMakerOptions },
): Promise<string> {
  const noun = kind === 'models' ? 'model' : 'endpoint-config';
  const arn = sagemakerArn(context, `${noun}/${name.toLowerCase()}`);
  const kept = await options.records.claim(kind, name, context.idempotencyKey, { ...record, arn });
  if (kept !== null) return arn;
  const words = noun.replace('-config', ' configuration');
  throw sagemakerError(
    'ValidationException',
    `Cannot create already existing ${words} "${arn}".`,
    context,
  );
}
