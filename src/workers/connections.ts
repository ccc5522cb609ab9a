/**
 * Redis connections beside the store's: one for short commands, one that listens, and those of BullMQ.
 * They reconnect by themselves; what they lose meanwhile the sweeps find again.
 */
import { Cluster, Redis } from 'ioredis';
import { clusterOptions, nodeOptions, sentinelOptions } from '../store/redis-client.js';
import type { RedisAddress } from '../store/redis-url.js';

export type Connection = Redis | Cluster;

/** Resolves to a client that queues what it is told while it reconnects, as BullMQ wants it. */
export function connect(address: RedisAddress, name: string): Connection {
  const options = {
    ...nodeOptions(address),
    connectionName: `stepwell:${name}`,
    maxRetriesPerRequest: null,
  };
  if (address.cluster) {
    return new Cluster([...address.nodes], { ...clusterOptions(), redisOptions: options });
  }
  const [node] = address.nodes;
  const place = address.sentinel === null ? { ...node, db: address.database } : {};
  return new Redis({ ...options, ...place, ...sentinelOptions(address), retryStrategy: pause });
}

function pause(times: number): number {
  return Math.min(50 * times, 1_000);
}
