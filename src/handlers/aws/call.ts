/**
 * One request through the SDK: parameters by the service's model, the answer with its streams read,
 * and every failure as a value that both kinds of integration can put into AWS's words.
 */
import { type HandlerContext, TaskFailure } from '../handler.js';
import type { Json, JsonObject } from '../../lib/json.js';
import { uuidOf } from '../aws-metadata.js';
import type { Keys, Sdk, SdkMetadata, SdkOutput, Service } from './clients.js';
import { capitalised, exceptionName, pascalCase } from './naming.js';
import { fromSdk, operationSchemas, type OutputForm, ParameterProblem, toSdk } from './schema.js';

export interface CallOrder {
  readonly service: string;
  readonly action: string;
  readonly parameters: Json;
  readonly keys: Keys | null;
  readonly form: OutputForm;
}

export interface Answer {
  readonly output: JsonObject;
  readonly status: number;
  readonly requestId: string;
  /** As received, names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

/** A refusal by the service, in the parts that errors and causes are written from. */
export class ServiceRefusal extends Error {
  override readonly name = 'ServiceRefusal';
  constructor(
    readonly details: {
      /** `DynamoDb`. */
      readonly service: string;
      /** `ResourceNotFoundException`; null when the service's model does not know the error. */
      readonly exception: string | null;
      /** The code on the wire. */
      readonly code: string;
      readonly text: string;
      readonly status: number;
      readonly requestId: string;
      readonly extendedRequestId: string | null;
    },
  ) {
    super(details.text);
  }
}

/** The request never got an answer. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
  constructor(
    readonly service: string,
    reason: string,
  ) {
    super(reason);
  }
}

/** Far above what a state may return (256 KiB): a body beyond it is not read to its end. */
const MAX_BODY_BYTES = 1024 * 1024;

export async function call(sdk: Sdk, order: CallOrder, context: HandlerContext): Promise<Answer> {
  const service = await sdk.service(order.service, order.keys, context);
  const Command = service.command(order.action);
  if (Command === null) {
    throw new TaskFailure(
      'States.Runtime',
      `The service ${order.service} has no action ${order.action}.`,
    );
  }
  const schemas = operationSchemas(new Command({}).schema);
  const command = new Command(inputOf(order, schemas?.input, context));
  const seen: { headers: Record<string, string> } = { headers: {} };
  command.middlewareStack.add(rememberHeaders(seen), { step: 'deserialize', priority: 'high' });
  let output: SdkOutput;
  try {
    output = await service.client.send(command, { abortSignal: context.signal });
    output = await readStreams(output, order);
  } catch (error) {
    if (context.signal.aborted) throw context.signal.reason;
    throw error instanceof TaskFailure ? error : explain(error, service, context);
  }
  const { $metadata: metadata, ...members } = output;
  return {
    output: fromSdk(members, schemas?.output, order.form) as JsonObject,
    status: metadata?.httpStatusCode ?? 200,
    requestId: metadata?.requestId ?? seen.headers['x-amzn-requestid'] ?? fallbackId(context),
    headers: seen.headers,
  };
}

function inputOf(
  order: CallOrder,
  schema: unknown,
  context: HandlerContext,
): Record<string, unknown> {
  try {
    const input = toSdk(order.parameters ?? {}, schema, context.idempotencyKey);
    return input as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof ParameterProblem)) throw error;
    const shown = JSON.stringify(order.parameters);
    const reason = `The Parameters '${shown}' could not be used to start the Task: [${error.message}]`;
    throw new TaskFailure('States.Runtime', reason);
  }
}

/** The response's headers, which the SDK keeps to itself. */
function rememberHeaders(seen: { headers: Record<string, string> }): unknown {
  type Result = { readonly response?: { readonly headers?: Record<string, string> } };
  return (next: (request: unknown) => Promise<Result>) => async (request: unknown) => {
    const result = await next(request);
    seen.headers = { ...result.response?.headers };
    return result;
  };
}

/** Bodies come as streams; they become bytes. */
async function readStreams(output: SdkOutput, order: CallOrder): Promise<SdkOutput> {
  const read: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(output)) {
    read[name] = isStream(value) ? await readStream(value, order) : value;
  }
  return read as SdkOutput;
}

function isStream(value: unknown): value is AsyncIterable<Uint8Array> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

async function readStream(stream: AsyncIterable<unknown>, order: CallOrder): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  const events: unknown[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    if (chunk instanceof Uint8Array) chunks.push(chunk);
    else events.push(chunk);
    bytes += chunk instanceof Uint8Array ? chunk.length : JSON.stringify(chunk).length;
    if (bytes > MAX_BODY_BYTES) {
      throw new TaskFailure(
        'States.DataLimitExceeded',
        `The state/task 'aws-sdk:${order.service}' returned a result with a size exceeding the ` +
          'maximum number of bytes service limit.',
      );
    }
  }
  return events.length > 0 ? events : new Uint8Array(Buffer.concat(chunks));
}

interface SdkError extends Error {
  readonly $metadata?: SdkMetadata;
  readonly RequestId?: string;
  readonly Code?: string;
  readonly Error?: { readonly Code?: string };
}

/** What went wrong, from the SDK's error. */
function explain(thrown: unknown, service: Service, context: HandlerContext): Error {
  const error = thrown as SdkError;
  const metadata = error.$metadata;
  if (metadata?.httpStatusCode === undefined) return new Unreachable(service.name, error.message);
  const modelled = service.baseError === null || error.constructor !== service.baseError;
  return new ServiceRefusal({
    service: service.name,
    exception: modelled ? exceptionName(error.name) : null,
    code: error.Code ?? error.Error?.Code ?? error.name,
    text: error.message,
    status: metadata.httpStatusCode,
    requestId: metadata.requestId ?? error.RequestId ?? fallbackId(context),
    extendedRequestId: metadata.extendedRequestId ?? null,
  });
}

function fallbackId(context: HandlerContext): string {
  return uuidOf(`request ${context.idempotencyKey}`);
}

/** `Sfn.SfnException`: the class of an error that the model does not know. */
export function baseException(service: string): string {
  return `${capitalised(pascalCase(service))}Exception`;
}
