/**
 * `apigateway:invoke[.waitForTaskToken]`: one request through the guarded fetch, signed where AuthType
 * asks for it. Refusals are `ApiGateway.<status>` with the body as cause.
 */
import type { Keys } from './aws/clients.js';
import { signHeaders } from '../lib/sigv4.js';
import { getOwn, isArray, isObject, type Json, type JsonObject, setOwn } from '../lib/json.js';
import { type Handler, type HandlerContext, TaskFailure } from './handler.js';
import { type HttpAnswer, httpResult, send } from './http-invoke.js';
import { METHODS, runtimeProblem } from './http-invoke-request.js';

const PARAMETERS: JsonObject = {
  type: 'object',
  required: ['ApiEndpoint', 'Method'],
  properties: {
    ApiEndpoint: { type: 'string', minLength: 1 },
    Method: { enum: [...METHODS] },
    Stage: { type: 'string' },
    Path: { type: 'string' },
    Headers: { type: 'object' },
    QueryParameters: { type: 'object' },
    RequestBody: {},
    AllowNullValues: { type: 'boolean' },
    AuthType: { enum: ['NO_AUTH', 'IAM_ROLE', 'RESOURCE_POLICY'] },
  },
  additionalProperties: false,
};

/** Who signs: the task's role, or the credentials of this installation. */
export interface ApiGatewaySigner {
  readonly region: string;
  keys(context: HandlerContext): Promise<Keys>;
}

export function createApiGatewayHandler(signer: ApiGatewaySigner): Handler {
  return {
    resource: 'apigateway:invoke',
    description: 'Calls an API behind API Gateway.',
    parameters: PARAMETERS,
    onWorkerLost: 'rerun',
    run: (parameters, context) => invoke(signer, parameters as JsonObject, context),
  };
}

async function invoke(
  signer: ApiGatewaySigner,
  parameters: JsonObject,
  context: HandlerContext,
): Promise<Json> {
  const request = {
    url: urlOf(parameters),
    method: getOwn(parameters, 'Method') as string,
    headers: headersOf(parameters),
    body: bodyOf(parameters),
  };
  const signed = (getOwn(parameters, 'AuthType') ?? 'NO_AUTH') !== 'NO_AUTH';
  if (signed) await sign(signer, request, context);
  const answer = await reach(() => send(request, context), context.signal);
  if (answer.status < 200 || answer.status > 299) {
    throw new TaskFailure(`ApiGateway.${answer.status}`, answer.text);
  }
  return httpResult(answer);
}

function headersOf(parameters: JsonObject): Headers {
  const headers = new Headers();
  for (const [name, value] of pairs(parameters, 'Headers')) headers.append(name, value);
  if (getOwn(parameters, 'RequestBody') !== undefined && !headers.has('content-type')) {
    headers.set('content-type', 'application/json');
  }
  return headers;
}

function bodyOf(parameters: JsonObject): string | null {
  const body = getOwn(parameters, 'RequestBody');
  if (body === undefined) return null;
  if (typeof body === 'string') return body;
  const kept = getOwn(parameters, 'AllowNullValues') === true ? body : withoutNulls(body);
  return JSON.stringify(kept);
}

/** AWS leaves members that are null out of a request unless AllowNullValues is set. */
function withoutNulls(value: Json): Json {
  if (isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  const kept: Record<string, Json> = {};
  for (const [name, member] of Object.entries(value)) {
    if (member !== null) setOwn(kept, name, withoutNulls(member));
  }
  return kept;
}

/** IAM_ROLE and RESOURCE_POLICY: the role's signature over the whole request. */
async function sign(
  signer: ApiGatewaySigner,
  request: { url: URL; method: string; headers: Headers; body: string | null },
  context: HandlerContext,
): Promise<void> {
  const { accessKeyId, secretAccessKey, sessionToken } = await signer.keys(context);
  const { url, method, headers } = request;
  if (sessionToken !== undefined) headers.set('x-amz-security-token', sessionToken);
  const made = signHeaders({
    method,
    url,
    headers: Object.fromEntries(headers),
    body: request.body ?? '',
    service: 'execute-api',
    region: /\.execute-api\.([\w-]+)\./.exec(url.hostname)?.[1] ?? signer.region,
    accessKey: { accessKeyId, secretAccessKey },
  });
  for (const [name, value] of Object.entries(made)) headers.set(name, value);
}

async function reach(call: () => Promise<HttpAnswer>, signal: AbortSignal): Promise<HttpAnswer> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof TaskFailure || signal.aborted) throw error;
    const { cause, message } = error as Error;
    const reason = cause instanceof Error ? cause.message : message;
    throw new TaskFailure('ApiGateway.SdkClientException', reason);
  }
}

/** `id.execute-api.region.amazonaws.com` + stage + path; a stand-in may write `http://host:port`. */
function urlOf(parameters: JsonObject): URL {
  const endpoint = getOwn(parameters, 'ApiEndpoint') as string;
  const base = /^https?:\/\//.test(endpoint) ? endpoint : `https://${endpoint}`;
  if (!URL.canParse(base)) throw runtimeProblem(`The ApiEndpoint "${endpoint}" is not a host.`);
  const url = new URL(base);
  const parts = [url.pathname, getOwn(parameters, 'Stage'), getOwn(parameters, 'Path')];
  const path = parts.filter((part) => typeof part === 'string').join('/');
  url.pathname = path.replaceAll(/\/{2,}/g, '/');
  for (const [name, value] of pairs(parameters, 'QueryParameters')) {
    url.searchParams.append(name, value);
  }
  return url;
}

/** Names with lists of values, as API Gateway's integration writes headers and queries. */
function pairs(parameters: JsonObject, member: string): readonly (readonly [string, string])[] {
  const given = getOwn(parameters, member);
  if (!isObject(given)) return [];
  return Object.entries(given).flatMap(([name, value]) =>
    (isArray(value) ? value : [value]).map(
      (item) => [name, typeof item === 'string' ? item : JSON.stringify(item)] as const,
    ),
  );
}
