/**
 * What `stepwell.config.json` says, checked and with its defaults: which functions, topics, secrets,
 * hosts and folders the machines may use. Paths are absolute here.
 */
import type { JsonObject } from '../../lib/json.js';
import type { Connection } from '../http-invoke-connections.js';
import type { KubernetesConfig } from '../kubernetes/client.js';
import type { FunctionTarget } from './function-target.js';
import type { Topic } from './topic.js';

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
