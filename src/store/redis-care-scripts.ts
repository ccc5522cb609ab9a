/** Removing executions, and writing anew what follows from their journals. */
import { HEAD, script } from './redis-script.js';

/**
 * KEYS: execution, work, index. ARGV: resent. A running execution that a second sending meets has been
 * started anew since the first, and stays.
 */
export const REMOVE = script(String.raw`${HEAD}
local known = redis.call('HMGET', KEYS[1], 'number', 'heads', 'h')
redis.call('ZCARD', KEYS[2])
redis.call('ZCARD', KEYS[3])
if ARGV[1] == '1' and string.sub(known[2] or '', 1, 4) == 's|R|' then return 0 end
local _, _, due, since = parse(known[3])
move(KEYS[2], KEYS[1], 't|', due, '-')
move(KEYS[2], KEYS[1], 'o|', since, '-')
for head in string.gmatch(known[2] or '', '[^\n]+') do
  redis.call('ZREM', KEYS[3], head .. known[1] .. '|' .. arnOf(KEYS[1]))
end
redis.call('UNLINK', KEYS[1])
return 1
`);

/**
 * KEYS: execution, work, index. ARGV: resent, expected seq and digest ('' for none), seq and digest, row,
 * index heads, number of journal records, then field and value of every timer and effect. Writes anew
 * whatever is derived from the journal; the records stay. Answers 1, or 0 (the head is another one).
 */
export const REDERIVE = script(String.raw`${HEAD}
local heads = ARGV[5]
local known = redis.call('HMGET', KEYS[1], 'h', 'number', 'heads')
local all = redis.call('HKEYS', KEYS[1])
redis.call('ZCARD', KEYS[2])
redis.call('ZCARD', KEYS[3])
local head, _, oldDue, oldSince = parse(known[1])
if not known[1] then head = '' end
local isResult = ARGV[1] == '1' and head == ARGV[3]
if not isResult and head ~= ARGV[2] then return 0 end
local now = clock()
local number = known[2] or now
local tail = number .. '|' .. arnOf(KEYS[1])
local timers, due, effects = 0, '-', 0
redis.call('HSET', KEYS[1], 'row', ARGV[4], 'heads', heads, 'number', number)
for i = 1, #all do
  local kind = string.sub(all[i], 1, 2)
  if kind == 't:' or kind == 'o:' then redis.call('HDEL', KEYS[1], all[i]) end
end
for i = 7, #ARGV, 2 do
  local field, value = ARGV[i], ARGV[i + 1]
  if string.sub(field, 1, 2) == 'o:' then
    effects = effects + 1
  else
    timers = timers + 1
    if due == '-' or value < due then due = value end
  end
  redis.call('HSET', KEYS[1], field, value)
end
local since = effects > 0 and now or '-'
redis.call('HSET', KEYS[1], 'h', format(ARGV[3], ARGV[6], due, since, timers, effects, ''))
move(KEYS[2], KEYS[1], 't|', oldDue, '-')
move(KEYS[2], KEYS[1], 'o|', oldSince, '-')
move(KEYS[2], KEYS[1], 't|', '-', due)
move(KEYS[2], KEYS[1], 'o|', '-', since)
for head in string.gmatch(known[3] or '', '[^\n]+') do redis.call('ZREM', KEYS[3], head .. tail) end
for head in string.gmatch(heads, '[^\n]+') do redis.call('ZADD', KEYS[3], 0, head .. tail) end
return 1
`);

/** KEYS: execution. ARGV: resent, field, value, … Journal records of an execution that is not there yet. */
export const STAGE = script(`
if redis.call('HEXISTS', KEYS[1], 'h') == 1 then return 0 end
for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
return 1
`);

/** KEYS: a sorted set. ARGV: resent, member, … */
export const DROP_MEMBERS = script(`
for i = 2, #ARGV do redis.call('ZREM', KEYS[1], ARGV[i]) end
return 1
`);

/**
 * KEYS: executions of one shard as schema 2 wrote them: head, commits and work were fields of their own.
 * One that is laid out anew already stays as it is. Answers how many were not.
 */
export const UPGRADE = script(`${HEAD}
local count = 0
for i = 1, #KEYS do
  local known = redis.call('HMGET', KEYS[i], 'head', 'commits', 'work')
  if known[1] then
    local timers, due, effects, since = string.match(known[3] or '0 - 0 -', '^(%d+) (%S+) (%d+) (%S+)$')
    local h = format(known[1] .. ' ', known[2] or '0', due, since, timers, effects, '')
    redis.call('HSET', KEYS[i], 'h', h)
    redis.call('HDEL', KEYS[i], 'head', 'commits', 'work')
    count = count + 1
  end
end
return count
`);
