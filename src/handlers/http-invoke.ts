/**
 * `http:invoke`: a request to any HTTP API, with a connection's credentials, through the guarded fetch.
 * Redirects are not followed (they could carry the credentials elsewhere): like every answer outside 2xx
 * they fail the task as `States.Http.StatusCode.<n>`.
 */
import { getOwn, isObject, type Json, type JsonObject } from '../lib/json.js';
import { type Handler, type HandlerContext, narrowed, TaskFailure } from './handler.js';
import {
  type Connection,
  connectionValues,
  createTokenCache,
  findConnection,
  type TokenCache,
} from './http-invoke-connections.js';
import {
  buildRequest,
  type HttpRequest,
  MAX_RESPONSE_BYTES,
  runtimeProblem,
} from './http-invoke-request.js';

export interface HttpInvokeOptions {
  readonly connections: ReadonlyMap<string, Connection>;
  readonly region: string;
  readonly timeoutMs?: number;
}

/** AWS: "HTTP Tasks have a timeout of 60 seconds". */
const TIMEOUT_MS = 60_000;
/** A cause may be this long (reference 9). */
const MAX_CAUSE_CHARACTERS = 32_768;

export function createHttpInvokeHandler(options: HttpInvokeOptions): Handler {
  const tokens = createTokenCache();
  return {
    resource: 'http:invoke',
    description: 'Calls an HTTP API with the credentials of a connection in "connections".',
    parameters: {},
    // A request may have been made already; AWS, too, may repeat one.
    onWorkerLost: 'rerun',
    run: (parameters, context) => invoke(options, tokens, parameters, context),
  };
}

async function invoke(
  options: HttpInvokeOptions,
  tokens: TokenCache,
  given: Json,
  context: HandlerContext,
): Promise<Json> {
  const parameters = isObject(given) ? given : {};
  const connection = findConnection(options.connections, connectionArn(parameters));
  const timeout = AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS);
  const limited = narrowed(context, { signal: AbortSignal.any([context.signal, timeout]) });
  const attempt = async (fresh: boolean): Promise<HttpAnswer> => {
    const values = await connectionValues(connection, limited, tokens, fresh);
    return send(buildRequest(parameters, values, options.region), limited);
  };
  try {
    const first = await attempt(false);
    // An access token may have been withdrawn before its time.
    const stale = first.status === 401 && connection.authorization.type.startsWith('OAUTH');
    return resultOf(stale ? await attempt(true) : first);
  } catch (error) {
    throw socketFailure(error, parameters, context.signal, timeout);
  }
}

function connectionArn(parameters: JsonObject): string {
  for (const place of ['Authentication', 'InvocationConfig']) {
    const holder = getOwn(parameters, place);
    const arn = isObject(holder) ? getOwn(holder, 'ConnectionArn') : undefined;
    if (typeof arn === 'string') return arn;
  }
  throw runtimeProblem('The field "Authentication.ConnectionArn" is required but was missing');
}

export interface HttpAnswer {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  readonly text: string;
}

export async function send(request: HttpRequest, context: HandlerContext): Promise<HttpAnswer> {
  const { url, method, headers, body } = request;
  const response = await context.fetch(url, {
    method,
    headers,
    ...(body === null ? {} : { body }),
    redirect: 'manual',
    signal: context.signal,
  });
  const { status, statusText } = response;
  if (isBinary(response.headers.get('content-type'))) {
    await response.body?.cancel();
    throw runtimeProblem(
      `The response's Content-Type ${response.headers.get('content-type')} is not supported.`,
    );
  }
  return { status, statusText, headers: response.headers, text: await readText(response) };
}

const BINARY =
  /^(image|audio|video|font)\/|^application\/(octet-stream|pdf|zip|gzip|x-tar|wasm|msword|vnd\.(ms-|openxmlformats))/i;

function isBinary(type: string | null): boolean {
  return type !== null && BINARY.test(type.trim()) && !/\+(xml|json)/i.test(type);
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_RESPONSE_BYTES) {
      throw new TaskFailure(
        'States.DataLimitExceeded',
        "The state/task 'http' returned a result with a size exceeding the maximum number of bytes " +
          'service limit.',
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function resultOf(answer: HttpAnswer): Json {
  const { status, text } = answer;
  if (status < 200 || status > 299) {
    const cause = text.slice(0, MAX_CAUSE_CHARACTERS);
    throw new TaskFailure(`States.Http.StatusCode.${status}`, cause);
  }
  return httpResult(answer);
}

/** `{Headers, ResponseBody, StatusCode, StatusText}`; a JSON body becomes JSON. */
export function httpResult({ status, statusText, headers, text }: HttpAnswer): JsonObject {
  const type = headers.get('content-type') ?? '';
  return {
    Headers: Object.fromEntries([...headers].map(([name, value]) => [name, [value]])),
    ResponseBody: /[/+]json\b/i.test(type) ? parsed(text) : text,
    StatusCode: status,
    StatusText: statusText,
  };
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

function socketFailure(
  error: unknown,
  parameters: JsonObject,
  signal: AbortSignal,
  timeout: AbortSignal,
): unknown {
  if (error instanceof TaskFailure) return error;
  if (signal.aborted) return signal.reason;
  const endpoint = String(getOwn(parameters, 'ApiEndpoint'));
  const { message, cause } = error as Error;
  const detail = cause instanceof Error ? cause.message : message;
  const reason = timeout.aborted ? `no answer within ${TIMEOUT_MS / 1000} seconds` : detail;
  return new TaskFailure('States.Http.Socket', `No answer from ${endpoint}: ${reason}`);
}
