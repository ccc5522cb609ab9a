/**
 * Children that a failover took along, while their parents' journals are whole: as on a Cluster, where each master
 * fails over by itself. Here they are taken out of a real Redis. Parents find that out and begin them again.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { coreDefinitions } from '../../src/api/core-definitions.js';
import { createContext } from '../../src/api/server.js';
import { executionService } from '../../src/cli/executions.js';
import { createExecutionHandler } from '../../src/handlers/execution.js';
import { createExecutionServiceSlot } from '../../src/handlers/execution-service.js';
import { parseConfig } from '../../src/handlers/config/load.js';
import { createRegistry } from '../../src/handlers/registry.js';
import type { ExecutionArn } from '../../src/lib/brand.js';
import type { JsonObject } from '../../src/lib/json.js';
import { createEngine } from '../../src/runtime/engine.js';
import { createInspector } from '../../src/runtime/test-state/inspector.js';
import { RedisStore } from '../../src/store/redis.js';
import { RedisPeers } from '../../src/workers/open-peers.js';
import { assertJournalLaws } from '../sim/laws.js';
import { silentLog, testServices } from '../support/scripted-handlers.js';
import {
  DURABLE,
  REDIS_MISSING,
  type RedisServer,
  redisBinary,
  startRedis,
} from './support/redis.js';

const binary = redisBinary();
if (binary === null) console.warn(REDIS_MISSING);

const config = parseConfig({}, { path: null, base: '/tmp' });
async function openSide(url: string) {
  const store = await RedisStore.open(url);
  const slot = createExecutionServiceSlot();
  const handlers = [createExecutionHandler(slot.service)];
  const resources = createRegistry({ config, handlers, lambdaClient: null });
  const services = testServices();
  const peers = new RedisPeers({
    ...{ url, store, log: silentLog, globs: [], concurrency: 50, role: 'worker', drives: true },
    times: { signMs: 200, leaseMs: 1_000 },
    sweepMs: 1_000,
  });
  const engine = await createEngine({ store, resources, services, log: silentLog, peers });
  const api = createContext({
    engine,
    store,
    definitions: coreDefinitions(true),
    inspect: createInspector(resources, services),
  });
  const service = executionService(api);
  slot.fill(service);
  const signal = new AbortController().signal;
  return {
    store,
    engine,
    call: (operation: string, members: JsonObject) => service.call(operation, members, signal),
    close: async () => {
      await engine.close();
      await store.close();
    },
  };
}

type Side = Awaited<ReturnType<typeof openSide>>;

describe.skipIf(binary === null)('children that are not in the store any more', () => {
  let server: RedisServer;
  let side: Side;
  beforeEach(async () => {
    server = await startRedis(binary as string, DURABLE);
    side = await openSide(server.url);
  });
  afterEach(async () => {
    await side.close();
    await server.stop();
  });

  const machine = async (name: string, state: JsonObject): Promise<string> => {
    const definition = JSON.stringify({ StartAt: 'S', States: { S: { ...state, End: true } } });
    const roleArn = 'arn:aws:iam::123456789012:role/test';
    const made = await side.call('CreateStateMachine', { name, definition, roleArn });
    return made.stateMachineArn as string;
  };

  const start = async (stateMachineArn: string, input: JsonObject = {}): Promise<ExecutionArn> => {
    const members = { stateMachineArn, name: 'parent', input: JSON.stringify(input) };
    const started = await side.call('StartExecution', members);
    return started.executionArn as ExecutionArn;
  };

  const childrenOf = async (parent: ExecutionArn, count: number): Promise<ExecutionArn[]> => {
    const others = async () =>
      (await side.store.list({}, 100, null)).items
        .map(({ arn }) => arn)
        .filter((arn) => arn !== parent);
    await expect.poll(async () => (await others()).length, { timeout: 10_000 }).toBe(count);
    return others();
  };

  const cutConnections = () => server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');

  const ends = async (arn: ExecutionArn) => {
    const state = await side.engine.ended(arn, AbortSignal.timeout(30_000));
    assertJournalLaws((await side.engine.facts(arn)) ?? []);
    return state;
  };

  it.each([
    ['and nobody is told', false],
    ['and the connection was lost', true],
  ])(
    'a nested execution is started again, %s',
    async (_how, cut) => {
      const child = await machine('Child', { Type: 'Wait', Seconds: 2 });
      const parent = await start(
        await machine('Parent', {
          Type: 'Task',
          Resource: 'arn:aws:states:::states:startExecution.sync:2',
          Parameters: { StateMachineArn: child },
        }),
      );
      const [lost] = (await childrenOf(parent, 1)) as [ExecutionArn];
      await expect
        .poll(async () =>
          (await side.engine.facts(parent))?.some(({ type }) => type === 'TaskSubmitted'),
        )
        .toBe(true);
      await side.store.remove(lost);
      if (cut) await cutConnections();
      expect((await ends(parent)).outcome).toMatchObject({
        ok: true,
        output: { ExecutionArn: lost },
      });
      expect((await side.store.row(lost))?.status).toBe('SUCCEEDED');
    },
    40_000,
  );

  it('children of a Map Run are started again, and each counts once', async () => {
    const parent = await start(
      await machine('Mapped', {
        Type: 'Map',
        ItemsPath: '$.items',
        ItemProcessor: {
          ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
          StartAt: 'W',
          States: { W: { Type: 'Wait', Seconds: 1, End: true } },
        },
      }),
      { items: [1, 2, 3, 4] },
    );
    const children = await childrenOf(parent, 4);
    for (const lost of children.slice(1, 3)) await side.store.remove(lost);
    await cutConnections();
    expect((await ends(parent)).outcome).toEqual({ ok: true, output: [1, 2, 3, 4] });
    const { mapRuns } = await side.call('ListMapRuns', { executionArn: parent });
    const [{ mapRunArn }] = mapRuns as [{ mapRunArn: string }];
    const described = await side.call('DescribeMapRun', { mapRunArn });
    expect(described.executionCounts).toMatchObject({ total: 4, succeeded: 4, failed: 0 });
  }, 40_000);
});
