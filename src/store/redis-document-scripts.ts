/** The scripts of the small documents: bodies and ids of one kind share a slot. */
import { script } from './redis-script.js';

/**
 * KEYS: bodies, ids. ARGV: resent, id, body, expected revision ('' absent, 'any'), token of this call.
 * Answers the new revision or -1. The token makes a second sending of the same call harmless.
 */
export const PUT_DOCUMENT = script(String.raw`
local id, body, expected, token = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local old = redis.call('HGET', KEYS[1], id)
redis.call('ZCARD', KEYS[2])
local revision, by = '', ''
if old then revision, by = string.match(old, '^(%d+) (%S+)\n') end
if by == token then return tonumber(revision) end
if expected ~= 'any' and expected ~= revision then return -1 end
local new = (tonumber(revision) or 0) + 1
redis.call('HSET', KEYS[1], id, string.format('%d', new) .. ' ' .. token .. '\n' .. body)
redis.call('ZADD', KEYS[2], 0, id)
return new
`);

/** KEYS: bodies, ids. ARGV: resent, id. */
export const REMOVE_DOCUMENT = script(`
local found = redis.call('HEXISTS', KEYS[1], ARGV[2])
redis.call('ZCARD', KEYS[2])
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('HDEL', KEYS[1], ARGV[2])
return found
`);

/** KEYS: bodies, ids. ARGV: resent, prefix, last id seen, limit. Answers id, stored text, id, … */
export const LIST_DOCUMENTS = script(String.raw`
local prefix, token, limit = ARGV[2], ARGV[3], ARGV[4]
local start = token == '' and '[' .. prefix or '(' .. token
local stop = prefix == '' and '+' or '(' .. prefix .. '\255'
local ids = redis.call('ZRANGE', KEYS[2], start, stop, 'BYLEX', 'LIMIT', 0, limit)
local found = {}
for i = 1, #ids do
  found[2 * i - 1] = ids[i]
  found[2 * i] = redis.call('HGET', KEYS[1], ids[i])
end
return found
`);
