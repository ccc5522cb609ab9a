/**
 * The request of an HTTP task (reference 13.3): pure. Parameters and connection become URL, headers and
 * body; what AWS forbids is `States.Runtime`.
 */
import { getOwn, isArray, isObject, type Json, type JsonObject, withKey } from '../lib/json.js';
import { TaskFailure } from './handler.js';
import type { ConnectionValues } from './http-invoke-connections.js';

export interface HttpRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: Headers;
  readonly body: string | null;
}

export const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD'] as const;

/** AWS asks for no more than fits into a state's result. */
export const MAX_RESPONSE_BYTES = 262_144;

const FORBIDDEN = new Set(
  `a-im accept-charset accept-datetime accept-encoding authorization cache-control connection
  content-encoding content-md5 date expect forwarded from host http2-settings max-forwards origin pragma
  proxy-authorization referer server te trailer transfer-encoding upgrade via warning`.split(/\s+/),
);
const FORBIDDEN_START = /^(if-|x-forwarded-|x-amz-|x-amzn-)/;

export function buildRequest(
  parameters: JsonObject,
  connection: ConnectionValues,
  region: string,
): HttpRequest {
  const method = text(parameters, 'Method').toUpperCase();
  if (!METHODS.some((known) => known === method)) {
    throw runtimeProblem(
      `The Method ${JSON.stringify(method)} is not one of ${METHODS.join(', ')}.`,
    );
  }
  const url = readUrl(text(parameters, 'ApiEndpoint'));
  addQuery(url, getOwn(parameters, 'QueryParameters') ?? {}, connection.query);
  const headers = readHeaders(getOwn(parameters, 'Headers') ?? {});
  for (const [name, value] of Object.entries(connection.headers)) headers.set(name, value);
  const body = readBody(parameters, connection.body, headers);
  if (body !== null && (method === 'GET' || method === 'HEAD')) {
    throw runtimeProblem(`A ${method} request cannot have a RequestBody.`);
  }
  headers.set('User-Agent', `Amazon|StepFunctions|HttpInvoke|${region}`);
  headers.set('Range', `bytes=0-${MAX_RESPONSE_BYTES}`);
  return { url, method, headers, body };
}

export function runtimeProblem(reason: string): TaskFailure {
  return new TaskFailure('States.Runtime', reason);
}

function text(parameters: JsonObject, name: string): string {
  const value = getOwn(parameters, name);
  if (typeof value === 'string' && value !== '') return value;
  throw runtimeProblem(`The field "${name}" is required but was missing`);
}

function readUrl(endpoint: string): URL {
  if (URL.canParse(endpoint)) {
    const url = new URL(endpoint);
    if (/^https?:$/.test(url.protocol)) return url;
  }
  throw runtimeProblem(`The ApiEndpoint ${JSON.stringify(endpoint)} is not an http or https URL.`);
}

/** A text is a query string; lists repeat their name. The connection's values win. */
function addQuery(url: URL, given: Json, own: Readonly<Record<string, string>>): void {
  const pairs: (readonly [string, string])[] = [];
  if (typeof given === 'string') pairs.push(...new URLSearchParams(given));
  else if (isObject(given)) {
    for (const [name, value] of Object.entries(given)) {
      for (const item of isArray(value) ? value : [value]) pairs.push([name, scalar(item)]);
    }
  } else throw runtimeProblem('QueryParameters must be an object or a string.');
  for (const [name, value] of pairs) {
    if (!Object.hasOwn(own, name)) url.searchParams.append(name, value);
  }
  for (const [name, value] of Object.entries(own)) url.searchParams.set(name, value);
}

function readHeaders(given: Json): Headers {
  if (!isObject(given)) throw runtimeProblem('Headers must be an object.');
  const headers = new Headers();
  for (const [name, value] of Object.entries(given)) {
    const lower = name.toLowerCase();
    if (FORBIDDEN.has(lower) || FORBIDDEN_START.test(lower)) {
      throw runtimeProblem(`The header "${name}" is not supported by HTTP tasks.`);
    }
    try {
      for (const item of isArray(value) ? value : [value]) headers.append(name, scalar(item));
    } catch {
      throw runtimeProblem(`The header "${name}" is not valid.`);
    }
  }
  return headers;
}

function readBody(
  parameters: JsonObject,
  own: Readonly<Record<string, string>>,
  headers: Headers,
): string | null {
  const given = getOwn(parameters, 'RequestBody');
  const adds = Object.keys(own).length > 0;
  if (given === undefined && !adds) return null;
  if (given !== undefined && !isObject(given) && adds) {
    throw runtimeProblem('The connection has body parameters, so RequestBody must be an object.');
  }
  const body = Object.entries(own).reduce<Json>(
    (made, [name, value]) => withKey(made as JsonObject, name, value),
    given ?? {},
  );
  const transform = getOwn(parameters, 'Transform');
  const encoding = isObject(transform) ? getOwn(transform, 'RequestBodyEncoding') : undefined;
  if (encoding === 'URL_ENCODED') {
    headers.set('Content-Type', 'application/x-www-form-urlencoded');
    return formEncode(body, arrayFormat(transform as JsonObject));
  }
  if (encoding !== undefined && encoding !== 'NONE') {
    throw runtimeProblem('RequestBodyEncoding must be NONE or URL_ENCODED.');
  }
  if (!headers.has('Content-Type')) headers.set('Content-Type', 'application/json');
  return typeof body === 'string' ? body : JSON.stringify(body);
}

const ARRAY_FORMATS = ['INDICES', 'REPEAT', 'COMMAS', 'BRACKETS'] as const;
export type ArrayFormat = (typeof ARRAY_FORMATS)[number];

function arrayFormat(transform: JsonObject): ArrayFormat {
  const options = getOwn(transform, 'RequestEncodingOptions');
  const given = isObject(options) ? (getOwn(options, 'ArrayFormat') ?? 'INDICES') : 'INDICES';
  const known = ARRAY_FORMATS.find((format) => format === given);
  if (known !== undefined) return known;
  throw runtimeProblem(`ArrayFormat must be one of ${ARRAY_FORMATS.join(', ')}.`);
}

/** `a=1&b[0]=2&c[d]=3`: the form of AWS's documentation for each ArrayFormat. */
export function formEncode(body: Json, format: ArrayFormat): string {
  if (!isObject(body)) throw runtimeProblem('Only a JSON object can be sent URL_ENCODED.');
  const pairs: string[] = [];
  for (const [name, value] of Object.entries(body)) {
    collect(encodeURIComponent(name), value, format, pairs);
  }
  return pairs.join('&');
}

function collect(name: string, value: Json, format: ArrayFormat, pairs: string[]): void {
  if (isArray(value)) collectList(name, value, format, pairs);
  else if (isObject(value)) {
    for (const [key, item] of Object.entries(value)) {
      collect(`${name}[${encodeURIComponent(key)}]`, item, format, pairs);
    }
  } else pairs.push(`${name}=${encodeURIComponent(scalar(value))}`);
}

function collectList(
  name: string,
  items: readonly Json[],
  format: ArrayFormat,
  pairs: string[],
): void {
  if (format === 'COMMAS') {
    pairs.push(`${name}=${items.map((item) => encodeURIComponent(scalar(item))).join(',')}`);
    return;
  }
  items.forEach((item, index) => {
    const place = { INDICES: `[${index}]`, BRACKETS: '[]', REPEAT: '' }[format];
    collect(`${name}${place}`, item, format, pairs);
  });
}

function scalar(value: Json): string {
  if (value === null) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
