/** `stepwell serve`: the Step Functions API and the model endpoints, on one port each other never sees. */
import type { Command } from 'commander';
import { coreDefinitions } from '../../api/core-definitions.js';
import { startServer } from '../../api/server.js';
import type { Log } from '../../api/log.js';
import type { Logger } from '../../handlers/handler.js';
import type { JsonObject } from '../../lib/json.js';
import { createInspector } from '../../runtime/test-state/inspector.js';
import { assemble } from '../assemble.js';
import { Problem } from '../problem.js';
import { bold, cyan, dim } from '../style.js';

interface ServeOptions {
  readonly host: string;
  readonly port: string;
  readonly store?: string;
  readonly config?: string;
}

export function addServe(program: Command): void {
  program
    .command('serve')
    .description('serve the Step Functions API and every model endpoint that is in service')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <n>', 'port of the API; 0 takes a free one', '8083')
    .option('--store <spec>', "where executions are kept: 'sqlite:PATH' or 'memory'")
    .option('--config <file>', 'configuration file (default: stepwell.config.json if present)')
    .action(async (options: ServeOptions) => {
      await serve(options);
    });
}

async function serve(options: ServeOptions): Promise<void> {
  const port = Number(options.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new Problem(`--port '${options.port}' is not a port number.`);
  }
  const parts = await assemble({
    ...(options.store === undefined ? {} : { store: options.store }),
    ...(options.config === undefined ? {} : { config: options.config }),
  });
  const engine = await parts.openEngine(null);
  const server = await startServer({
    host: options.host,
    port,
    engine,
    store: parts.store,
    definitions: coreDefinitions(false),
    inspect: createInspector(parts.registry, parts.services),
    log: apiLog(parts.log),
  });
  process.stdout.write(`${bold('Stepwell')} listens on ${cyan(server.url)}  ${dim(parts.store.description)}\n`);
  await untilSignal();
  await server.close();
  await engine.close();
  await parts.close();
}

function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
}


/** The API logs details first, handlers the message. */
function apiLog(log: Logger): Log {
  return {
    info: (details, message) => log.info(message, details as JsonObject),
    warn: (details, message) => log.warn(message, details as JsonObject),
    error: (details, message) => log.error(message, details as JsonObject),
  };
}
