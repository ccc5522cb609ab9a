/** `stepwell serve`: the Step Functions API, its REST face and every model endpoint, on one port. */
import type { Command } from 'commander';
import type { AccessKey, ApiConfig } from '../../api/config.js';
import { coreDefinitions } from '../../api/core-definitions.js';
import { isLoopback } from '../../api/host.js';
import type { Log } from '../../api/log.js';
import { environmentLogSink } from '../../api/logging/environment.js';
import { startServer } from '../../api/server.js';
import type { Logger } from '../../handlers/handler.js';
import type { JsonObject } from '../../lib/json.js';
import { Gates } from '../../simulate/debug/gates.js';
import { Overrides } from '../../simulate/debug/live.js';
import { createInspector } from '../../runtime/test-state/inspector.js';
import { announceServer, openServing } from '../../serving/index.js';
import { CERTIFICATE_PATH, withCertificate } from '../certificate.js';
import { assemble, type Parts } from '../assemble.js';
import { Closers } from '../closers.js';
import { executionService } from '../executions.js';
import { cannotListen } from '../listening.js';
import { type LimitsOption, withLimitsOption } from '../limits.js';
import { ACCOUNT, REGION } from '../names.js';
import { print } from '../output.js';
import { Problem } from '../problem.js';
import {
  type RetentionOptions,
  retentionRule,
  startRetention,
  withRetentionOptions,
} from '../retention.js';
import { closeInTime, CONCURRENCY_OPTION, RESOURCES_OPTION, untilSignal, workOf } from '../work.js';
import { modelLocator } from '../serving-handlers.js';
import { DRIVING_STORE_OPTION } from '../store-option.js';
import { bold, cyan, dim, green } from '../style.js';
import { VERSION } from '../version.js';

interface ServeOptions extends RetentionOptions, LimitsOption {
  readonly host: string;
  readonly port: string;
  readonly store?: string;
  readonly config?: string;
  readonly strict: boolean;
  readonly allowHost: readonly string[];
  readonly resources?: readonly string[];
  readonly concurrency?: string;
}

/** The registry is read and changed under /models: with access keys, only by signed requests. */
const SIGNED_PATHS = ['/models'];
const ENDPOINT_PATHS = ['/endpoints', '/ping', CERTIFICATE_PATH, ...SIGNED_PATHS];
const ANNOUNCE_EVERY_MS = 100;

export function addServe(program: Command): void {
  withLimitsOption(withRetentionOptions(program.command('serve')))
    .description('serve the Step Functions API and every model endpoint that is in service')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <n>', 'port; 0 takes a free one', '8083')
    .option(...DRIVING_STORE_OPTION)
    .option('--config <file>', 'configuration file (default: stepwell.config.json if present)')
    .option('--strict', 'refuse at creation what AWS would refuse', false)
    .option('--allow-host <name...>', 'host names by which clients may reach this server', [])
    .option(...RESOURCES_OPTION)
    .option(...CONCURRENCY_OPTION)
    .addHelpText(
      'after',
      `
Environment:
  STEPWELL_ACCESS_KEY_ID, STEPWELL_SECRET_ACCESS_KEY   requests must be signed with these;
                                                       needed to listen beyond loopback
  AWS_REGION, STEPWELL_ACCOUNT_ID                      what goes into ARNs
Example:
  stepwell serve --port 8083
  stepwell serve --store redis://127.0.0.1:6379 --resources '!ml:*'    ml tasks go to workers
  aws stepfunctions list-state-machines --endpoint-url http://127.0.0.1:8083`,
    )
    .action(async (options: ServeOptions) => {
      await serve(options);
    });
}

async function serve(options: ServeOptions): Promise<void> {
  const port = Number(options.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new Problem(`--port '${options.port}' is not a port number.`);
  }
  if (!isLoopback(options.host) && accessKeys(process.env).length === 0) {
    throw new Problem(
      `Refusing to listen on ${options.host} without credentials.`,
      'Set STEPWELL_ACCESS_KEY_ID and STEPWELL_SECRET_ACCESS_KEY, or listen on 127.0.0.1.',
    );
  }
  const parts = await assemble({
    ...(options.store === undefined ? {} : { store: options.store }),
    ...(options.config === undefined ? {} : { config: options.config }),
    work: workOf('serve', options),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  try {
    await listen(options, port, parts);
  } finally {
    await parts.close();
  }
}

async function listen(options: ServeOptions, port: number, parts: Parts): Promise<void> {
  const rule = retentionRule(parts, options);
  const opened = new Closers();
  try {
    const serving = await openServing({
      home: parts.home,
      host: options.host,
      log: parts.log,
      allowedHosts: options.allowHost,
      locate: modelLocator(parts.services.artifacts),
    });
    opened.add(() => serving.close());
    const gates = new Gates();
    const overrides = new Overrides();
    const engine = await parts.openEngine(null, {
      store: gates.over(parts.store),
      resources: overrides.over(parts.registry),
      isStepped: (arn) => gates.has(arn),
    });
    opened.add(() => closeInTime(engine));
    const retention = startRetention(parts, rule);
    opened.add(() => retention.close());
    const server = await startServer({
      host: options.host,
      port,
      engine,
      store: parts.store,
      config: { ...apiConfig(options), payloadBytes: parts.limits.lifted },
      definitions: coreDefinitions(options.strict),
      inspect: createInspector(parts.registry, parts.services),
      log: apiLog(parts.log),
      debugging: { gates, overrides, store: parts.store },
      logSink: environmentLogSink(process.env, fetch),
      version: VERSION,
      beside: {
        paths: ENDPOINT_PATHS,
        signed: SIGNED_PATHS,
        app: withCertificate(parts.config, serving.app),
      },
    }).catch((error) => cannotListen(error, options.host, port));
    opened.add(() => server.close());
    parts.executions.fill(executionService(server.api.context));
    opened.add(await announceServer(parts.home, server.url));
    greet(server.url, parts);
    const silence = announceEndpoints(server.url, () => serving.supervisor.views());
    await untilSignal();
    silence();
  } finally {
    await opened.close();
  }
}

function greet(url: string, parts: Parts): void {
  print(`${bold('Stepwell')} listens on ${cyan(url)}  ${dim(parts.store.description)}`);
  print(
    `  Step Functions API   ${dim(`aws stepfunctions list-state-machines --endpoint-url ${url}`)}`,
  );
  print(`  REST and OpenAPI     ${dim(`${url}/openapi.json`)}`);
}

type EndpointViews = readonly { readonly name: string; readonly status: string }[];

/** Names each endpoint once it answers, those deployed later too: who reads the line may call it. */
function announceEndpoints(url: string, views: () => EndpointViews): () => void {
  const announced = new Set<string>();
  const look = (): void => {
    for (const { name, status } of views()) {
      if (status === 'Creating' || announced.has(name)) continue;
      announced.add(name);
      print(`  ${green('endpoint')} ${name}   ${dim(`POST ${url}/endpoints/${name}/invocations`)}`);
    }
  };
  look();
  const timer = setInterval(look, ANNOUNCE_EVERY_MS).unref();
  return () => clearInterval(timer);
}

function apiConfig(options: ServeOptions): Partial<ApiConfig> {
  const { env } = process;
  return {
    scope: {
      partition: 'aws',
      region: env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? REGION,
      account: env.STEPWELL_ACCOUNT_ID ?? ACCOUNT,
    },
    accessKeys: accessKeys(env),
    hosts: options.allowHost,
  };
}

function accessKeys(env: NodeJS.ProcessEnv): readonly AccessKey[] {
  const { STEPWELL_ACCESS_KEY_ID: accessKeyId, STEPWELL_SECRET_ACCESS_KEY: secretAccessKey } = env;
  if (accessKeyId === undefined && secretAccessKey === undefined) return [];
  if (!accessKeyId || !secretAccessKey) {
    throw new Problem(
      'Only one half of an access key is set.',
      'Set both STEPWELL_ACCESS_KEY_ID and STEPWELL_SECRET_ACCESS_KEY, or neither.',
    );
  }
  return [{ accessKeyId, secretAccessKey }];
}

/** The API logs details first, handlers the message. */
function apiLog(log: Logger): Log {
  return {
    info: (details, message) => log.info(message, details as JsonObject),
    warn: (details, message) => log.warn(message, details as JsonObject),
    error: (details, message) => log.error(message, details as JsonObject),
  };
}
