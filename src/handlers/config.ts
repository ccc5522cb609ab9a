/**
 * `stepwell.config.json`: which functions, topics, secrets, hosts and folders the machines may use.
 * Everything is checked once at start; an error names the place (JSON pointer) and the mend. Relative
 * paths refer to the folder of the file; without a file, to the current folder.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { getOwn, isObject, type Json, type JsonObject } from '../lib/json.js';
import type { KubernetesConfig } from './kubernetes/client.js';
import { CONFIG_SCHEMA, FUNCTION_SCHEMA } from './config-schema.js';
import { type Connection, parseConnection, type RawConnection } from './http-invoke-connections.js';
import { type Check, compileCheck, escapePointer } from './schema-check.js';

export interface Config {
  /** The file it was read from; null for the defaults. */
  readonly path: string | null;
  /** Folder to which relative paths refer. */
  readonly base: string;
  /** Folder for what Stepwell itself keeps: `.stepwell` below `base`. */
  readonly stateFolder: string;
  readonly functions: ReadonlyMap<string, FunctionTarget>;
  readonly topics: ReadonlyMap<string, Topic>;
  readonly smtp: SmtpConfig | null;
  readonly sns: { readonly signingCertUrl: string | null; readonly unsubscribeUrl: string | null };
  readonly secrets: ReadonlyMap<string, SecretSource>;
  readonly s3: S3Config | null;
  readonly egress: EgressConfig;
  readonly files: { readonly roots: readonly string[] };
  /** How long executions that are over are kept; null: without bound. */
  readonly retention: {
    readonly days: number | null;
    readonly count: number | null;
    readonly bytes: number | null;
  };
  readonly limits: LimitsConfig;
  /** Folder of the artifact store. */
  readonly artifacts: string;
  readonly aws: AwsConfig;
  /** EventBridge connections that HTTP tasks name, by name or ARN. */
  readonly connections: ReadonlyMap<string, Connection>;
  /** Model endpoints, read by serving. */
  readonly endpoints: JsonObject;
  /** Resources whose results are reused when nothing that went into them has changed. */
  readonly cache: { readonly handlers: readonly string[] };
  /** Which tasks a `stepwell serve` or `stepwell worker` takes on a shared store, and how many at a time. */
  readonly work: Readonly<Record<'serve' | 'worker', WorkConfig>>;
  /** Where lineage events go besides the folder of this home. */
  readonly lineage: { readonly openLineageUrl: string | null; readonly namespace: string };
  /** `trainingDefaults` and `endpointDefaults`: what a machine's SageMaker parameters leave out. */
  readonly sagemaker: JsonObject;
  /** Clusters that Jobs run on, and which tasks do. */
  readonly kubernetes: KubernetesConfig;
}

/** What a configured function name leads to; `parameters` are merged under those of the task. */
export type FunctionTarget = {
  readonly parameters: JsonObject;
  readonly onWorkerLost: 'rerun' | 'fail';
  readonly description: string | null;
} & (
  | { readonly kind: 'handler'; readonly handler: string }
  | { readonly kind: 'module'; readonly file: string; readonly exportName: string }
  | {
      readonly kind: 'http';
      readonly url: string;
      readonly headers: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: 'process';
      readonly command: readonly string[];
      readonly cwd: string;
      readonly environment: Readonly<Record<string, string>>;
      /** Names of variables handed on from Stepwell's own environment. */
      readonly inherit: readonly string[];
    }
  | {
      /** A program or an image that finds what SageMaker gives to a training container. */
      readonly kind: 'training-job';
      readonly command: readonly string[];
      /** Run by docker or podman instead of the command. */
      readonly image: string | null;
      /** `docker`, `podman` or a path; null looks for one. */
      readonly engine: string | null;
      readonly cwd: string;
      readonly environment: Readonly<Record<string, string>>;
      readonly inherit: readonly string[];
      /** Between SIGTERM and SIGKILL: time to write a checkpoint. */
      readonly graceSeconds: number;
    }
);

export interface Topic {
  readonly name: string;
  readonly subscriptions: readonly Subscription[];
  readonly signatureVersion: '1' | '2';
}

export type Subscription =
  | { readonly protocol: 'log' }
  | { readonly protocol: 'file'; readonly path: string }
  | {
      readonly protocol: 'http' | 'https';
      readonly endpoint: string;
      /** Raw message delivery: the message alone, without the SNS envelope. */
      readonly raw: boolean;
    }
  | { readonly protocol: 'email'; readonly endpoint: string };

export interface SmtpConfig {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  readonly user: string | null;
  /** May be `secret://name`. */
  readonly password: string | null;
  readonly from: string;
}

export type SecretSource =
  | { readonly from: 'env'; readonly variable: string }
  | { readonly from: 'file'; readonly path: string };

export interface S3Config {
  readonly endpoint: string | null;
  readonly region: string | null;
  readonly forcePathStyle: boolean;
  readonly accessKeyId: string | null;
  /** May be `secret://name`. */
  readonly secretAccessKey: string | null;
}

export interface EgressConfig {
  /** `host`, `host:port`, `*.domain`, an address or a CIDR range that may be reached though internal. */
  readonly allow: readonly string[];
  readonly maxResponseBytes: number;
  readonly timeoutMs: number;
}

/** AWS's limits, or how far they are lifted. */
export type LimitsChoice =
  | 'aws'
  | 'extended'
  | { readonly payloadBytes?: number; readonly historyEvents?: number };

export interface LimitsConfig {
  readonly default: LimitsChoice;
  /** By name of the state machine. */
  readonly machines: ReadonlyMap<string, LimitsChoice>;
  /** Where payloads above AWS's limit lie: a folder, or s3://bucket/prefix; null: beside the store. */
  readonly payloads: string | null;
}

export interface WorkConfig {
  readonly resources?: readonly string[];
  readonly concurrency?: number;
}

export interface AwsConfig {
  readonly region: string | null;
  readonly endpoint: string | null;
  readonly accountId: string | null;
}

export const CONFIG_FILE = 'stepwell.config.json';
/** A data set fetched over HTTP; answers that are read into memory have their own, smaller limit. */
const MAX_RESPONSE_BYTES = 100 * 1024 * 1024;
/** AWS keeps the history of a Standard execution for 90 days after it ended. */
const AWS_RETENTION_DAYS = 90;
const EGRESS_TIMEOUT_MS = 60_000;

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Reads the configuration at `path`; with null, `stepwell.config.json` in `cwd` if it is there, else
 * the defaults.
 */
export async function loadConfig(path: string | null, cwd: string): Promise<Config> {
  const file = path === null ? join(cwd, CONFIG_FILE) : resolve(cwd, path);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (path === null && (error as NodeJS.ErrnoException).code === 'ENOENT') {
      return parseConfig({}, { path: null, base: resolve(cwd) });
    }
    throw new ConfigError(`Cannot read the configuration ${file}: ${(error as Error).message}`);
  }
  return parseConfig(parseJson(text, file), { path: file, base: dirname(file) });
}

/** Checks a configuration that is already in memory. */
export function parseConfig(
  value: Json,
  origin: { readonly path: string | null; readonly base: string },
): Config {
  const problem = checkConfig(value);
  if (problem !== null) fail(origin.path, problem.pointer, problem.sentence);
  const raw = value as RawConfig;
  const { base, path } = origin;
  const stateFolder = join(base, '.stepwell');
  const within = (target: string): string => resolve(base, target);
  const mapped = <R, T>(key: string, items: Raw<R>, parse: (item: R, at: Place) => T) =>
    new Map(
      Object.entries(items).map(([name, item]) => [
        name,
        parse(item, { path, pointer: `/${key}/${escapePointer(name)}`, name, within }),
      ]),
    );
  return {
    path,
    base,
    stateFolder,
    functions: mapped('functions', raw.functions ?? {}, parseFunction),
    topics: mapped('topics', raw.topics ?? {}, (topic, at) =>
      parseTopic(topic, at, raw.smtp !== undefined),
    ),
    smtp: parseSmtp(raw.smtp),
    sns: {
      signingCertUrl: raw.sns?.signingCertUrl ?? null,
      unsubscribeUrl: raw.sns?.unsubscribeUrl ?? null,
    },
    secrets: mapped('secrets', raw.secrets ?? {}, parseSecret),
    s3: parseS3(raw.s3),
    egress: {
      allow: raw.egress?.allow ?? [],
      maxResponseBytes: raw.egress?.maxResponseBytes ?? MAX_RESPONSE_BYTES,
      timeoutMs: raw.egress?.timeoutMs ?? EGRESS_TIMEOUT_MS,
    },
    files: { roots: (raw.files?.roots ?? ['.']).map(within) },
    retention: {
      days: raw.retention?.days === undefined ? AWS_RETENTION_DAYS : raw.retention.days,
      count: raw.retention?.count ?? null,
      bytes: raw.retention?.bytes ?? null,
    },
    limits: parseLimits(raw.limits, within),
    artifacts: raw.artifacts === undefined ? join(stateFolder, 'artifacts') : within(raw.artifacts),
    aws: {
      region: raw.aws?.region ?? null,
      endpoint: raw.aws?.endpoint ?? null,
      accountId: raw.aws?.accountId ?? null,
    },
    connections: mapped('connections', raw.connections ?? {}, (connection, at) =>
      parseConnection(at.name, connection, (missing) =>
        fail(at.path, at.pointer, `The connection "${at.name}" needs "${missing}".`),
      ),
    ),
    endpoints: raw.endpoints ?? {},
    cache: { handlers: raw.cache?.handlers ?? [] },
    work: { serve: raw.serve ?? {}, worker: raw.worker ?? {} },
    lineage: {
      openLineageUrl: raw.lineage?.openLineageUrl ?? null,
      namespace: raw.lineage?.namespace ?? 'stepwell',
    },
    sagemaker: raw.sagemaker ?? {},
    kubernetes: {
      ...raw.kubernetes,
      ...(raw.kubernetes?.kubeconfig === undefined
        ? {}
        : { kubeconfig: within(raw.kubernetes.kubeconfig) }),
    },
  };
}

/** The file as it is written, after the schema has accepted it. */
interface RawConfig {
  readonly functions?: Raw<string | JsonObject>;
  readonly topics?: Raw<RawTopic>;
  readonly smtp?: Partial<SmtpConfig> & { readonly host: string };
  readonly sns?: { readonly signingCertUrl?: string; readonly unsubscribeUrl?: string };
  readonly secrets?: Raw<{ readonly env?: string; readonly file?: string }>;
  readonly s3?: Partial<S3Config>;
  readonly egress?: Partial<EgressConfig>;
  readonly files?: { readonly roots: readonly string[] };
  readonly retention?: Partial<Config['retention']>;
  readonly limits?: 'aws' | 'extended' | RawLimits;
  readonly artifacts?: string;
  readonly aws?: Partial<AwsConfig>;
  readonly connections?: Raw<RawConnection>;
  readonly endpoints?: JsonObject;
  readonly cache?: Partial<Config['cache']>;
  readonly serve?: WorkConfig;
  readonly worker?: WorkConfig;
  readonly lineage?: { readonly openLineageUrl?: string; readonly namespace?: string };
  readonly sagemaker?: JsonObject;
  readonly kubernetes?: KubernetesConfig;
}

interface RawLimits {
  readonly payloadBytes?: number;
  readonly historyEvents?: number;
  readonly machines?: Raw<LimitsChoice>;
  readonly payloads?: string;
}

type Raw<T> = Readonly<Record<string, T>>;

interface RawTopic {
  readonly subscriptions?: readonly RawSubscription[];
  readonly signatureVersion?: '1' | '2';
}

interface RawSubscription {
  readonly protocol: Subscription['protocol'];
  readonly path?: string;
  readonly endpoint?: string;
  readonly raw?: boolean;
}

interface RawFunction {
  readonly handler?: string;
  readonly module?: string;
  readonly url?: string;
  readonly process?: readonly string[];
  readonly parameters?: JsonObject;
  readonly headers?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly inherit?: readonly string[];
  readonly cwd?: string;
  readonly contract?: 'json' | 'sagemaker';
  readonly image?: string;
  readonly engine?: string;
  readonly graceSeconds?: number;
  readonly onWorkerLost?: 'rerun' | 'fail';
  readonly description?: string;
}

/** Where in the file we are, for messages, and how to read a path there. */
interface Place {
  readonly path: string | null;
  readonly pointer: string;
  readonly name: string;
  within(target: string): string;
}

const checkConfig: Check = compileCheck(CONFIG_SCHEMA);
const checkFunction: Check = compileCheck(FUNCTION_SCHEMA);

const WAYS = ['handler', 'module', 'url', 'process', 'image'] as const;
/** SageMaker gives 120 s; a person who stops a run should not wait that long for one. */
const TRAINING_GRACE_SECONDS = 30;
const FUNCTION_HELP =
  'Write a handler ("ml:ingest"), a file ("./functions/score.js#handler"), a URL, or ' +
  '{"process": ["python3", "train.py"]}.';

function parseFunction(raw: string | JsonObject, at: Place): FunctionTarget {
  if (typeof raw === 'string') return parseFunction({ [wayOf(raw)]: raw }, at);
  const problem = checkFunction(raw);
  if (problem !== null) fail(at.path, at.pointer + problem.pointer, problem.sentence);
  const target: RawFunction = raw;
  const given = WAYS.filter((way) => getOwn(raw, way) !== undefined);
  if (given.length !== 1) {
    const found = given.length === 0 ? 'says nowhere what to run' : `names ${given.join(' and ')}`;
    fail(at.path, at.pointer, `The function "${at.name}" ${found}. ${FUNCTION_HELP}`);
  }
  const common = {
    parameters: target.parameters ?? {},
    onWorkerLost: target.onWorkerLost ?? 'rerun',
    description: target.description ?? null,
  } as const;
  if (target.handler !== undefined) return { ...common, kind: 'handler', handler: target.handler };
  if (target.url !== undefined) {
    const url = checkUrl(target.url, at, `${at.pointer}/url`);
    return { ...common, kind: 'http', url, headers: target.headers ?? {} };
  }
  if (target.module !== undefined) {
    const [file = '', exportName = 'handler'] = target.module.split('#');
    return { ...common, kind: 'module', file: at.within(file), exportName };
  }
  const program = {
    command: target.process ?? [],
    cwd: at.within(target.cwd ?? '.'),
    environment: target.environment ?? {},
    inherit: target.inherit ?? [],
  };
  if (target.image === undefined && target.contract !== 'sagemaker') {
    return { ...common, ...program, kind: 'process' };
  }
  if (target.contract === 'json') {
    fail(at.path, `${at.pointer}/contract`, 'An "image" has the contract "sagemaker" only.');
  }
  return {
    ...common,
    ...program,
    kind: 'training-job',
    image: target.image ?? null,
    engine: target.engine ?? null,
    graceSeconds: target.graceSeconds ?? TRAINING_GRACE_SECONDS,
  };
}

/** What a string as function target means. */
function wayOf(target: string): 'url' | 'module' | 'handler' {
  if (/^https?:\/\//.test(target)) return 'url';
  return /^\.{0,2}\//.test(target) || /\.[cm]?js(#|$)/.test(target) ? 'module' : 'handler';
}

function parseTopic(raw: RawTopic, at: Place, hasSmtp: boolean): Topic {
  const subscriptions = (raw.subscriptions ?? []).map((subscription, index) => {
    const pointer = `${at.pointer}/subscriptions/${index}`;
    if (subscription.protocol === 'email' && !hasSmtp) {
      fail(at.path, pointer, 'E-mail needs a server: add "smtp": {"host": …, "from": …}.');
    }
    return parseSubscription(subscription, { ...at, pointer });
  });
  return { name: at.name, subscriptions, signatureVersion: raw.signatureVersion ?? '2' };
}

function parseSubscription(raw: RawSubscription, at: Place): Subscription {
  const { protocol } = raw;
  if (protocol === 'log') return { protocol };
  if (protocol === 'file') {
    if (raw.path === undefined) fail(at.path, at.pointer, 'A "file" subscription needs "path".');
    return { protocol, path: at.within(raw.path) };
  }
  if (raw.endpoint === undefined) {
    fail(at.path, at.pointer, `A subscription by ${protocol} needs "endpoint".`);
  }
  if (protocol === 'email') {
    if (!/^[^\s@<>]+@[^\s@<>]+$/.test(raw.endpoint)) {
      fail(at.path, `${at.pointer}/endpoint`, `"${raw.endpoint}" is not an e-mail address.`);
    }
    return { protocol, endpoint: raw.endpoint };
  }
  const endpoint = checkUrl(raw.endpoint, at, `${at.pointer}/endpoint`);
  return { protocol, endpoint, raw: raw.raw ?? false };
}

function parseSecret(
  raw: { readonly env?: string; readonly file?: string },
  at: Place,
): SecretSource {
  if (raw.env !== undefined && raw.file !== undefined) {
    fail(at.path, at.pointer, 'A secret comes from "env" or from "file", not from both.');
  }
  if (raw.env !== undefined) return { from: 'env', variable: raw.env };
  return { from: 'file', path: at.within(raw.file ?? '') };
}

function parseLimits(raw: RawConfig['limits'], within: (path: string) => string): LimitsConfig {
  if (raw === undefined || typeof raw === 'string') {
    return { default: raw ?? 'aws', machines: new Map(), payloads: null };
  }
  const { payloadBytes, historyEvents, machines = {}, payloads } = raw;
  const lifted = payloadBytes !== undefined || historyEvents !== undefined;
  return {
    default: lifted
      ? {
          ...(payloadBytes === undefined ? {} : { payloadBytes }),
          ...(historyEvents === undefined ? {} : { historyEvents }),
        }
      : 'aws',
    machines: new Map(Object.entries(machines)),
    payloads: payloads === undefined ? null : /^s3:/.test(payloads) ? payloads : within(payloads),
  };
}

function parseSmtp(raw: RawConfig['smtp']): SmtpConfig | null {
  if (raw === undefined) return null;
  const secure = raw.secure ?? false;
  return {
    host: raw.host,
    port: raw.port ?? (secure ? 465 : 587),
    secure,
    user: raw.user ?? null,
    password: raw.password ?? null,
    from: raw.from ?? 'stepwell@localhost',
  };
}

function parseS3(raw: RawConfig['s3']): S3Config | null {
  if (raw === undefined) return null;
  return {
    endpoint: raw.endpoint ?? null,
    region: raw.region ?? null,
    forcePathStyle: raw.forcePathStyle ?? raw.endpoint !== undefined,
    accessKeyId: raw.accessKeyId ?? null,
    secretAccessKey: raw.secretAccessKey ?? null,
  };
}

function checkUrl(text: string, at: Place, pointer: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  return fail(at.path, pointer, `"${text}" is not an http or https URL.`);
}

function parseJson(text: string, file: string): Json {
  try {
    const value = JSON.parse(text) as Json;
    if (isObject(value)) return value;
  } catch (error) {
    throw new ConfigError(`${file} is not JSON: ${(error as Error).message}`);
  }
  throw new ConfigError(`${file} must hold a JSON object.`);
}

function fail(path: string | null, pointer: string, sentence: string): never {
  throw new ConfigError(`${path ?? 'The configuration'}, at ${pointer || '/'}: ${sentence}`);
}
