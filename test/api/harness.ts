/** A whole server over a memory store, without handlers: for tests and as a stand-in. */
import { coreDefinitions } from '../../src/api/core-definitions.js';
import { type RunningServer, type ServerOptions, startServer } from '../../src/api/server.js';
import type { Resources } from '../../src/runtime/dispatcher.js';
import { createEngine } from '../../src/runtime/engine.js';
import type { Engine } from '../../src/runtime/face.js';
import { MemoryStore } from '../../src/store/memory.js';
import type { Store } from '../../src/store/store.js';

const NO_HANDLERS: Resources = {
  resolve: (resource) => (/:activity:/.test(resource) ? { handler: null } : null),
  explainUnknown: (resource) => `There is no handler for ${resource}.`,
};

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

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
      services: { scratchRoot: '/tmp', log: quiet, secret: () => '' } as never,
      log: quiet as never,
    }));
  const server = await startServer({
    host: '127.0.0.1',
    port: 0,
    engine,
    store,
    definitions: coreDefinitions(true),
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
