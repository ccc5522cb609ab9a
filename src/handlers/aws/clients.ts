/**
 * The AWS SDK, loaded when a task needs it: one client per service and credentials. Region, endpoint
 * and credentials come from the SDK's own chain (AWS_REGION, AWS_ENDPOINT_URL[_SERVICE], profiles, …);
 * the configuration fills what the environment leaves open. The SDK never retries: that is the
 * machine's decision.
 */
import type { Config } from '../config/config.js';
import { type HandlerContext, TaskFailure } from '../handler.js';
import { resolveSecret } from '../secrets.js';
import { namesCredentials, regionOf } from './environment.js';
import { packageOf, pascalCase } from './naming.js';

export interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface SdkCommand {
  readonly schema?: unknown;
  readonly middlewareStack: {
    add(middleware: unknown, options: { readonly step: string; readonly priority?: string }): void;
  };
}

export interface SdkClient {
  readonly config: { readonly serviceId?: string; credentials?(): Promise<Keys> };
  send(command: SdkCommand, options: { readonly abortSignal: AbortSignal }): Promise<SdkOutput>;
}

export type SdkOutput = Record<string, unknown> & { readonly $metadata?: SdkMetadata };

export interface SdkMetadata {
  readonly httpStatusCode?: number;
  readonly requestId?: string;
  readonly extendedRequestId?: string;
  readonly attempts?: number;
}

type Constructor<T> = new (argument: Record<string, unknown>) => T;

/** One service of the SDK, ready to call. */
export interface Service {
  /** `DynamoDb`: how AWS's newer SDK names the service. */
  readonly name: string;
  readonly client: SdkClient;
  /** Class of `putItem`; null when the service has no such action. */
  command(action: string): Constructor<SdkCommand> | null;
  /** Class of errors that the service's model does not know; modelled ones derive from it. */
  readonly baseError: unknown;
}

export type LoadModule = (name: string) => Promise<Record<string, unknown>>;

export interface SdkOptions {
  readonly config: Pick<Config, 'aws' | 's3'>;
  readonly environment?: NodeJS.ProcessEnv;
  /** Imports an npm package; a test gives its own. */
  readonly load?: LoadModule;
}

export interface Sdk {
  /** Whether anything says how to reach AWS: an endpoint, or credentials. */
  readonly configured: boolean;
  readonly region: string;
  service(name: string, keys: Keys | null, context: HandlerContext): Promise<Service>;
  /** What the SDK's own chain of credentials gives. */
  ownKeys(context: HandlerContext): Promise<Keys>;
}

/** Clients kept; with assumed roles their number is up to the machines. */
const MAX_CLIENTS = 200;

export function createSdk(options: SdkOptions): Sdk {
  const { config } = options;
  const environment = options.environment ?? process.env;
  const load = options.load ?? ((name) => import(name) as Promise<Record<string, unknown>>);
  const given = (name: string): boolean => (environment[name] ?? '') !== '';
  const hasCredentials = namesCredentials(environment);
  const namesEndpoint = Object.keys(environment).some(
    (name) => name.startsWith('AWS_ENDPOINT_URL') && given(name),
  );
  const region = regionOf(environment, config);
  const endpoint = namesEndpoint ? null : config.aws.endpoint;
  const clients = new Map<string, Promise<Service>>();

  const configured = hasCredentials || namesEndpoint || config.aws.endpoint !== null;
  const make = async (name: string, keys: Keys | null, context: HandlerContext) => {
    const s3 = packageOf(name) === '@aws-sdk/client-s3' ? config.s3 : null;
    if (!configured && s3 === null) throw notConfigured(name);
    const module = await loadPackage(packageOf(name), name, load);
    const ownKeys = keys ?? s3Keys(s3, context) ?? (hasCredentials ? null : ANONYMOUS);
    const ownEndpoint = s3?.endpoint ?? endpoint;
    return describe(module, {
      region: s3?.region ?? region,
      maxAttempts: 1,
      // A queue's URL comes from the machine's data; requests go to the configured place only.
      useQueueUrlAsEndpoint: false,
      ...(ownEndpoint === null ? {} : { endpoint: ownEndpoint }),
      ...(ownKeys === null ? {} : { credentials: ownKeys }),
      ...(namesEndpoint || ownEndpoint !== null
        ? { forcePathStyle: s3?.forcePathStyle ?? true }
        : {}),
    });
  };
  const service: Sdk['service'] = (name, keys, context) => {
    const key = `${packageOf(name)} ${keys?.accessKeyId ?? ''} ${keys?.sessionToken ?? ''}`;
    const known = clients.get(key);
    if (known !== undefined) return known;
    const made = make(name, keys, context);
    made.catch(() => clients.delete(key));
    clients.set(key, made);
    const [oldest] = clients.keys();
    if (clients.size > MAX_CLIENTS && oldest !== undefined) clients.delete(oldest);
    return made;
  };
  return {
    configured,
    region,
    service,
    ownKeys: async (context) => {
      // Every client has the same chain; this one is always installed.
      const { client } = await service('lambda', null, context);
      return (await client.config.credentials?.()) ?? ANONYMOUS;
    },
  };
}

/** An endpoint without credentials is a stand-in that does not look at signatures. */
const ANONYMOUS: Keys = { accessKeyId: 'test', secretAccessKey: 'test' };

function s3Keys(s3: Config['s3'], context: HandlerContext): Keys | null {
  if (s3 === null || s3.accessKeyId === null || s3.secretAccessKey === null) return null;
  const { accessKeyId, secretAccessKey } = s3;
  return { accessKeyId, secretAccessKey: resolveSecret(secretAccessKey, context.secret) };
}

function notConfigured(service: string): TaskFailure {
  return new TaskFailure(
    `${pascalCase(service)}.SdkClientException`,
    `Nothing says how to reach the AWS service "${service}": set AWS_REGION and credentials ` +
      '(AWS_ACCESS_KEY_ID or AWS_PROFILE), or AWS_ENDPOINT_URL for a stand-in.',
  );
}

async function loadPackage(
  name: string,
  service: string,
  load: LoadModule,
): Promise<Record<string, unknown>> {
  try {
    return await load(name);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const missing = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
    throw new TaskFailure(
      `${pascalCase(service)}.SdkClientException`,
      missing
        ? `The AWS SDK for "${service}" is not installed here. Run: npm install ${name}`
        : `The AWS SDK for "${service}" cannot be loaded: ${message}`,
    );
  }
}

/** What a client package exports, found by the shape of its names. */
function describe(module: Record<string, unknown>, config: Record<string, unknown>): Service {
  const clientName = Object.keys(module).find((name) => /^[A-Z]\w*Client$/.test(name)) ?? '';
  const Client = module[clientName] as Constructor<SdkClient>;
  const client = new Client(config);
  const commands = new Map<string, Constructor<SdkCommand>>();
  for (const [name, value] of Object.entries(module)) {
    if (!name.endsWith('Command')) continue;
    const action = name.slice(0, -'Command'.length).toLowerCase();
    commands.set(action, value as Constructor<SdkCommand>);
  }
  return {
    name: pascalCase(client.config.serviceId ?? clientName.slice(0, -'Client'.length)),
    client,
    command: (action) => commands.get(action.toLowerCase()) ?? null,
    baseError: module[`${clientName.slice(0, -'Client'.length)}ServiceException`] ?? null,
  };
}
