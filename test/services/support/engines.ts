/** Several engines of one process, each with peers of its own, on one Redis: as many processes are. */
import { realClock } from '../../../src/runtime/clock.js';
import { createEngine } from '../../../src/runtime/engine.js';
import type { Engine } from '../../../src/runtime/face.js';
import { RedisStore } from '../../../src/store/redis.js';
import type { MemberTimes } from '../../../src/workers/members.js';
import { RedisPeers } from '../../../src/workers/open-peers.js';
import {
  type Script,
  ScriptedHandlers,
  silentLog,
  testServices,
} from '../../support/scripted-handlers.js';

export interface Worker {
  readonly engine: Engine;
  readonly handlers: ScriptedHandlers;
  readonly peers: RedisPeers;
  readonly store: RedisStore;
  /** Stops as SIGTERM does. */
  close(): Promise<void>;
}

export interface WorkerOptions {
  readonly globs?: readonly string[];
  readonly concurrency?: number;
  readonly onWorkerLost?: 'rerun' | 'fail';
  readonly times?: Partial<MemberTimes>;
  readonly errors?: string[];
  readonly sweepMs?: number;
}

export async function openWorker(
  url: string,
  script: Script,
  options: WorkerOptions = {},
): Promise<Worker> {
  const { globs = [], concurrency = 50, onWorkerLost = 'rerun', times = {}, errors } = options;
  const store = await RedisStore.open(url);
  const handlers = new ScriptedHandlers(script, realClock, realClock, onWorkerLost);
  const log = {
    ...silentLog,
    error: (message: string, fields: object = {}) => {
      errors?.push(`${message} ${JSON.stringify(fields)}`);
    },
  };
  const peers = new RedisPeers({
    url,
    store,
    log,
    globs,
    concurrency,
    role: 'worker',
    drives: true,
    times,
    ...(options.sweepMs === undefined ? {} : { sweepMs: options.sweepMs }),
  });
  const services = testServices();
  const engine = await createEngine({ store, resources: handlers, services, log, peers });
  handlers.engine = engine;
  return {
    engine,
    handlers,
    peers,
    store,
    close: async () => {
      await engine.close();
      await store.close();
    },
  };
}
