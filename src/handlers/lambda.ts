/**
 * Lambda functions: a function of that name in the configuration comes first and runs here; else the
 * real API is called, if credentials or an endpoint are configured. Shapes and wording follow the
 * recorded cases (task_lambda, error_handling): a function's own error keeps its `errorType` as error
 * name and the raw payload as cause.
 */
import { getOwn, isObject, type Json, type JsonObject } from '../lib/json.js';
import type { KeysOf } from './aws/assumed-role.js';
import type { Keys } from './aws/clients.js';
import { namesCredentials, regionOf } from './aws/environment.js';
import { sdkMetadata, serviceCause, uuidOf } from './aws-metadata.js';
import type { Config } from './config/config.js';
import { type Handler, type HandlerContext, TaskFailure } from './handler.js';
import { functionNameOf } from './resource.js';

export interface LambdaRequest {
  readonly functionName: string;
  readonly qualifier: string | null;
  readonly invocationType: 'RequestResponse' | 'Event' | 'DryRun';
  /** JSON text of the event; null sends none. */
  readonly payload: string | null;
  readonly clientContext: string | null;
  readonly logType: string | null;
}

export interface LambdaAnswer {
  readonly status: number;
  readonly requestId: string;
  readonly executedVersion: string | null;
  readonly functionError: string | null;
  readonly logResult: string | null;
  readonly payload: string;
}

/** `keys` are those of an assumed role; null means the worker's own. */
export type LambdaClient = (
  request: LambdaRequest,
  signal: AbortSignal,
  keys: Keys | null,
) => Promise<LambdaAnswer>;
/** Null when nothing says how to reach Lambda. */
export type LambdaClientFactory = () => Promise<LambdaClient | null>;

export interface LambdaHandlers {
  readonly invoke: Handler;
  /** The handler of a function ARN written as `Resource`: its result is the payload itself. */
  forArn(arn: string): Handler;
}

export interface LambdaOptions {
  readonly config: Config;
  readonly localFunction: (name: string) => Handler | null;
  readonly client?: LambdaClientFactory | null;
  /** Keys of the role in the state's `Credentials`. */
  readonly keysOf?: KeysOf;
}

const INVOKE_PARAMETERS: JsonObject = {
  type: 'object',
  required: ['FunctionName'],
  properties: {
    FunctionName: { type: 'string', minLength: 1 },
    Payload: {},
    Qualifier: { type: 'string', minLength: 1 },
    InvocationType: { enum: ['RequestResponse', 'Event', 'DryRun'] },
    ClientContext: { type: 'string' },
    LogType: { enum: ['None', 'Tail'] },
  },
  additionalProperties: false,
};

export function createLambdaHandlers(options: LambdaOptions): LambdaHandlers {
  const makeClient = options.client ?? (() => defaultClient(options.config));
  let client: Promise<LambdaClient | null> | null = null;
  const send = async (request: LambdaRequest, context: HandlerContext): Promise<LambdaAnswer> => {
    client ??= options.client === null ? Promise.resolve(null) : makeClient();
    const call = await client;
    if (call === null) throw notConfigured(request.functionName);
    const keys = (await options.keysOf?.(context)) ?? null;
    return translateErrors(request, context, () => call(request, context.signal, keys));
  };
  return {
    invoke: {
      resource: 'lambda:invoke',
      description: 'Invokes a Lambda function: one mapped in "functions", or the real one.',
      parameters: INVOKE_PARAMETERS,
      onWorkerLost: 'rerun',
      run: (parameters, context) => invoke(parameters as JsonObject, context, options, send),
    },
    forArn: (arn) => ({
      resource: arn,
      description: `Invokes ${arn}`,
      parameters: {},
      onWorkerLost: 'rerun',
      run: async (parameters, context) => {
        const answer = await send(requestFor(arn, JSON.stringify(parameters)), context);
        return payloadOf(answer);
      },
    }),
  };
}

type Send = (request: LambdaRequest, context: HandlerContext) => Promise<LambdaAnswer>;

async function invoke(
  parameters: JsonObject,
  context: HandlerContext,
  options: LambdaOptions,
  send: Send,
): Promise<Json> {
  const request = readRequest(parameters);
  const local = options.localFunction(functionNameOf(request.functionName));
  const answer =
    local === null ? await send(request, context) : await runLocally(local, request, context);
  const payload = payloadOf(answer);
  const { executedVersion, logResult, requestId, status } = answer;
  return {
    ...(executedVersion === null ? {} : { ExecutedVersion: executedVersion }),
    ...(logResult === null ? {} : { LogResult: logResult }),
    Payload: payload,
    ...sdkMetadata(headersOf(answer), requestId, status),
    StatusCode: status,
  };
}

function readRequest(parameters: JsonObject): LambdaRequest {
  const text = (key: string): string | null => {
    const value = getOwn(parameters, key);
    return typeof value === 'string' ? value : null;
  };
  return {
    ...requestFor(text('FunctionName') ?? '', payloadText(getOwn(parameters, 'Payload'))),
    qualifier: text('Qualifier'),
    invocationType: (text('InvocationType') ??
      'RequestResponse') as LambdaRequest['invocationType'],
    clientContext: text('ClientContext'),
    logType: text('LogType'),
  };
}

function requestFor(functionName: string, payload: string | null): LambdaRequest {
  return {
    functionName,
    qualifier: null,
    invocationType: 'RequestResponse',
    payload,
    clientContext: null,
    logType: null,
  };
}

/** A text is sent as it is (recorded: the text `0.0` arrives as the number 0.0), null is no payload. */
function payloadText(payload: Json | undefined): string | null {
  if (payload === undefined || payload === null) return null;
  return typeof payload === 'string' ? payload : JSON.stringify(payload);
}

/** A function of the configuration in the shape of an answer; its failure is thrown as it is. */
async function runLocally(
  handler: Handler,
  request: LambdaRequest,
  context: HandlerContext,
): Promise<LambdaAnswer> {
  const requestId = uuidOf(context.idempotencyKey);
  const event = parseEvent(request, requestId);
  const answer = { requestId, executedVersion: '$LATEST', functionError: null, logResult: null };
  if (request.invocationType === 'DryRun') return { ...answer, status: 204, payload: '' };
  const result = await handler.run(event, context);
  if (request.invocationType === 'Event') return { ...answer, status: 202, payload: '' };
  return { ...answer, status: 200, payload: JSON.stringify(result) };
}

function parseEvent({ payload }: LambdaRequest, requestId: string): Json {
  if (payload === null || payload === '') return {};
  try {
    return JSON.parse(payload) as Json;
  } catch (error) {
    const code = 'InvalidRequestContentException';
    const message = `Could not parse request body into json: ${(error as Error).message}`;
    const details = { service: 'AWSLambda', status: 400, code };
    throw new TaskFailure(`Lambda.${code}`, serviceCause(message, details, requestId));
  }
}

/** The payload as JSON; text that is no JSON stays text. A function's own error is thrown. */
function payloadOf(answer: LambdaAnswer): Json {
  const payload = parsePayload(answer.payload);
  if (answer.functionError === null) return payload;
  const errorType = isObject(payload) ? getOwn(payload, 'errorType') : undefined;
  if (typeof errorType === 'string') throw new TaskFailure(errorType, answer.payload);
  throw new TaskFailure(
    'Lambda.Unknown',
    'The cause could not be determined because Lambda did not return an error type. ' +
      `Returned payload: ${answer.payload}`,
  );
}

function parsePayload(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

function headersOf(answer: LambdaAnswer): Record<string, string> {
  return {
    ...(answer.executedVersion === null
      ? {}
      : { 'X-Amz-Executed-Version': answer.executedVersion }),
    'x-amzn-Remapped-Content-Length': '0',
    Connection: 'keep-alive',
    'Content-Length': String(Buffer.byteLength(answer.payload)),
    Date: new Date().toUTCString(),
    'X-Amzn-Trace-Id': `Root=1-${uuidOf(answer.requestId).replaceAll('-', '')};Sampled=0`,
    'Content-Type': 'application/json',
  };
}

async function translateErrors(
  request: LambdaRequest,
  context: HandlerContext,
  call: () => Promise<LambdaAnswer>,
): Promise<LambdaAnswer> {
  try {
    return await call();
  } catch (error) {
    if (context.signal.aborted) throw context.signal.reason;
    const { name, message, $metadata: answer } = error as ServiceError;
    if (answer?.httpStatusCode === undefined) {
      const reason = `Cannot reach Lambda for ${request.functionName}: ${message}`;
      throw new TaskFailure('Lambda.SdkClientException', reason);
    }
    const details = { service: 'AWSLambda', status: answer.httpStatusCode, code: name };
    throw new TaskFailure(
      `Lambda.${name}`,
      serviceCause(message, details, answer.requestId ?? uuidOf(context.idempotencyKey)),
    );
  }
}

interface ServiceError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string };
}

function notConfigured(functionName: string): TaskFailure {
  const name = functionNameOf(functionName);
  return new TaskFailure(
    'Lambda.ResourceNotFoundException',
    `Function not found: ${functionName}. To run it here add "functions": {"${name}": ` +
      `"./functions/${name}.js#handler"} to stepwell.config.json; to call AWS set AWS_REGION and ` +
      'credentials, or AWS_ENDPOINT_URL_LAMBDA.',
  );
}

async function defaultClient(config: Config): Promise<LambdaClient | null> {
  const { env } = process;
  const endpoint = env.AWS_ENDPOINT_URL_LAMBDA ?? env.AWS_ENDPOINT_URL ?? config.aws.endpoint;
  const hasCredentials = namesCredentials(env);
  if (endpoint === null && !hasCredentials) return null;
  const { InvokeCommand, LambdaClient: SdkClient } = await import('@aws-sdk/client-lambda');
  const region = regionOf(env, config);
  const ownKeys = hasCredentials ? null : { accessKeyId: 'test', secretAccessKey: 'test' };
  const makeClient = (keys: Keys | null) =>
    new SdkClient({
      region,
      maxAttempts: 1, // Retrying is the machine's decision, and a repeat may run the function twice.
      ...(endpoint === null ? {} : { endpoint }),
      ...(keys === null ? {} : { credentials: keys }),
    });
  const own = makeClient(ownKeys);
  return async (request, signal, keys) => {
    const client = keys === null ? own : makeClient(keys);
    const { functionName, qualifier, invocationType, payload, clientContext, logType } = request;
    const command = new InvokeCommand({
      FunctionName: functionName,
      InvocationType: invocationType,
      ...(qualifier === null ? {} : { Qualifier: qualifier }),
      ...(payload === null ? {} : { Payload: Buffer.from(payload) }),
      ...(clientContext === null ? {} : { ClientContext: clientContext }),
      ...(logType === null ? {} : { LogType: logType as 'None' | 'Tail' }),
    });
    const answer = await client.send(command, { abortSignal: signal });
    return {
      status: answer.StatusCode ?? 200,
      requestId: answer.$metadata.requestId ?? '',
      executedVersion: answer.ExecutedVersion ?? null,
      functionError: answer.FunctionError ?? null,
      logResult: answer.LogResult ?? null,
      payload: Buffer.from(answer.Payload ?? new Uint8Array()).toString('utf8'),
    };
  };
}
