/** Timers and effects of executions: read, moved, replaced, dropped and counted again. */
import { POSITION_DIGITS } from './redis-keys.js';
import { HEAD, ORDER_DIGITS, script } from './redis-script.js';

/** KEYS: execution, work. ARGV: resent, key, due time and holder. Moves a timer that exists. */
export const TOUCH_TIMER = script(`${HEAD}
local field, value = 't:' .. ARGV[2], ARGV[3]
local known = redis.call('HMGET', KEYS[1], field, 'h')
redis.call('ZCARD', KEYS[2])
if not known[1] or known[1] == value then return 0 end
redis.call('HSET', KEYS[1], field, value)
local head, records, due, since, timers, effects, patch = parse(known[2])
local place = string.sub(value, 1, ${POSITION_DIGITS})
if due ~= '-' and place >= due then return 1 end
redis.call('HSET', KEYS[1], 'h', format(head, records, place, since, timers, effects, patch))
move(KEYS[2], KEYS[1], 't|', due, place)
return 1
`);

/**
 * KEYS: execution, work. ARGV: resent, entries of the shard that may say too little or belong to
 * nothing. Brings counts and entries of this execution up to what its fields say.
 */
export const RECOUNT = script(`${HEAD}
local all = redis.call('HKEYS', KEYS[1])
redis.call('ZCARD', KEYS[2])
local h = redis.call('HGET', KEYS[1], 'h')
local timers, due, effects = 0, '-', 0
for i = 1, #all do
  local kind = string.sub(all[i], 1, 2)
  if kind == 'o:' then effects = effects + 1 end
  if kind == 't:' then
    timers = timers + 1
    local place = string.sub(redis.call('HGET', KEYS[1], all[i]), 1, ${POSITION_DIGITS})
    if due == '-' or place < due then due = place end
  end
end
local head, records, oldDue, since, _, _, patch = parse(h)
local oldSince = since
if effects == 0 then since = '-' elseif since == '-' then since = clock() end
local right = {['t|'] = due, ['o|'] = since}
local arn = arnOf(KEYS[1])
if h then
  redis.call('HSET', KEYS[1], 'h', format(head, records, due, since, timers, effects, patch))
  move(KEYS[2], KEYS[1], 't|', oldDue, due)
  move(KEYS[2], KEYS[1], 'o|', oldSince, since)
  for head, place in pairs(right) do
    if place ~= '-' then redis.call('ZADD', KEYS[2], 0, head .. place .. '|' .. arn) end
  end
end
for i = 2, #ARGV do
  local head, place = string.sub(ARGV[i], 1, 2), string.sub(ARGV[i], 3, ${POSITION_DIGITS + 2})
  if not h or right[head] ~= place then redis.call('ZREM', KEYS[2], ARGV[i]) end
end
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

/** KEYS: execution, work. ARGV: resent, key. */
export const DROP_EFFECT = script(`${HEAD}
local field = 'o:' .. ARGV[2]
local known = redis.call('HMGET', KEYS[1], field, 'h')
redis.call('ZCARD', KEYS[2])
if not known[1] then return 0 end
local head, records, due, since, timers, effects, patch = parse(known[2])
effects = math.max(0, effects - 1)
local left = effects > 0 and since or '-'
redis.call('HSET', KEYS[1], 'h', format(head, records, due, left, timers, effects, patch))
redis.call('HDEL', KEYS[1], field)
move(KEYS[2], KEYS[1], 'o|', since, left)
return 1
`);

/** KEYS: execution. Answers since when it has effects, and field and value of every timer and effect. */
export const PENDING = script(`${HEAD}
local names, fields, found = redis.call('HKEYS', KEYS[1]), {}, {}
for i = 1, #names do
  local kind = string.sub(names[i], 1, 2)
  if kind == 't:' or kind == 'o:' then fields[#fields + 1] = names[i] end
end
local _, _, _, since = parse(redis.call('HGET', KEYS[1], 'h'))
found[1] = since
for i = 1, #fields do
  found[2 * i], found[2 * i + 1] = fields[i], redis.call('HGET', KEYS[1], fields[i])
end
return found
`);

/** KEYS: executions of one shard. Answers for each field and value of its timers. */
export const TIMERS_OF = script(`
local all = {}
for k = 1, #KEYS do
  local names, found = redis.call('HKEYS', KEYS[k]), {}
  for i = 1, #names do
    local kind, colon = string.byte(names[i], 1, 2)
    if kind == 116 and colon == 58 then
      found[#found + 1] = names[i]
      found[#found + 1] = redis.call('HGET', KEYS[k], names[i]) or ''
    end
  end
  all[k] = found
end
return all
`);
