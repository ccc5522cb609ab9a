/** `--store` of the commands that look after a store: what it means, and opening it for one piece of work. */
import type { Command } from 'commander';
import { join } from 'node:path';
import { loadConfig } from '../handlers/config/load.js';
import { s3OptionsOf } from '../handlers/map-items/index.js';
import { createSecrets } from '../handlers/secrets.js';
import { openStore } from '../store/open.js';
import type { Store } from '../store/store.js';
import { defaultStore } from './default-store.js';

export interface StoreOption {
  readonly store?: string;
}

const FLAG = '--store <spec>';
const KINDS = "where executions are kept: 'sqlite:PATH' or 'redis://HOST:PORT'";

export const STORE_OPTION = [FLAG, KINDS] as const;
/** Where executions are driven, they may be kept in memory, too. */
export const DRIVING_STORE_OPTION = [FLAG, `${KINDS}, or 'memory'`] as const;

export function withStoreOption(command: Command): Command {
  return command.option(...STORE_OPTION);
}

export function storeSpec(options: StoreOption): string {
  return options.store ?? defaultStore();
}

/** Opens the store, works, and closes it whatever happens. */
export async function useStore<T>(
  options: StoreOption,
  access: 'read' | 'write',
  work: (store: Store) => Promise<T>,
): Promise<T> {
  const config = await loadConfig(null, process.cwd());
  const store = await openStore(storeSpec(options), {
    readOnly: access === 'read',
    payloads: {
      location: config.limits.payloads,
      fallback: join(config.stateFolder, 'payloads'),
      s3: s3OptionsOf(config, createSecrets(config)),
    },
  });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}
