/**
 * `apigateway:invoke[.waitForTaskToken]` for APIs that ask for no signature: one request through the
 * guarded fetch. Refusals are `ApiGateway.<status>` with the body as cause.
 */
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../lib/json.js';
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

export function createApiGatewayHandler(): Handler {
  return {
    resource: 'apigateway:invoke',
    description: 'Calls an API behind API Gateway that asks for no signature.',
    parameters: PARAMETERS,
    onWorkerLost: 'rerun',
    run: (parameters, context) => invoke(parameters as JsonObject, context),
  };
}

async function invoke(parameters: JsonObject, context: HandlerContext): Promise<Json> {
  if ((getOwn(parameters, 'AuthType') ?? 'NO_AUTH') !== 'NO_AUTH') {
    throw runtimeProblem(
      'Requests to API Gateway are not signed here: only AuthType NO_AUTH works.',
    );
  }
  const method = getOwn(parameters, 'Method') as string;
  const body = getOwn(parameters, 'RequestBody');
  const headers = new Headers();
  for (const [name, value] of pairs(parameters, 'Headers')) headers.append(name, value);
  if (body !== undefined && !headers.has('content-type')) {
    headers.set('content-type', 'application/json');
  }
  const request = {
    url: urlOf(parameters),
    method,
    headers,
    body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
  };
  const answer = await reach(() => send(request, context), context.signal);
  if (answer.status < 200 || answer.status > 299) {
    throw new TaskFailure(`ApiGateway.${answer.status}`, answer.text);
  }
  return httpResult(answer);
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
