/** Everything that calls AWS, ready for the registry: one place for the composition root to ask. */
import type { Config } from '../config/config.js';
import type { Handler } from '../handler.js';
import { createApiGatewayHandler } from '../api-gateway.js';
import { createAssumedRoles, type KeysOf } from './assumed-role.js';
import { createBedrockHandler } from './bedrock.js';
import { createEmrHandlers } from './emr.js';
import { createSdk, type LoadModule, type Sdk } from './clients.js';
import { createOptimisedHandlers, createSnsFallback } from './optimised.js';
import { createSdkHandler, type SdkIntegrationOptions } from './sdk-integration.js';
import { createJobHandlers } from './sync-jobs.js';

export interface AwsOptions {
  readonly config: Pick<Config, 'aws' | 's3'>;
  readonly environment?: NodeJS.ProcessEnv;
  readonly load?: LoadModule;
  /** Services whose actions are served here when nothing says how to reach AWS, by package. */
  readonly local?: NonNullable<SdkIntegrationOptions['local']>;
  readonly pollMs?: { readonly first: number; readonly longest: number };
}

export interface AwsIntegrations {
  readonly sdk: Sdk;
  readonly keysOf: KeysOf;
  readonly handlers: readonly Handler[];
  /** For `createSnsHandler({ fallback })`; null when nothing says how to reach AWS. */
  readonly snsFallback: Handler | null;
}

export function createAws(options: AwsOptions): AwsIntegrations {
  const sdk = createSdk(options);
  const keysOf = createAssumedRoles(sdk);
  const { local, pollMs } = options;
  return {
    sdk,
    keysOf,
    handlers: [
      createSdkHandler({ sdk, keysOf, ...(local === undefined ? {} : { local }) }),
      ...createOptimisedHandlers({ sdk, keysOf }),
      ...createEmrHandlers({ sdk, keysOf }),
      createBedrockHandler({ sdk, keysOf }),
      createApiGatewayHandler({
        region: sdk.region,
        keys: async (context) => (await keysOf(context)) ?? (await sdk.ownKeys(context)),
      }),
      ...createJobHandlers({ sdk, keysOf, ...(pollMs === undefined ? {} : { pollMs }) }),
    ],
    snsFallback: sdk.configured ? createSnsFallback({ sdk, keysOf }) : null,
  };
}
