/**
 * Reads `stepwell.config.json`. Everything is checked once at start; an error names the place (JSON
 * pointer) and the mend. Relative paths refer to the folder of the file; without a file, to the current
 * folder.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isObject, type Json, type JsonObject } from '../../lib/json.js';
import { AllowListError, parseAllowList } from '../egress-addresses.js';
import { parseConnection, type RawConnection } from '../http-invoke-connections.js';
import type { KubernetesConfig } from '../kubernetes/client.js';
import { type Check, compileCheck, escapePointer } from '../schema-check.js';
import type {
  AwsConfig,
  Config,
  EgressConfig,
  LimitsChoice,
  LimitsConfig,
  S3Config,
  SecretSource,
  SmtpConfig,
  WorkConfig,
} from './config.js';
import { parseFunction } from './function-target.js';
import { ConfigError, fail, type Place } from './place.js';
import { CONFIG_SCHEMA } from './schema.js';
import { parseTopic, type RawTopic } from './topic.js';

const CONFIG_FILE = 'stepwell.config.json';
/** A data set fetched over HTTP; answers that are read into memory have their own, smaller limit. */
const MAX_RESPONSE_BYTES = 100 * 1024 * 1024;
/** AWS keeps the history of a Standard execution for 90 days after it ended. */
const AWS_RETENTION_DAYS = 90;
const EGRESS_TIMEOUT_MS = 60_000;

const checkConfig: Check = compileCheck(CONFIG_SCHEMA);

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

function parseJson(text: string, file: string): Json {
  try {
    const value = JSON.parse(text) as Json;
    if (isObject(value)) return value;
  } catch (error) {
    throw new ConfigError(`${file} is not JSON: ${(error as Error).message}`);
  }
  throw new ConfigError(`${file} must hold a JSON object.`);
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
    egress: parseEgress(raw.egress ?? {}, path),
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

function parseEgress(raw: Partial<EgressConfig>, path: string | null): EgressConfig {
  const { allow = [], maxResponseBytes = MAX_RESPONSE_BYTES, timeoutMs = EGRESS_TIMEOUT_MS } = raw;
  for (const [index, entry] of allow.entries()) {
    try {
      parseAllowList([entry]);
    } catch (error) {
      if (!(error instanceof AllowListError)) throw error;
      fail(path, `/egress/allow/${index}`, error.message);
    }
  }
  return { allow, maxResponseBytes, timeoutMs };
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
