/** `redis://user:password@host:port/db?prefix=stepwell&unsafe=1`, `rediss://…`, `redis+cluster://a:p,b:p`. */
import { StoreUnavailable } from './unavailable.js';

export interface RedisAddress {
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly cluster: boolean;
  readonly tls: boolean;
  readonly username: string | null;
  readonly password: string | null;
  readonly database: number;
  readonly prefix: string;
  /** Accept a server that may forget or evict what it acknowledged. */
  readonly unsafe: boolean;
  /** The address without secrets, for messages. */
  readonly shown: string;
}

const SCHEMES = ['redis', 'rediss', 'redis+cluster', 'rediss+cluster'];
const DEFAULT_PORT = 6379;
const SHAPE = /^([a-z+]+):\/\/(?:([^@/?]*)@)?([^@/?]+)(?:\/(\d*))?(?:\?(.*))?$/;

export function parseRedisUrl(url: string): RedisAddress {
  const [, scheme = '', login = '', hosts = '', database = '', query = ''] = SHAPE.exec(url) ?? [];
  if (!SCHEMES.includes(scheme)) {
    throw new StoreUnavailable(
      'A Redis store is written redis://[user:password@]host[:port][/database][?prefix=stepwell].',
    );
  }
  const cluster = scheme.endsWith('+cluster');
  const nodes = hosts.split(',').map(parseNode);
  if (!cluster && nodes.length > 1) {
    throw new StoreUnavailable('Several Redis nodes are written redis+cluster://a:port,b:port.');
  }
  if (cluster && Number(database) !== 0) {
    throw new StoreUnavailable('A Redis Cluster has only database 0.');
  }
  const { prefix, unsafe } = parseQuery(query);
  const [username = '', password = ''] = login.includes(':')
    ? [login.slice(0, login.indexOf(':')), login.slice(login.indexOf(':') + 1)]
    : ['', login];
  const at = nodes.map(({ host, port }) => `${host}:${port}`).join(',');
  return {
    nodes,
    cluster,
    tls: scheme.startsWith('rediss'),
    username: username === '' ? null : decodeURIComponent(username),
    password: password === '' ? null : decodeURIComponent(password),
    database: Number(database),
    prefix,
    unsafe,
    shown: `${scheme}://${at}${cluster ? '' : `/${Number(database)}`}?prefix=${prefix}`,
  };
}

function parseNode(text: string): { host: string; port: number } {
  const [, host = '', port = ''] = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(text) ?? [];
  const number = port === '' ? DEFAULT_PORT : Number(port);
  if (host === '' || number < 1 || number > 65_535) {
    throw new StoreUnavailable(`"${text}" is not the address of a Redis node: host:port.`);
  }
  return { host: host.replace(/^\[|\]$/g, ''), port: number };
}

function parseQuery(query: string): { prefix: string; unsafe: boolean } {
  const options = new URLSearchParams(query);
  for (const key of options.keys()) {
    if (key !== 'prefix' && key !== 'unsafe') {
      throw new StoreUnavailable(`Unknown Redis option "${key}". Known: prefix, unsafe.`);
    }
  }
  const prefix = options.get('prefix') ?? 'stepwell';
  if (!/^[\w.:-]{1,64}$/.test(prefix)) {
    throw new StoreUnavailable('The prefix is 1 to 64 letters, digits and . _ : - characters.');
  }
  return { prefix, unsafe: options.get('unsafe') === '1' };
}
