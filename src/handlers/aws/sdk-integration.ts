/**
 * `arn:aws:states:::aws-sdk:<service>:<action>[.waitForTaskToken]`: any action of any service. Error
 * names and causes are those of AWS's SDK for Java 2 (recorded: `DynamoDb.ResourceNotFoundException`,
 * `… (Service: DynamoDb, Status Code: 400, Request ID: …)`).
 */
import type { Json } from '../../lib/json.js';
import { type Handler, type HandlerContext, TaskFailure } from '../handler.js';
import { readResource, splitSuffix } from '../resource.js';
import type { KeysOf } from './assumed-role.js';
import { baseException, call, ServiceRefusal, Unreachable } from './call.js';
import type { Sdk } from './clients.js';
import { packageOf } from './naming.js';

export interface ActionName {
  readonly service: string;
  readonly action: string;
}

export interface SdkIntegrationOptions {
  readonly sdk: Sdk;
  readonly keysOf: KeysOf;
  /** Actions served here when nothing says how to reach the service, e.g. those of Step Functions. */
  readonly local?: ReadonlyMap<
    string,
    (action: string, parameters: Json, context: HandlerContext) => Promise<Json>
  >;
}

export function createSdkHandler(options: SdkIntegrationOptions): Handler {
  return {
    resource: 'aws-sdk:*',
    description: 'Calls any action of any AWS service through the AWS SDK.',
    parameters: {},
    onWorkerLost: 'rerun',
    run: async (parameters, context) => {
      const name = actionOf(context.task.resource);
      if (name === null) {
        const reason = `"${context.task.resource}" names no action of an AWS service.`;
        throw new TaskFailure('States.Runtime', reason);
      }
      const local = options.local?.get(packageOf(name.service));
      if (local !== undefined && !options.sdk.configured) {
        return local(name.action, parameters, context);
      }
      return run(options, name, parameters, context);
    },
  };
}

/** `dynamodb`, `putItem` of `arn:aws:states:::aws-sdk:dynamodb:putItem.waitForTaskToken`. */
export function actionOf(resource: string): ActionName | null {
  const { base } = splitSuffix(resource);
  const name = readResource(base);
  const text = name.is === 'integration' ? `${name.service}:${name.action}` : base;
  const match = /^aws-sdk:([\w-]+):(\w+)$/.exec(text);
  return match === null ? null : { service: match[1] as string, action: match[2] as string };
}

async function run(
  { sdk, keysOf }: SdkIntegrationOptions,
  { service, action }: ActionName,
  parameters: Json,
  context: HandlerContext,
): Promise<Json> {
  try {
    const keys = await keysOf(context);
    const order = { service, action, parameters, keys, form: { time: 'iso' } } as const;
    return (await call(sdk, order, context)).output;
  } catch (error) {
    throw sdkFailure(error);
  }
}

/** A refusal in the words of the SDK for Java 2. */
export function sdkFailure(error: unknown): unknown {
  if (error instanceof Unreachable) {
    return new TaskFailure(`${error.service}.SdkClientException`, error.message);
  }
  if (!(error instanceof ServiceRefusal)) return error;
  const { service, exception, text, status, requestId, extendedRequestId } = error.details;
  const extended = extendedRequestId === null ? '' : `, Extended Request ID: ${extendedRequestId}`;
  return new TaskFailure(
    `${service}.${exception ?? baseException(service)}`,
    `${text} (Service: ${service}, Status Code: ${status}, Request ID: ${requestId}${extended})` +
      (COUNTS_NO_ATTEMPTS.has(service) ? '' : ' (SDK Attempt Count: 1)'),
  );
}

/** Recorded without the attempt count, which AWS's newer SDK appends for others. */
const COUNTS_NO_ATTEMPTS: ReadonlySet<string> = new Set(['DynamoDb', 'S3', 'SecretsManager']);
