/**
 * StartExecution over HTTP against a bare express echo of the same body. The servers take turns in
 * one process, the client has one of its own. The ratio is that of processor time per request, which
 * for a server of one thread is that of requests per second, and does not depend on what else the
 * machine is doing. Also the time it takes to validate a machine of 100 states. `tsx bench/api.ts`
 * runs this file alone.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pathToFileURL } from 'node:url';
import express from 'express';
import { coreDefinitions } from '../src/api/core-definitions.js';
import { type RunningServer, startServer } from '../src/api/server.js';
import { validateDefinition } from '../src/core/validate.js';
import type { JsonObject } from '../src/lib/json.js';
import { createEngine } from '../src/runtime/engine.js';
import { createInspector } from '../src/runtime/test-state/inspector.js';
import { MemoryStore } from '../src/store/memory.js';
import { PAYLOAD } from './machines.js';
import { median } from './median.js';

const ROUNDS = 15;
const REQUESTS = 1000;
const CONNECTIONS = 16;
const STATES = 100;
const VALIDATIONS = 50;

/** Plain JavaScript, so that the process needs no loader. Keeps every connection busy. */
const CLIENT = `
const { Agent, request } = require('node:http');
const agent = new Agent({ keepAlive: true, maxSockets: ${CONNECTIONS} });
function once({ port, headers, body }) {
  return new Promise((resolve, reject) => {
    const options = { agent, port, host: '127.0.0.1', method: 'POST', path: '/', headers };
    const sent = request(options, (reply) => {
      reply.resume();
      reply.once('end', () => {
        if (reply.statusCode === 200) resolve();
        else reject(new Error('Status ' + reply.statusCode));
      });
    });
    sent.once('error', reject);
    sent.end(body);
  });
}
process.on('message', async (work) => {
  let left = ${REQUESTS};
  await Promise.all(Array.from({ length: ${CONNECTIONS} }, async () => {
    while (left-- > 0) await once(work);
  }));
  process.send('done');
});
process.on('disconnect', () => process.exit());
`;

interface Target {
  readonly port: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

interface Cost {
  readonly cpuUs: number;
  readonly perS: number;
}

export async function measureApi(): Promise<JsonObject> {
  const client = spawn(process.execPath, ['-e', CLIENT], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const echo = await startEcho();
  const server = await startApi();
  const body = JSON.stringify({
    stateMachineArn: await createMachine(server.url),
    input: JSON.stringify(PAYLOAD),
  });
  const targets = {
    echo: { port: portOf(echo), headers: { 'content-type': 'application/json' }, body },
    stepwell: {
      port: Number(new URL(server.url).port),
      headers: headersOf('StartExecution'),
      body,
    },
  };
  try {
    const rounds = await alternate(client, targets);
    const costs = { echo: medianCost(rounds.echo), stepwell: medianCost(rounds.stepwell) };
    const ratio = median(pairs(rounds.echo, rounds.stepwell));
    console.log(`\nStartExecution over HTTP, memory store (median of ${ROUNDS} x ${REQUESTS})`);
    line('express echo', costs.echo);
    line('stepwell', costs.stepwell);
    console.log(
      `  ${ratio.toFixed(2)} of the echo's requests per second of processor time; bar 0.50 ${ratio >= 0.5 ? 'met' : 'MISSED'}`,
    );
    return {
      ...costs,
      ratio: Number(ratio.toFixed(3)),
      validationMs: measureValidation(),
    } as never;
  } finally {
    client.disconnect();
    echo.close();
    echo.closeAllConnections();
    await server.close();
  }
}

function line(name: string, { cpuUs, perS }: Cost): void {
  const rate = Math.round(perS).toLocaleString('en').padStart(12);
  console.log(`  ${name.padEnd(36)} ${rate}/s  ${cpuUs.toFixed(0)} us of processor time a request`);
}

async function alternate<K extends string>(
  client: ChildProcess,
  targets: Record<K, Target>,
): Promise<Record<K, Cost[]>> {
  const names = Object.keys(targets) as K[];
  const costs = new Map<K, Cost[]>(names.map((name) => [name, []]));
  // Two rounds to warm up.
  for (let round = -2; round < ROUNDS; round++) {
    for (const name of names) {
      const cost = await load(client, targets[name]);
      if (round >= 0) costs.get(name)?.push(cost);
    }
  }
  return Object.fromEntries(costs) as Record<K, Cost[]>;
}

function medianCost(costs: readonly Cost[]): Cost {
  return {
    cpuUs: median(costs.map((cost) => cost.cpuUs)),
    perS: median(costs.map((cost) => cost.perS)),
  };
}

/** Of neighbouring rounds: what slows the machine down slows both. */
function pairs(echo: readonly Cost[], ours: readonly Cost[]): number[] {
  return echo.map(({ cpuUs }, round) => cpuUs / (ours[round]?.cpuUs ?? Number.NaN));
}

function load(client: ChildProcess, target: Target): Promise<Cost> {
  const before = process.cpuUsage();
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const gone = () => reject(new Error('The client ended.'));
    client.once('exit', gone);
    client.once('message', () => {
      client.off('exit', gone);
      const { user, system } = process.cpuUsage(before);
      const seconds = (performance.now() - startedAt) / 1000;
      resolve({ cpuUs: (user + system) / REQUESTS, perS: REQUESTS / seconds });
    });
    client.send(target);
  });
}

/** A machine of 100 states with paths and choices, warm. */
function measureValidation(): number {
  const text = JSON.stringify(hundredStates());
  const times = Array.from({ length: VALIDATIONS }, () => {
    const before = process.cpuUsage();
    const { diagnostics } = validateDefinition(text, { type: 'STANDARD', strict: true });
    if (diagnostics.length > 0) throw new Error(JSON.stringify(diagnostics[0]));
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
  const ms = median(times.slice(VALIDATIONS / 2));
  const verdict = ms < 10 ? 'met' : 'MISSED';
  console.log(`\nValidation of ${STATES} states: ${ms.toFixed(2)} ms warm; bar 10 ms ${verdict}`);
  return Number(ms.toFixed(3));
}

function hundredStates(): JsonObject {
  const states = Array.from({ length: STATES }, (_, index): [string, JsonObject] => {
    const next = `S${index + 1}`;
    if (index === STATES - 1) return [`S${index}`, { Type: 'Succeed' }];
    if (index % 3 === 0) {
      return [`S${index}`, { Type: 'Choice', Choices: [choice(next)], Default: next }];
    }
    if (index % 3 === 1) {
      const Parameters = { 'a.$': '$.b.c[0]', 'n.$': 'States.MathAdd($.a, 1)' };
      return [`S${index}`, { Type: 'Pass', Parameters, ResultPath: '$.result', Next: next }];
    }
    return [`S${index}`, lambdaTask(next)];
  });
  return { StartAt: 'S0', States: Object.fromEntries(states) };
}

function choice(next: string): JsonObject {
  const rules = [
    { Variable: '$.a', NumericGreaterThan: 0 },
    { Variable: '$.text', IsPresent: true },
  ];
  return { And: rules, Next: next };
}

function lambdaTask(next: string): JsonObject {
  return {
    Type: 'Task',
    Resource: 'arn:aws:states:::lambda:invoke',
    Parameters: { FunctionName: 'f', 'Payload.$': '$' },
    Retry: [{ ErrorEquals: ['States.TaskFailed'], MaxAttempts: 2 }],
    Catch: [{ ErrorEquals: ['States.ALL'], Next: next }],
    Next: next,
  };
}

function startEcho(): Promise<Server> {
  const app = express().disable('x-powered-by').disable('etag');
  app.use(express.json());
  app.post('/', (request, response) => void response.json(request.body));
  return new Promise((resolve) => {
    const server = createServer(app);
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}

async function startApi(): Promise<RunningServer> {
  const store = new MemoryStore();
  const silent = (): void => undefined;
  const log = { debug: silent, info: silent, warn: silent, error: console.error };
  const resources = { resolve: () => null, explainUnknown: () => 'unknown' };
  const services = { scratchRoot: '/nonexistent', log } as never;
  const engine = await createEngine({ store, resources, services, log });
  const server = await startServer({
    host: '127.0.0.1',
    port: 0,
    engine,
    store,
    definitions: coreDefinitions(true),
    inspect: createInspector(resources, services),
  });
  return {
    ...server,
    close: async () => {
      await server.close();
      await engine.close();
      await store.close();
    },
  };
}

async function createMachine(url: string): Promise<string> {
  const definition = { StartAt: 'P', States: { P: { Type: 'Pass', End: true } } };
  const reply = await fetch(url, {
    method: 'POST',
    headers: headersOf('CreateStateMachine'),
    body: JSON.stringify({
      name: 'Bench',
      definition: JSON.stringify(definition),
      roleArn: 'arn:aws:iam::123456789012:role/bench',
    }),
  });
  return ((await reply.json()) as { stateMachineArn: string }).stateMachineArn;
}

function headersOf(operation: string): Record<string, string> {
  return {
    'content-type': 'application/x-amz-json-1.0',
    'x-amz-target': `AWSStepFunctions.${operation}`,
  };
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  console.log(JSON.stringify(await measureApi()));
}
