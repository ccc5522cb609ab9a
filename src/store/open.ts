/** From the `--store` option to a store: the only place that knows which kinds exist. */
import { MemoryStore } from './memory.js';
import { SCHEMES as REDIS_SCHEMES } from './redis-url.js';
import { SqliteStore } from './sqlite.js';
import type { Store } from './store.js';
import { StoreUnavailable } from './unavailable.js';

export interface OpenOptions {
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
  return kind.open(location, options);
}
