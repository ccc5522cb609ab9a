/**
 * The Lua scripts of the Redis store. Redis does not roll a script back: each one reads and judges
 * everything first and writes last, on keys whose type it has seen, so nothing fails after the first
 * write. That one is refused under memory pressure (`deny-oom`); after it Redis refuses nothing.
 * Every script touches keys of one slot only, all of them named in KEYS. ARGV[1] is '1' when an
 * earlier sending of the same call may have been applied.
 */
import { createHash } from 'node:crypto';
import { EMPTY_DIGEST } from '../lib/digest.js';
import { POSITION_DIGITS } from './redis-keys.js';

export interface Script {
  readonly text: string;
  readonly sha: string;
}

function script(text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

/** Values that one call from Lua takes at most; its stack ends at about 8,000. */
const MANY = 1_000;

/** An effect's order in front of its text: microseconds of the server and place in the commit. */
export const ORDER_DIGITS = 22;

/** Fields of an execution's hash whose names say what they are; see COMMIT. */
export const TIMER_FIELD = 't:';
export const EFFECT_FIELD = 'o:';

/**
 * KEYS as in ExecutionKeys. ARGV: resent, arn, after, previous digest, seq, digest, journal record,
 * row, index heads, then field and value of every timer and effect (value '' removes it), no field
 * twice. Answers 1 (this commit is in the journal) or 0 (conflict).
 * Fields of the execution: seq, digest, row, commits (how many), `j:N` (journal record N, from 1),
 * number (order of creation), heads (its index entries), `t:KEY` (due time of a timer), `o:KEY`
 * (its order and the text of an effect).
 */
export const COMMIT = script(String.raw`
local arn, heads, count = ARGV[2], ARGV[9], #ARGV
local fields = {'seq', 'digest', 'commits', 'number', 'heads'}
for i = 10, count, 2 do fields[#fields + 1] = ARGV[i] end
local known
if #fields <= ${MANY} then known = redis.call('HMGET', KEYS[1], unpack(fields)) else
  known = {}
  for i = 1, #fields, ${MANY} do
    local last = math.min(i + ${MANY - 1}, #fields)
    local part = redis.call('HMGET', KEYS[1], unpack(fields, i, last))
    for j = 1, #part do known[i + j - 1] = part[j] end
  end
end
local commits, number, oldHeads = known[3] or '0', known[4], known[5] or ''
if heads ~= oldHeads then redis.call('ZCARD', KEYS[2]) end
if count > 9 then redis.call('ZCARD', KEYS[3]) end

if (known[1] or '0') ~= ARGV[3] or (known[2] or '${EMPTY_DIGEST}') ~= ARGV[4] then
  for at = ARGV[1] == '1' and tonumber(commits) or 0, 1, -1 do
    local text = redis.call('HGET', KEYS[1], 'j:' .. at)
    local after, digest = string.match(text, '^(%d+) %d+ (%S+)\n')
    if digest == ARGV[6] and after == ARGV[3] then return 1 end
    if tonumber(after) < tonumber(ARGV[3]) then return 0 end
  end
  return 0
end

local clock
if not number or count > 9 then
  local time = redis.call('TIME')
  clock = time[1] .. string.format('%06d', time[2])
end
commits = string.format('%d', commits + 1)
local set = {
  'seq', ARGV[5], 'digest', ARGV[6], 'commits', commits, 'j:' .. commits, ARGV[7], 'row', ARGV[8]
}
local drop, add, cut = {}, {}, {}
local sets, drops, adds, cuts = #set, 0, 0, 0
local owner = '|' .. arn .. '\n'
for i = 6, #fields do
  local field, value, old = fields[i], ARGV[2 * i - 1], known[i]
  local timer = string.byte(field) == 116
  local place, oldPlace
  if timer then
    place, oldPlace = string.sub(value, 1, ${POSITION_DIGITS}), old and string.sub(old, 1, ${POSITION_DIGITS})
  else
    oldPlace = old and string.sub(old, 1, ${ORDER_DIGITS})
    if value ~= '' then
      place = oldPlace or clock .. string.format('%06d', i)
      value = place .. value
    end
  end
  if value == '' then
    if old then
      drops = drops + 1
      drop[drops] = field
    end
  elseif value ~= old then
    set[sets + 1], set[sets + 2] = field, value
    sets = sets + 2
  end
  if value == '' or place ~= oldPlace or timer and value ~= old then
    local head = timer and 't|' or 'o|'
    local tail = owner .. string.sub(field, 3)
    if old then
      cuts = cuts + 1
      cut[cuts] = head .. oldPlace .. tail
      if timer then cut[cuts] = cut[cuts] .. string.sub(old, ${POSITION_DIGITS + 1}) end
    end
    if value ~= '' then
      add[adds + 1], add[adds + 2] = 0, head .. place .. tail
      if timer then add[adds + 2] = add[adds + 2] .. string.sub(value, ${POSITION_DIGITS + 1}) end
      adds = adds + 2
    end
  end
end
if heads ~= oldHeads then
  number = number or clock
  set[sets + 1], set[sets + 2], set[sets + 3], set[sets + 4] = 'number', number, 'heads', heads
end

local function write(command, key, list)
  local size = #list
  if size > 0 and size <= ${MANY} then
    redis.call(command, key, unpack(list))
  else
    for i = 1, size, ${MANY} do
      redis.call(command, key, unpack(list, i, math.min(i + ${MANY - 1}, size)))
    end
  end
end
write('HSET', KEYS[1], set)
write('HDEL', KEYS[1], drop)
write('ZADD', KEYS[3], add)
write('ZREM', KEYS[3], cut)
if heads ~= oldHeads then
  for head in string.gmatch(oldHeads, '[^\n]+') do
    redis.call('ZREM', KEYS[2], head .. number .. '|' .. arn)
  end
  for head in string.gmatch(heads, '[^\n]+') do
    redis.call('ZADD', KEYS[2], 0, head .. number .. '|' .. arn)
  end
end
return 1
`);

/** KEYS: execution, work. ARGV: resent, arn, key, due time. Moves a timer that exists. */
export const TOUCH_TIMER = script(String.raw`
local arn, key, due = ARGV[2], ARGV[3], ARGV[4]
local old = redis.call('HGET', KEYS[1], 't:' .. key)
redis.call('ZCARD', KEYS[2])
if not old or old == due then return 0 end
local function entry(value)
  return 't|' .. string.sub(value, 1, ${POSITION_DIGITS}) .. '|' .. arn .. '\n' .. key
    .. string.sub(value, ${POSITION_DIGITS + 1})
end
redis.call('HSET', KEYS[1], 't:' .. key, due)
redis.call('ZADD', KEYS[2], 0, entry(due))
redis.call('ZREM', KEYS[2], entry(old))
return 1
`);

/**
 * KEYS: execution. ARGV: resent, field, text before, text after. Its place in the order stays. A
 * second sending finds its own text.
 */
export const REPLACE_EFFECT = script(`
local old = redis.call('HGET', KEYS[1], ARGV[2])
if not old then return 0 end
local order, text = string.sub(old, 1, ${ORDER_DIGITS}), string.sub(old, ${ORDER_DIGITS + 1})
if ARGV[1] == '1' and text == ARGV[4] then return 1 end
if text ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[1], ARGV[2], order .. ARGV[4])
return 1
`);

/** KEYS: execution, work. ARGV: resent, arn, key. */
export const DROP_EFFECT = script(String.raw`
local arn, key = ARGV[2], ARGV[3]
local old = redis.call('HGET', KEYS[1], 'o:' .. key)
redis.call('ZCARD', KEYS[2])
if not old then return 0 end
redis.call('ZREM', KEYS[2], 'o|' .. string.sub(old, 1, ${ORDER_DIGITS}) .. '|' .. arn .. '\n' .. key)
redis.call('HDEL', KEYS[1], 'o:' .. key)
return 1
`);

/**
 * KEYS as in ExecutionKeys. ARGV: resent, arn. Loops over fields of this execution only. A running
 * execution that a second sending meets has been started anew since the first, and stays.
 */
export const REMOVE = script(String.raw`
local arn = ARGV[2]
local known = redis.call('HMGET', KEYS[1], 'number', 'heads')
local fields = redis.call('HGETALL', KEYS[1])
redis.call('ZCARD', KEYS[2])
redis.call('ZCARD', KEYS[3])
if ARGV[1] == '1' and string.sub(known[2] or '', 1, 4) == 's|R|' then return 0 end
for i = 1, #fields, 2 do
  local kind, value = string.sub(fields[i], 1, 2), fields[i + 1]
  local tail = '|' .. arn .. '\n' .. string.sub(fields[i], 3)
  if kind == 't:' then
    local due, holder = string.sub(value, 1, ${POSITION_DIGITS}), string.sub(value, ${POSITION_DIGITS + 1})
    redis.call('ZREM', KEYS[3], 't|' .. due .. tail .. holder)
  end
  if kind == 'o:' then redis.call('ZREM', KEYS[3], 'o|' .. string.sub(value, 1, ${ORDER_DIGITS}) .. tail) end
end
for head in string.gmatch(known[2] or '', '[^\n]+') do
  redis.call('ZREM', KEYS[2], head .. known[1] .. '|' .. arn)
end
redis.call('UNLINK', KEYS[1])
return 1
`);

/**
 * KEYS as in ExecutionKeys. ARGV: resent, arn, expected seq ('' for none), expected digest, seq, digest,
 * row, index heads, number of journal records, then field and value of every timer and effect. Writes anew whatever
 * is derived from the journal; the journal records stay. Answers 1, or 0 (the head is another one).
 */
export const REDERIVE = script(String.raw`
local arn, heads = ARGV[2], ARGV[8]
local known = redis.call('HMGET', KEYS[1], 'seq', 'digest', 'number', 'heads')
local fields = redis.call('HGETALL', KEYS[1])
redis.call('ZCARD', KEYS[2])
redis.call('ZCARD', KEYS[3])
local isResult = ARGV[1] == '1' and known[1] == ARGV[5] and known[2] == ARGV[6]
if not isResult and ((known[1] or '') ~= ARGV[3] or (known[2] or '') ~= ARGV[4]) then return 0 end
local time = redis.call('TIME')
local clock = time[1] .. string.format('%06d', time[2])
local number = known[3] or clock
redis.call('HSET', KEYS[1], 'seq', ARGV[5], 'digest', ARGV[6], 'row', ARGV[7], 'heads', heads,
  'number', number, 'commits', ARGV[9])
for head in string.gmatch(known[4] or '', '[^\n]+') do
  redis.call('ZREM', KEYS[2], head .. number .. '|' .. arn)
end
for head in string.gmatch(heads, '[^\n]+') do
  redis.call('ZADD', KEYS[2], 0, head .. number .. '|' .. arn)
end
local owner = '|' .. arn .. '\n'
for i = 1, #fields, 2 do
  local kind, value = string.sub(fields[i], 1, 2), fields[i + 1]
  local tail = owner .. string.sub(fields[i], 3)
  if kind == 't:' then
    local due, holder = string.sub(value, 1, ${POSITION_DIGITS}), string.sub(value, ${POSITION_DIGITS + 1})
    redis.call('ZREM', KEYS[3], 't|' .. due .. tail .. holder)
  end
  if kind == 'o:' then redis.call('ZREM', KEYS[3], 'o|' .. string.sub(value, 1, ${ORDER_DIGITS}) .. tail) end
  if kind == 't:' or kind == 'o:' then redis.call('HDEL', KEYS[1], fields[i]) end
end
for i = 10, #ARGV, 2 do
  local field, value, place, head = ARGV[i], ARGV[i + 1], ARGV[i + 1], 't|'
  if string.sub(field, 1, 2) == 'o:' then
    place, head = clock .. string.format('%06d', i), 'o|'
    value = place .. value
  end
  redis.call('HSET', KEYS[1], field, value)
  redis.call('ZADD', KEYS[3], 0, head .. place .. owner .. string.sub(field, 3))
end
return 1
`);

/** KEYS: execution. ARGV: resent, field, value, … Journal records of an execution that is not there yet. */
export const STAGE = script(`
if redis.call('HEXISTS', KEYS[1], 'seq') == 1 then return 0 end
for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
return 1
`);

/** KEYS: execution. Answers field and value of every timer and effect. */
export const PENDING = script(`
local fields, found = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #fields, 2 do
  local kind = string.sub(fields[i], 1, 2)
  if kind == 't:' or kind == 'o:' then
    found[#found + 1], found[#found + 2] = fields[i], fields[i + 1]
  end
end
return found
`);

/** KEYS: a sorted set. ARGV: resent, heads… Answers how many entries begin with one of the heads. */
export const COUNT = script(`
local count = 0
for i = 2, #ARGV do
  count = count + redis.call('ZLEXCOUNT', KEYS[1], '[' .. ARGV[i], '(' .. ARGV[i] .. ':')
end
return count
`);

/** KEYS: a sorted set. ARGV: resent, member, … */
export const DROP_MEMBERS = script(`
for i = 2, #ARGV do redis.call('ZREM', KEYS[1], ARGV[i]) end
return 1
`);

/**
 * KEYS: one sorted set per shard. ARGV: resent, 'reverse' or '', count, from, to, heads…
 * For every set and head up to count members after position from (and before position to, when
 * walking forwards), without the head. A position starts with a digit, and ':' follows '9'.
 */
export const SCAN = script(`
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

/** KEYS: meta. ARGV: resent, schema, shards, id. Signs a new store; answers what the store says of itself. */
export const SIGN = script(`
if redis.call('HEXISTS', KEYS[1], 'id') == 0 then
  redis.call('HSET', KEYS[1], 'schema', ARGV[2], 'shards', ARGV[3], 'id', ARGV[4])
end
return redis.call('HMGET', KEYS[1], 'schema', 'shards', 'id')
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
  REPLACE_EFFECT,
  DROP_EFFECT,
  REMOVE,
  REDERIVE,
  STAGE,
  DROP_MEMBERS,
  PENDING,
  COUNT,
  SCAN,
  PUT_DOCUMENT,
  REMOVE_DOCUMENT,
  LIST_DOCUMENTS,
  SIGN,
  PROBE,
];
