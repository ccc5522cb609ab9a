/** All that an action may use: the engine, the resources, and the few ways to the outside world. */
import type { EpochMs } from '../lib/brand.js';
import type { Engine } from '../runtime/face.js';
import type { Inspector } from '../runtime/test-state/inspector.js';
import type { Tag } from '../wire/operations.js';
import type { Collection } from './collection.js';
import type { ApiConfig } from './config.js';
import type { Debugging } from './debugging.js';
import type { Definitions } from './definitions.js';
import type { Log } from './log.js';
import type { LogSink } from './logging/sink.js';
import type { Machines } from './machines.js';
import type { MapRuns } from './map-runs.js';
import type { PageTokens } from './page-token.js';
import type { Waiters } from './waiters.js';

export interface Activity {
  readonly arn: string;
  readonly name: string;
  readonly createdAt: EpochMs;
  readonly encryptionConfiguration: { readonly type: string };
}

/** The client tokens with which an execution was redriven lately. */
export interface RedriveTokens {
  readonly used: readonly {
    readonly token: string;
    readonly redrivenAt: EpochMs;
  }[];
}

export interface ApiContext {
  readonly config: ApiConfig;
  readonly engine: Engine;
  readonly definitions: Definitions;
  readonly machines: Machines;
  readonly activities: Collection<Activity>;
  readonly tags: Collection<readonly Tag[]>;
  readonly redriveTokens: Collection<RedriveTokens>;
  readonly mapRuns: MapRuns;
  readonly logSink: LogSink | null;
  readonly pageTokens: PageTokens;
  /** Long polls and open streams. */
  readonly waiters: Waiters;
  /** Runs one state by itself (TestState). */
  readonly inspect: Inspector;
  readonly log: Log;
  /** Debug sessions of this server. */
  readonly debug: Debugging;
  now(): EpochMs;
  /** In [0, 1): chooses the version of a weighted alias. */
  random(): number;
  uuid(): string;
}

/** What an action knows of the request beside its input. */
export interface Call {
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
}
