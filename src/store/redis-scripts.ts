/**
 * The Lua scripts of the Redis store. Redis does not roll a script back: each one reads and judges
 * everything first and writes last, on keys whose type it has seen, so nothing fails after the first
 * write. That one is refused under memory pressure (`deny-oom`); after it Redis refuses nothing.
 * Every script touches keys of one slot only, all of them named in KEYS. ARGV[1] is '1' when an
 * earlier sending of the same call may have been applied.
 */
import { createHash } from 'node:crypto';
import { EMPTY_DIGEST } from '../lib/digest.js';

export interface Script {
  readonly text: string;
  readonly sha: string;
}

function script(text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

/**
 * KEYS as in ExecutionKeys. Answers 1 (this commit is in the journal) or 0 (conflict).
 * Fields of the execution: seq, digest, row, number (order of creation), heads (its index entries),
 * `t:KEY` (due time of a timer), `o:KEY` (order and text of an effect).
 */
export const COMMIT = script(String.raw`
local resent, arn, after, previous, seq, digest = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local record, row, heads = ARGV[7], ARGV[8], ARGV[9]
local timerCount, outboxCount = tonumber(ARGV[10]), tonumber(ARGV[11])
local known = redis.call('HMGET', KEYS[1], 'seq', 'digest', 'number', 'heads')
redis.call('LLEN', KEYS[2])
for i = 3, 5 do redis.call('ZCARD', KEYS[i]) end
if #ARGV ~= 11 + 2 * (timerCount + outboxCount) then
  return redis.error_reply('ERR a commit with a wrong number of arguments')
end

if (known[1] or '0') ~= after or (known[2] or '${EMPTY_DIGEST}') ~= previous then
  local at = resent == '1' and -1 or 0
  while at < 0 do
    local text = redis.call('LINDEX', KEYS[2], at)
    if not text then return 0 end
    local itsAfter, itsDigest = string.match(text, '^(%d+) %d+ (%S+)\n')
    if itsDigest == digest and itsAfter == after then return 1 end
    if tonumber(itsAfter) < tonumber(after) then return 0 end
    at = at - 1
  end
  return 0
end

local time = redis.call('TIME')
local clock = time[1] .. string.format('%06d', tonumber(time[2]))
local number = known[3] or clock
redis.call('HSET', KEYS[1], 'seq', seq, 'digest', digest, 'row', row, 'number', number, 'heads', heads)
redis.call('RPUSH', KEYS[2], record)
if heads ~= known[4] then
  for head in string.gmatch(known[4] or '', '[^\n]+') do
    redis.call('ZREM', KEYS[3], head .. number .. '|' .. arn)
  end
  for head in string.gmatch(heads, '[^\n]+') do
    redis.call('ZADD', KEYS[3], 0, head .. number .. '|' .. arn)
  end
end

local at = 11
for i = 1, timerCount do
  local key, due = ARGV[at + 1], ARGV[at + 2]
  at = at + 2
  local old = redis.call('HGET', KEYS[1], 't:' .. key)
  if old ~= due then
    local tail = '|' .. arn .. '\n' .. key
    if old then redis.call('ZREM', KEYS[4], old .. tail) end
    if due ~= '' then
      redis.call('HSET', KEYS[1], 't:' .. key, due)
      redis.call('ZADD', KEYS[4], 0, due .. tail)
    elseif old then
      redis.call('HDEL', KEYS[1], 't:' .. key)
    end
  end
end

for i = 1, outboxCount do
  local key, effect = ARGV[at + 1], ARGV[at + 2]
  at = at + 2
  local old = redis.call('HGET', KEYS[1], 'o:' .. key)
  local order = old and string.sub(old, 1, 20) or clock .. string.format('%04d', i)
  local member = order .. '|' .. arn .. '\n' .. key
  if effect ~= '' then
    redis.call('HSET', KEYS[1], 'o:' .. key, order .. effect)
    if not old then redis.call('ZADD', KEYS[5], 0, member) end
  elseif old then
    redis.call('HDEL', KEYS[1], 'o:' .. key)
    redis.call('ZREM', KEYS[5], member)
  end
end
return 1
`);

/** KEYS: execution, timers. ARGV: resent, arn, key, due time. Moves a timer that exists. */
export const TOUCH_TIMER = script(String.raw`
local arn, key, due = ARGV[2], ARGV[3], ARGV[4]
local old = redis.call('HGET', KEYS[1], 't:' .. key)
redis.call('ZCARD', KEYS[2])
if not old or old == due then return 0 end
local tail = '|' .. arn .. '\n' .. key
redis.call('HSET', KEYS[1], 't:' .. key, due)
redis.call('ZADD', KEYS[2], 0, due .. tail)
redis.call('ZREM', KEYS[2], old .. tail)
return 1
`);

/** KEYS: execution, outbox. ARGV: resent, arn, key. */
export const DROP_EFFECT = script(String.raw`
local arn, key = ARGV[2], ARGV[3]
local old = redis.call('HGET', KEYS[1], 'o:' .. key)
redis.call('ZCARD', KEYS[2])
if not old then return 0 end
redis.call('ZREM', KEYS[2], string.sub(old, 1, 20) .. '|' .. arn .. '\n' .. key)
redis.call('HDEL', KEYS[1], 'o:' .. key)
return 1
`);

/** KEYS as in ExecutionKeys. ARGV: resent, arn. Loops over fields of this execution only. */
export const REMOVE = script(String.raw`
local arn = ARGV[2]
local known = redis.call('HMGET', KEYS[1], 'number', 'heads')
local fields = redis.call('HGETALL', KEYS[1])
for i = 3, 5 do redis.call('ZCARD', KEYS[i]) end
for i = 1, #fields, 2 do
  local kind, key = string.sub(fields[i], 1, 2), string.sub(fields[i], 3)
  local tail = '|' .. arn .. '\n' .. key
  if kind == 't:' then redis.call('ZREM', KEYS[4], fields[i + 1] .. tail) end
  if kind == 'o:' then redis.call('ZREM', KEYS[5], string.sub(fields[i + 1], 1, 20) .. tail) end
end
for head in string.gmatch(known[2] or '', '[^\n]+') do
  redis.call('ZREM', KEYS[3], head .. known[1] .. '|' .. arn)
end
redis.call('UNLINK', KEYS[1], KEYS[2])
return 1
`);

/**
 * KEYS: one sorted set per shard. ARGV: resent, 'reverse' or '', count, from, to, heads…
 * For every set and head up to count members after position from (and before position to, when
 * walking forwards), without the head. A position starts with a digit, and ':' follows '9'.
 */
export const SCAN = script(String.raw`
local reverse, count, from, to = ARGV[2] ~= '', ARGV[3], ARGV[4], ARGV[5]
local lists = {}
for k = 1, #KEYS do
  for h = 6, #ARGV do
    local head = ARGV[h]
    local members
    if reverse then
      local start = '(' .. head .. (from == '' and ':' or from)
      members = redis.call('ZRANGE', KEYS[k], start, '[' .. head, 'BYLEX', 'REV', 'LIMIT', 0, count)
    else
      local start = from == '' and '[' .. head or '(' .. head .. from
      local stop = '(' .. head .. (to == '' and ':' or to)
      members = redis.call('ZRANGE', KEYS[k], start, stop, 'BYLEX', 'LIMIT', 0, count)
    end
    for i = 1, #members do members[i] = string.sub(members[i], #head + 1) end
    lists[#lists + 1] = members
  end
end
return lists
`);

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
export const REMOVE_DOCUMENT = script(String.raw`
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

/** KEYS: meta. ARGV: resent, schema, shards, id. Signs a new store; answers what the store says of itself. */
export const SIGN = script(String.raw`
if redis.call('HEXISTS', KEYS[1], 'id') == 0 then
  redis.call('HSET', KEYS[1], 'schema', ARGV[2], 'shards', ARGV[3], 'id', ARGV[4])
end
return redis.call('HMGET', KEYS[1], 'schema', 'shards', 'id')
`);

/**
 * KEYS: a key of its own. Runs every command the scripts write with, so that a user who may not run
 * one of them is refused at start, not in the middle of a commit.
 */
export const PROBE = script(String.raw`
redis.call('HSET', KEYS[1], 'a', '1')
redis.call('HMGET', KEYS[1], 'a')
redis.call('HGETALL', KEYS[1])
redis.call('HEXISTS', KEYS[1], 'a')
redis.call('HGET', KEYS[1], 'a')
redis.call('HDEL', KEYS[1], 'a')
redis.call('RPUSH', KEYS[1], 'a')
redis.call('LLEN', KEYS[1])
redis.call('LINDEX', KEYS[1], -1)
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
  TOUCH_TIMER,
  DROP_EFFECT,
  REMOVE,
  SCAN,
  PUT_DOCUMENT,
  REMOVE_DOCUMENT,
  LIST_DOCUMENTS,
  SIGN,
  PROBE,
];
