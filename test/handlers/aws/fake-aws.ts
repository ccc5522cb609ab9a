/** A stand-in for AWS over real HTTP, and integrations that reach it: what goes in and out is the wire. */
import { type AwsIntegrations, createAws } from '../../../src/handlers/aws/index.js';
import type { Config } from '../../../src/handlers/config/config.js';
import type { Handler, HandlerContext } from '../../../src/handlers/handler.js';
import { createRegistry } from '../../../src/handlers/registry.js';
import type { Json, JsonObject } from '../../../src/lib/json.js';
import {
  createWorld,
  type Received,
  startWebServer,
  type WebServer,
  type World,
} from '../world.js';

export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface FakeAws {
  readonly web: WebServer;
  readonly world: World;
  readonly config: Config;
  readonly aws: AwsIntegrations;
  /** Runs a resource as the engine would, through the registry. */
  run(resource: string, parameters: Json, changes?: Partial<HandlerContext>): Promise<Json>;
  handler(resource: string): Handler;
  close(): Promise<void>;
}

export async function startFakeAws(answer: (request: Received) => Reply): Promise<FakeAws> {
  const web = await startWebServer((request, response) => {
    const { status = 200, headers = {}, body = '' } = answer(request);
    response.writeHead(status, headers).end(body);
  });
  const world = await createWorld();
  const config = world.config({});
  const environment = {
    AWS_ENDPOINT_URL: web.url,
    AWS_REGION: 'eu-west-3',
    AWS_ACCESS_KEY_ID: 'key',
    AWS_SECRET_ACCESS_KEY: 'secret',
  };
  // The SDK reads the process's environment itself.
  const before = { ...process.env };
  Object.assign(process.env, environment);
  const aws = createAws({ config, environment, pollMs: { first: 5, longest: 10 } });
  const registry = createRegistry({ config, handlers: aws.handlers, lambdaClient: null });
  const handler = (resource: string): Handler => {
    const found = registry.resolve(resource)?.handler;
    if (!found) throw new Error(`${resource} is unknown`);
    return found;
  };
  return {
    web,
    world,
    config,
    aws,
    handler,
    run: (resource, parameters, changes = {}) => {
      const context = world.context(config, changes);
      const task = { ...context.task, ...changes.task, resource };
      return handler(resource).run(parameters, { ...context, ...changes, task });
    },
    close: async () => {
      for (const name of Object.keys(environment)) {
        const value = before[name];
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
      await web.close();
      await world.close();
    },
  };
}

export function json(body: Json, status = 200, headers: Record<string, string> = {}): Reply {
  return {
    status,
    headers: {
      'Content-Type': 'application/x-amz-json-1.0',
      'x-amzn-RequestId': 'request-1',
      ...headers,
    },
    body: JSON.stringify(body),
  };
}

export function refusal(code: string, message: string): Reply {
  return json({ __type: code, message, Message: message }, 400);
}

export function xml(body: string, status = 200, headers: Record<string, string> = {}): Reply {
  return { status, headers: { 'Content-Type': 'text/xml', ...headers }, body };
}

/** `PutItem` of `x-amz-target: DynamoDB_20120810.PutItem`. */
export function actionOf({ headers }: Received): string {
  return String(headers['x-amz-target'] ?? '').replace(/^.*\./, '');
}

export function bodyOf(request: Received | undefined): JsonObject {
  return JSON.parse(request?.body ?? '{}') as JsonObject;
}
