/** The OpenAPI 3.1 document, made from the routes themselves. */
import type { JsonObject } from '../../lib/json.js';
import type { Route } from './route.js';

export function openApiDocument(routes: readonly Route[], version: string): JsonObject {
  const paths: Record<string, Record<string, JsonObject>> = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method] = operation(route);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Stepwell',
      version,
      description:
        'State machines in Amazon States Language. The same engine answers the AWS Step Functions ' +
        'API (AWS JSON 1.0) at POST /.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: { schemas: { Problem: PROBLEM } },
  };
}

const PROBLEM: JsonObject = {
  type: 'object',
  description: "RFC 9457. `title` is AWS's error code, `detail` its message.",
  required: ['type', 'title', 'status'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
  },
};

function operation(route: Route): JsonObject {
  const [status, meaning] = route.success;
  const stream = route.id === 'streamExecutionEvents';
  const type = stream ? 'text/event-stream' : 'application/json';
  const content = status === 204 ? {} : { content: { [type]: { schema: {} } } };
  return {
    operationId: route.id,
    summary: route.summary,
    parameters: [...pathParameters(route.path), ...queryParameters(route.query ?? {})],
    ...(route.body === undefined
      ? {}
      : { requestBody: { content: { 'application/json': { schema: route.body } } } }),
    responses: {
      [String(status)]: { description: meaning, ...content },
      default: {
        description: 'What is wrong, in the words of AWS.',
        content: {
          'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
        },
      },
    },
  };
}

function pathParameters(path: string): readonly JsonObject[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name: name as string,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

function queryParameters(query: Readonly<Record<string, string>>): readonly JsonObject[] {
  return Object.entries(query).map(([name, description]) => ({
    name,
    in: 'query',
    description,
    schema: { type: 'string' },
  }));
}
