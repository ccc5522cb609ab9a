/** A whole server over a memory store, without handlers: for tests and as a stand-in. */
import { activityExistsIn } from '../../src/api/activities.js';
import { coreDefinitions } from '../../src/api/core-definitions.js';
import { type RunningServer, type ServerOptions, startServer } from '../../src/api/server.js';
import type { Resources } from '../../src/runtime/dispatcher.js';
import { createEngine } from '../../src/runtime/engine.js';
import { createInspector } from '../../src/runtime/test-state/inspector.js';
import type { Engine } from '../../src/runtime/face.js';
import { MemoryStore } from '../../src/store/memory.js';
import type { Store } from '../../src/store/store.js';

const NO_HANDLERS: Resources = {
  resolve: (resource) => (/:activity:/.test(resource) ? { handler: null } : null),
  explainUnknown: (resource) => `There is no handler for ${resource}.`,
};

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

const NO_SERVICES = { scratchRoot: '/tmp', log: quiet, secret: () => '' } as never;

export interface Harness extends RunningServer {
  readonly engine: Engine;
  readonly store: Store;
}

export async function startHarness(options: Partial<ServerOptions> = {}): Promise<Harness> {
  const store = options.store ?? new MemoryStore();
  const engine =
    options.engine ??
    (await createEngine({
      store,
      resources: NO_HANDLERS,
      services: NO_SERVICES,
      log: quiet as never,
      activityExists: activityExistsIn(store.documents),
    }));
  const server = await startServer({
    host: '127.0.0.1',
    port: 0,
    engine,
    store,
    definitions: coreDefinitions(true),
    inspect: createInspector(NO_HANDLERS, NO_SERVICES),
    ...options,
  });
  return {
    ...server,
    engine,
    store,
    close: async () => {
      await server.close();
      await engine.close();
      await store.close();
    },
  };
}

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at member by member.
  readonly body: any;
}

/** One AWS JSON 1.0 request; `init` overrides headers or body. */
export async function call(
  url: string,
  operation: string,
  members: unknown = {},
  init: { readonly headers?: Record<string, string>; readonly body?: string | Uint8Array } = {},
): Promise<Reply> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/x-amz-json-1.0',
      'X-Amz-Target': `AWSStepFunctions.${operation}`,
      ...init.headers,
    },
    body: init.body ?? JSON.stringify(members),
  });
  return readReply(response);
}

export async function readReply(response: Response): Promise<Reply> {
  const text = await response.text();
  const { status, headers } = response;
  return { status, headers, body: text === '' ? null : JSON.parse(text) };
}

export const ROLE = 'arn:aws:iam::123456789012:role/test';
export const PASS = JSON.stringify({
  StartAt: 'P',
  States: { P: { Type: 'Pass', Result: { done: true }, End: true } },
});
export const WAIT = JSON.stringify({
  StartAt: 'W',
  States: { W: { Type: 'Wait', Seconds: 3600, End: true } },
});
export const FAIL = JSON.stringify({
  StartAt: 'F',
  States: { F: { Type: 'Fail', Error: 'Oops', Cause: 'Because' } },
});

let counter = 0;
export function uniqueName(stem: string): string {
  return `${stem}-${process.pid}-${++counter}`;
}

/** Creates a machine and answers its ARN. */
export async function createMachine(
  url: string,
  definition = PASS,
  more: Record<string, unknown> = {},
): Promise<string> {
  const name = uniqueName('machine');
  const reply = await call(url, 'CreateStateMachine', {
    name,
    definition,
    roleArn: ROLE,
    ...more,
  });
  if (reply.status !== 200) throw new Error(JSON.stringify(reply.body));
  return reply.body.stateMachineArn as string;
}

/** Starts an execution, waits for its end and answers DescribeExecution. */
// biome-ignore lint/suspicious/noExplicitAny: answers are looked at member by member.
export async function runToEnd(url: string, machine: string, input = '{}'): Promise<any> {
  const { body } = await call(url, 'StartExecution', { stateMachineArn: machine, input });
  for (;;) {
    const reply = await call(url, 'DescribeExecution', { executionArn: body.executionArn });
    if (reply.body.status !== 'RUNNING') return reply.body;
    await new Promise((wake) => setTimeout(wake, 5));
  }
}
