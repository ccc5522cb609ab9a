/** From the `--store` option to a store: the only place that knows which kinds exist. */
import { dirname, join, resolve } from 'node:path';
import { PAYLOADS_ID, SETTINGS_KIND, withClaimCheck } from './claim-check.js';
import { MemoryStore } from './memory.js';
import { FolderPayloads, type PayloadPlace } from './payloads.js';
import { SCHEMES as REDIS_SCHEMES } from './redis-url.js';
import { SqliteStore } from './sqlite.js';
import type { Store } from './store.js';
import { StoreUnavailable } from './unavailable.js';

/** Where payloads above AWS's limit go. */
export interface PayloadOptions {
  /** A folder, or `s3://bucket/prefix`; null: where the store says, else beside it. */
  readonly location: string | null;
  /** Folder for the payloads of a store that is no file. */
  readonly fallback: string;
  readonly s3: () => S3Settings;
}

export interface S3Settings {
  readonly endpoint: string | null;
  readonly region: string | null;
  readonly forcePathStyle: boolean | null;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | null;
}

export interface OpenOptions {
  /** Absent: where the store says that its payloads lie. */
  readonly payloads?: PayloadOptions;
  /** Look at a store that another process drives; every write is refused. */
  readonly readOnly?: boolean;
}

type Opener = (location: string, options: OpenOptions) => Promise<Store>;

/** The kinds of store by the word before the colon; `shape` is what a person has to write. */
const KINDS: ReadonlyMap<string, { readonly shape: string; readonly open: Opener }> = new Map([
  ['memory', { shape: 'memory', open: async () => new MemoryStore() }],
  [
    'sqlite',
    {
      shape: 'sqlite:PATH',
      open: async (location: string, options: OpenOptions) => SqliteStore.open(location, options),
    },
  ],
  ...REDIS_SCHEMES.map(redisKind),
]);

/** Loads the client only where it is used. */
function redisKind(word: string): [string, { readonly shape: string; readonly open: Opener }] {
  const open: Opener = async (location, options) =>
    (await import('./redis.js')).RedisStore.open(`${word}:${location}`, options);
  return [word, { shape: `${word}://HOST:PORT`, open }];
}

/** Opens `memory`, `sqlite:PATH` or `redis://HOST:PORT`; any other text is an error that lists the known kinds. */
export async function openStore(spec: string, options: OpenOptions = {}): Promise<Store> {
  const colon = spec.indexOf(':');
  const word = colon < 0 ? spec : spec.slice(0, colon);
  const location = colon < 0 ? '' : spec.slice(colon + 1);
  const kind = KINDS.get(word);
  if (kind === undefined || (kind.shape.includes(':') && location === '')) {
    const shapes = [...KINDS.values()].map((known) => known.shape).join(', ');
    throw new StoreUnavailable(`Unknown store "${spec}". Known kinds: ${shapes}.`);
  }
  const store = await kind.open(location, options);
  // Nothing in memory is worth writing to a disk.
  if (word === 'memory') return store;
  const beside = word === 'sqlite' ? join(dirname(resolve(location)), 'payloads') : null;
  try {
    return await withPayloads(store, beside, options.payloads ?? null);
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function withPayloads(
  store: Store,
  beside: string | null,
  given: PayloadOptions | null,
): Promise<Store> {
  const noted = await store.documents.get(SETTINGS_KIND, PAYLOADS_ID);
  const known = given?.location ?? (noted?.body as string | undefined) ?? beside;
  const location = known ?? given?.fallback;
  if (location === undefined) return store;
  const place = await placeAt(location, given?.s3 ?? null);
  // A file's own folder moves with the file: writing its path down would be wrong then.
  return withClaimCheck(store, place, { noted: noted !== null || location === beside });
}

async function placeAt(location: string, s3: PayloadOptions['s3'] | null): Promise<PayloadPlace> {
  if (!location.startsWith('s3:')) return new FolderPayloads(location.replace(/^folder:/, ''));
  const { endpoint, region, forcePathStyle, credentials } = s3?.() ?? NO_S3;
  const { S3Payloads } = await import('./payloads-s3.js');
  return new S3Payloads(location, {
    ...(endpoint === null ? {} : { endpoint }),
    ...(region === null ? {} : { region }),
    ...(forcePathStyle === null ? {} : { forcePathStyle }),
    ...(credentials === null ? {} : { credentials }),
  });
}

const NO_S3: S3Settings = { endpoint: null, region: null, forcePathStyle: null, credentials: null };
