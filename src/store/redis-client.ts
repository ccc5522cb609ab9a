/**
 * The ioredis clients as the Redis store wants them, and what their errors mean for a command: the
 * client queues nothing and sends nothing twice, so that only the link decides about sending again.
 */
import { Cluster, Redis } from 'ioredis';
import { assert } from '../lib/assert.js';
import type { RedisAddress } from './redis-url.js';

/** Who this program is to a server; other layouts of the store have other names (redis-upgrade.ts). */
export const CONNECTION_NAME = 'stepwell-3';

const LONGEST_RECONNECT_PAUSE_MS = 1_000;

/** Not yet connected. A reply that takes longer than `commandMs` is an error. */
export function createClient(address: RedisAddress, commandMs: number): Redis | Cluster {
  return address.cluster ? clusterClient(address, commandMs) : nodeClient(address, commandMs);
}

/** Errors of a server in trouble, which passes: nothing was applied. */
const LATER = /^(LOADING|BUSY|CLUSTERDOWN|TRYAGAIN|MASTERDOWN|READONLY|NOREPLICAS|MOVED|ASK)\b/;
const UNSENT = /enableOfflineQueue options is false|Too many Cluster redirections/;

const EXPLANATIONS: readonly (readonly [code: string, sentence: string])[] = [
  ['OOM', 'its memory is full (maxmemory). Nothing was written; free memory or raise the limit.'],
  ['MISCONF', 'it cannot write to its disk. Nothing was written; see the log of the server.'],
  ['NOAUTH', 'it wants a password: redis://user:password@host.'],
  ['WRONGPASS', 'the user or the password is wrong.'],
  ['WRONGTYPE', 'a key under this prefix belongs to something else. Choose another ?prefix=.'],
];

/** What a person should know about an error the server answered with, where its own words are not enough. */
export function explanationOf(message: string): string | null {
  return EXPLANATIONS.find(([code]) => message.startsWith(code))?.[1] ?? null;
}

/**
 * `refused`: the server said no. `later`, `unsent`: nothing was applied, try again.
 * `unknown`: the command may have been applied.
 */
export function fateOf(error: unknown): 'refused' | 'later' | 'unsent' | 'unknown' {
  if (!(error instanceof Error)) return 'unknown';
  if (error.name === 'ReplyError') return LATER.test(error.message) ? 'later' : 'refused';
  return UNSENT.test(error.message) ? 'unsent' : 'unknown';
}

function reconnectPause(times: number): number {
  return Math.min(50 * times, LONGEST_RECONNECT_PAUSE_MS);
}

/** Nothing queued, nothing sent again behind our back, no autopipelining (measured slower). */
function storeOptions(address: RedisAddress, commandMs: number) {
  return {
    ...nodeOptions(address),
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    enableAutoPipelining: false,
    connectTimeout: commandMs,
    commandTimeout: commandMs,
    socketTimeout: commandMs,
    connectionName: CONNECTION_NAME,
  };
}

/** Who we are to a server, whatever the connection is for. */
export function nodeOptions(address: RedisAddress) {
  return {
    ...(address.username === null ? {} : { username: address.username }),
    ...(address.password === null ? {} : { password: address.password }),
    ...(address.tls ? { tls: {} } : {}),
  };
}

function nodeClient(address: RedisAddress, commandMs: number): Redis {
  const [node] = address.nodes;
  assert(node !== undefined, 'An address has a node.');
  const { sentinel } = address;
  return new Redis({
    ...storeOptions(address, commandMs),
    ...(sentinel === null ? node : sentinelOptions(address)),
    db: address.database,
    lazyConnect: true,
    enableOfflineQueue: false,
    retryStrategy: reconnectPause,
    // After a failover behind one address the old connection leads to a replica.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  });
}

function clusterClient(address: RedisAddress, commandMs: number): Cluster {
  return new Cluster([...address.nodes], {
    ...clusterOptions(),
    redisOptions: storeOptions(address, commandMs),
    lazyConnect: true,
    enableOfflineQueue: false,
  });
}

/** How to ask sentinels for the master of a group; nothing where there are none. */
export function sentinelOptions(address: RedisAddress) {
  const { nodes, sentinel } = address;
  if (sentinel === null) return {};
  return {
    sentinels: [...nodes],
    name: sentinel.group,
    db: address.database,
    ...(sentinel.password === null ? {} : { sentinelPassword: sentinel.password }),
    sentinelRetryStrategy: reconnectPause,
    // A sentinel that hears of a failover says so: no waiting for the old master to answer.
    failoverDetector: true,
  };
}

/** How to follow a Cluster through failovers. */
export function clusterOptions() {
  return {
    clusterRetryStrategy: reconnectPause,
    // 0: a command on a lost connection is an error here, not a second sending in the client.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    slotsRefreshInterval: 1_000,
    slotsRefreshTimeout: 1_000,
  };
}
