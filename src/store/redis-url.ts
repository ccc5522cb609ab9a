/**
 * `redis://user:password@host:port/db?prefix=stepwell&unsafe=1`, `rediss://…`, `redis+cluster://a:p,b:p`,
 * `redis+sentinel://a:p,b:p/group[/db]?sentinelPassword=…`; `wait=N` asks for N replicas per commit.
 */
import { StoreUnavailable } from './unavailable.js';

export interface RedisAddress {
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly cluster: boolean;
  /** The nodes are sentinels: which group of servers they are asked for. */
  readonly sentinel: { readonly group: string; readonly password: string | null } | null;
  readonly tls: boolean;
  readonly username: string | null;
  readonly password: string | null;
  readonly database: number;
  readonly prefix: string;
  /** Accept a server that may forget or evict what it acknowledged. */
  readonly unsafe: boolean;
  readonly wait: WaitRule;
  /** The address without secrets, for messages. */
  readonly shown: string;
}

/** How many copies of a commit must be there before it counts; all 0: the server's own word. */
export interface WaitRule {
  /** Replicas that have it in memory (WAIT). */
  readonly replicas: number;
  /** The server's own disk, and replicas that have it on disk (WAITAOF, Redis 7.2). */
  readonly localDisk: boolean;
  readonly replicaDisks: number;
  /** Longest wait for them, in milliseconds. */
  readonly waitMs: number;
}

export const SCHEMES = [
  'redis',
  'rediss',
  'redis+cluster',
  'rediss+cluster',
  'redis+sentinel',
  'rediss+sentinel',
] as const;
const DEFAULT_PORT = 6379;
const SENTINEL_PORT = 26_379;
const DEFAULT_WAIT_MS = 1_000;
const MAX_REPLICAS = 100;
/** Shorter than what counts as a lost reply. */
const LONGEST_WAIT_MS = 4_000;
const SHAPE = /^([a-z+]+):\/\/(?:([^@/?]*)@)?([^@/?]+)(?:\/([^?]*))?(?:\?(.*))?$/;

export function parseRedisUrl(url: string): RedisAddress {
  const [, scheme = '', login = '', hosts = '', path = '', query = ''] = SHAPE.exec(url) ?? [];
  if (!(SCHEMES as readonly string[]).includes(scheme)) {
    throw new StoreUnavailable(
      'A Redis store is written redis://[user:password@]host[:port][/database][?prefix=stepwell].',
    );
  }
  const cluster = scheme.endsWith('+cluster');
  const watched = scheme.endsWith('+sentinel');
  const nodes = hosts
    .split(',')
    .map((host) => parseNode(host, watched ? SENTINEL_PORT : DEFAULT_PORT));
  const { group, database } = parsePath(path, watched);
  if (!cluster && !watched && nodes.length > 1) {
    throw new StoreUnavailable('Several Redis nodes are written redis+cluster://a:port,b:port.');
  }
  if (cluster && database !== 0) {
    throw new StoreUnavailable('A Redis Cluster has only database 0.');
  }
  const { prefix, unsafe, sentinelPassword, wait } = parseQuery(query);
  const [username = '', password = ''] = login.includes(':')
    ? [login.slice(0, login.indexOf(':')), login.slice(login.indexOf(':') + 1)]
    : ['', login];
  const at = nodes.map(({ host, port }) => `${host}:${port}`).join(',');
  return {
    nodes,
    cluster,
    sentinel: group === null ? null : { group, password: sentinelPassword },
    tls: scheme.startsWith('rediss'),
    username: username === '' ? null : decodeURIComponent(username),
    password: password === '' ? null : decodeURIComponent(password),
    database,
    prefix,
    unsafe,
    wait,
    shown: `${scheme}://${at}${group === null ? '' : `/${group}`}${cluster ? '' : `/${database}`}?prefix=${prefix}`,
  };
}

/** `group/database` where sentinels are asked, else `database`. */
function parsePath(path: string, watched: boolean): { group: string | null; database: number } {
  const shape = watched ? /^([\w.-]+)(?:\/(\d*))?$/ : /^()(\d*)$/;
  const [, group = '', database = ''] = shape.exec(path) ?? [];
  if (watched && group === '') {
    throw new StoreUnavailable(
      'Sentinels are asked for a group: redis+sentinel://host:26379,host:26379/mymaster[/database].',
    );
  }
  if (!shape.test(path)) throw new StoreUnavailable(`"${path}" is not the number of a database.`);
  return { group: watched ? group : null, database: Number(database) };
}

function parseNode(text: string, defaultPort: number): { host: string; port: number } {
  const [, host = '', port = ''] = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(text) ?? [];
  const number = port === '' ? defaultPort : Number(port);
  if (host === '' || number < 1 || number > 65_535) {
    throw new StoreUnavailable(`"${text}" is not the address of a Redis node: host:port.`);
  }
  return { host: host.replace(/^\[|\]$/g, ''), port: number };
}

const OPTIONS = ['prefix', 'unsafe', 'sentinelPassword', 'wait', 'waitaof', 'waitMs'];

interface Query {
  readonly prefix: string;
  readonly unsafe: boolean;
  readonly sentinelPassword: string | null;
  readonly wait: WaitRule;
}

function parseQuery(query: string): Query {
  const options = new URLSearchParams(query);
  for (const key of options.keys()) {
    if (!OPTIONS.includes(key)) {
      throw new StoreUnavailable(`Unknown Redis option "${key}". Known: ${OPTIONS.join(', ')}.`);
    }
  }
  const prefix = options.get('prefix') ?? 'stepwell';
  if (!/^[\w.:-]{1,64}$/.test(prefix)) {
    throw new StoreUnavailable('The prefix is 1 to 64 letters, digits and . _ : - characters.');
  }
  return {
    prefix,
    unsafe: options.get('unsafe') === '1',
    sentinelPassword: options.get('sentinelPassword'),
    wait: parseWait(options),
  };
}

/** `wait=1`; `waitaof=1` (own disk) or `waitaof=1,1` (own disk and those of replicas); `waitMs=500`. */
function parseWait(options: URLSearchParams): WaitRule {
  const replicas = count(options.get('wait') ?? '0', 'wait', MAX_REPLICAS);
  const [local = '0', disks = '0', more] = (options.get('waitaof') ?? '0,0').split(',');
  if (more !== undefined) throw new StoreUnavailable('waitaof is two numbers: 1,1.');
  const waitMs = count(options.get('waitMs') ?? String(DEFAULT_WAIT_MS), 'waitMs', LONGEST_WAIT_MS);
  if (waitMs === 0) throw new StoreUnavailable('waitMs is at least 1: without end is no time.');
  return {
    replicas,
    localDisk: count(local, 'waitaof', 1) === 1,
    replicaDisks: count(disks, 'waitaof', MAX_REPLICAS),
    waitMs,
  };
}

function count(text: string, option: string, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= most) return value;
  throw new StoreUnavailable(`The Redis option ${option} is a number from 0 to ${most}.`);
}
