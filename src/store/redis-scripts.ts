/** All scripts of the Redis store, as they are loaded into a server, and those by which a store is known. */
import { DROP_MEMBERS, REDERIVE, REMOVE, STAGE, UPGRADE } from './redis-care-scripts.js';
import { COMMIT, PLAIN_COMMIT } from './redis-commit-script.js';
import { LIST_DOCUMENTS, PUT_DOCUMENT, REMOVE_DOCUMENT } from './redis-document-scripts.js';
import { COUNT, SCAN } from './redis-scan-scripts.js';
import { type Script, script } from './redis-script.js';
import {
  DROP_EFFECT,
  PENDING,
  RECOUNT,
  REPLACE_EFFECT,
  TIMERS_OF,
  TOUCH_TIMER,
} from './redis-work-scripts.js';

/** KEYS: meta. ARGV: resent, schema, shards, id. Signs a new store; answers what the store says of itself. */
export const SIGN = script(`
if redis.call('HEXISTS', KEYS[1], 'id') == 0 then
  redis.call('HSET', KEYS[1], 'schema', ARGV[2], 'shards', ARGV[3], 'id', ARGV[4])
end
return redis.call('HMGET', KEYS[1], 'schema', 'shards', 'id')
`);

/** KEYS: meta. ARGV: resent, schema before, schema after. */
export const SET_SCHEMA = script(`
if redis.call('HGET', KEYS[1], 'schema') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'schema', ARGV[3])
return 1
`);

/**
 * KEYS: a key of its own. Runs every command the scripts write with, so that a user who may not run
 * one of them is refused at start, not in the middle of a commit.
 */
export const PROBE = script(`
redis.call('HSET', KEYS[1], 'a', '1')
redis.call('HMGET', KEYS[1], 'a')
redis.call('HGETALL', KEYS[1])
redis.call('HEXISTS', KEYS[1], 'a')
redis.call('HGET', KEYS[1], 'a')
redis.call('HDEL', KEYS[1], 'a')
redis.call('HKEYS', KEYS[1])
redis.call('UNLINK', KEYS[1])
redis.call('ZADD', KEYS[1], 0, 'a')
redis.call('ZCARD', KEYS[1])
redis.call('ZRANGE', KEYS[1], '-', '+', 'BYLEX', 'LIMIT', 0, 1)
redis.call('ZREM', KEYS[1], 'a')
redis.call('TIME')
return 1
`);

export const SCRIPTS: readonly Script[] = [
  COMMIT,
  PLAIN_COMMIT,
  TOUCH_TIMER,
  REPLACE_EFFECT,
  DROP_EFFECT,
  REMOVE,
  REDERIVE,
  STAGE,
  DROP_MEMBERS,
  RECOUNT,
  PENDING,
  TIMERS_OF,
  COUNT,
  SCAN,
  PUT_DOCUMENT,
  REMOVE_DOCUMENT,
  LIST_DOCUMENTS,
  SIGN,
  SET_SCHEMA,
  UPGRADE,
  PROBE,
];
