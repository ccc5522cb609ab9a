/** The script that decides: what the store promises about commits is here. */
import { POSITION_DIGITS } from './redis-keys.js';
import { EMPTY, HEAD, MANY, ORDER_DIGITS, script } from './redis-script.js';

/**
 * Commits, each judged and answered by itself. KEYS: for each the execution and the work of its shard,
 * and when a row comes with it the index. ARGV: resent, then for each: how many fields are set, how many
 * are dropped, head before, head, journal record, what has changed of the row, or '' and the row and its
 * index heads; field and value of every timer and effect that is set, fields of those that are
 * dropped, no field twice. Answers for each 1 (it is in the journal), 0 (conflict), or -1: not judged,
 * to be sent alone. An error is only raised while nothing has been written. Fields of the execution: `h`
 * (see HEAD), row, heads (its index entries), number (order of creation), `j:N` (journal record N, from
 * 1), `t:KEY` (due time and holder of a timer), `o:KEY` (order and text of an effect).
 */
export const COMMIT = script(String.raw`${HEAD}
local written = false
local function slice(from, to)
  local list = {}
  for i = from, to do list[i - from + 1] = ARGV[i] end
  return list
end
local function call(command, key, list)
  local size = #list
  if size <= ${MANY} then return redis.pcall(command, key, unpack(list)) end
  local answers = {}
  for i = 1, size, ${MANY} do
    local part = redis.pcall(command, key, unpack(list, i, math.min(i + ${MANY - 1}, size)))
    if type(part) == 'table' then
      if part.err then return part end
      for j = 1, #part do answers[i + j - 1] = part[j] end
    end
  end
  return answers
end
local function isApplied(execution, records, before, head)
  local from, digest = string.match(before, '^%d+'), string.match(head, ' (%S+) $')
  for at = tonumber(records), 1, -1 do
    local text = redis.call('HGET', execution, 'j:' .. at)
    local after, found = string.match(text or '', '^(%d+) %d+ (%S+)\n')
    if not after then return 0 end
    if found == digest and after == from then return 1 end
    if tonumber(after) < tonumber(from) then return 0 end
  end
  return 0
end
local function commit(execution, work, index, at, sets, drops)
  local patch = ARGV[at + 3]
  local isFull = patch == ''
  local first = at + (isFull and 6 or 4)
  local drop = first + 2 * sets
  local fields, size = {'h'}, 1
  for i = first, drop - 1, 2 do
    size = size + 1
    fields[size] = ARGV[i]
  end
  for i = drop, drop + drops - 1 do
    size = size + 1
    fields[size] = ARGV[i]
  end
  if isFull then fields[size + 1], fields[size + 2], size = 'heads', 'number', size + 2 end
  local known = call('HMGET', execution, fields)
  if known.err then return known end

  local h, before = known[1] or '${EMPTY}', ARGV[at]
  if string.find(h, before, 1, true) ~= 1 then
    if ARGV[1] ~= '1' then return 0 end
    local _, records = parse(h)
    return isApplied(execution, records, before, ARGV[at + 1])
  end
  local records, due, since, timers, effects =
    string.match(h, '^(%d+) (%S+) (%S+) (%d+) (%d+)', #before + 1)
  records = string.format('%d', records + 1)

  local moreTimers, moreEffects, newDue, newSince = 0, 0, due, since
  local list
  for i = 1, sets do
    local at = first + 2 * (i - 1)
    local value, old = ARGV[at + 1], known[i + 1]
    if string.byte(ARGV[at]) == 116 then
      if not old then moreTimers = moreTimers + 1 end
      local place = string.sub(value, 1, ${POSITION_DIGITS})
      if newDue == '-' or place < newDue then newDue = place end
    elseif not old then moreEffects = moreEffects + 1
    else
      list = list or slice(first, drop - 1)
      list[2 * i] = string.sub(old, 1, ${ORDER_DIGITS}) .. string.sub(value, ${ORDER_DIGITS + 1})
    end
  end
  local gone = 0
  for i = 1, drops do
    if known[sets + i + 1] then
      gone = gone + 1
      if string.byte(ARGV[drop + i - 1]) == 116 then moreTimers = moreTimers - 1
      else moreEffects = moreEffects - 1 end
    end
  end
  if moreTimers ~= 0 or moreEffects ~= 0 then
    timers, effects = timers + moreTimers, effects + moreEffects
    if timers == 0 then newDue = '-' end
    if effects == 0 then newSince = '-' elseif since == '-' then newSince = clock() end
  end
  if newDue ~= due or newSince ~= since then
    local kind = redis.pcall('ZCARD', work)
    if type(kind) == 'table' then return kind end
  end
  h = format(ARGV[at + 1], records, newDue, newSince, timers, effects, isFull and '' or patch)
  local heads, oldHeads, number
  if isFull then
    heads, oldHeads, number = ARGV[at + 5], known[size - 1] or '', known[size]
    if heads ~= oldHeads then
      local kind = redis.pcall('ZCARD', index)
      if type(kind) == 'table' then return kind end
      number = number or clock()
    end
  end

  if isFull or 2 * sets > ${MANY} then
    list = list or slice(first, drop - 1)
    local size = #list
    if isFull then
      list[size + 1], list[size + 2], list[size + 3], list[size + 4] = 'row', ARGV[at + 4], 'heads', heads
      list[size + 5], list[size + 6] = 'number', number
    end
  end
  local kind
  if not list then
    kind = redis.pcall('HSET', execution, 'h', h, 'j:' .. records, ARGV[at + 2],
      unpack(ARGV, first, drop - 1))
  else
    local size = #list
    list[size + 1], list[size + 2], list[size + 3], list[size + 4] = 'h', h, 'j:' .. records, ARGV[at + 2]
    kind = call('HSET', execution, list)
  end
  if type(kind) == 'table' and kind.err then return kind end
  written = true
  if gone > 0 then
    if drops <= ${MANY} then redis.call('HDEL', execution, unpack(ARGV, drop, drop + drops - 1))
    else call('HDEL', execution, slice(drop, drop + drops - 1)) end
  end
  if newDue ~= due or newSince ~= since then
    local arn, add, remove = '|' .. arnOf(execution), {}, {}
    if newDue ~= due then
      if newDue ~= '-' then add[1], add[2] = '0', 't|' .. newDue .. arn end
      if due ~= '-' then remove[1] = 't|' .. due .. arn end
    end
    if newSince ~= since then
      if newSince ~= '-' then add[#add + 1], add[#add + 2] = '0', 'o|' .. newSince .. arn end
      if since ~= '-' then remove[#remove + 1] = 'o|' .. since .. arn end
    end
    if add[1] then redis.call('ZADD', work, unpack(add)) end
    if remove[1] then redis.call('ZREM', work, unpack(remove)) end
  end
  if heads ~= oldHeads then
    local tail, add, remove = number .. '|' .. arnOf(execution), {}, {}
    for one in string.gmatch(oldHeads, '[^\n]+') do remove[#remove + 1] = one .. tail end
    for one in string.gmatch(heads, '[^\n]+') do
      add[#add + 1] = '0'
      add[#add + 1] = one .. tail
    end
    if #remove > 0 then redis.call('ZREM', index, unpack(remove)) end
    redis.call('ZADD', index, unpack(add))
  end
  return h
end

local answers, count, key, at = {}, 0, 1, 2
while KEYS[key] do
  local sets, drops = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  local isFull = ARGV[at + 5] == ''
  local judged, answer =
    pcall(commit, KEYS[key], KEYS[key + 1], isFull and KEYS[key + 2], at + 2, sets, drops)
  if not judged and type(answer) ~= 'table' then answer = {err = 'ERR ' .. tostring(answer)} end
  if type(answer) == 'table' then
    if not written then return answer end
    answer = -1
  end
  count = count + 1
  answers[count] = answer
  key = key + (isFull and 3 or 2)
  at = at + (isFull and 8 or 6) + 2 * sets + drops
end
return answers
`);

/**
 * Commits of writers who know what is there. KEYS: executions. ARGV: resent, then for each: how many
 * texts follow and how many dropped fields, `h` before; the texts: `h`, then field and value of the
 * journal record and of what is set; the fields. Answers for each 1,
 * or -1: it is not known whether it may be written, COMMIT has to judge.
 */
export const PLAIN_COMMIT = script(`
local answers, at, written = {}, 2, false
for i = 1, #KEYS do
  local execution, first = KEYS[i], at + 3
  local drop = first + ARGV[at]
  local after = drop + ARGV[at + 1]
  answers[i] = -1
  if redis.pcall('HGET', execution, 'h') == ARGV[at + 2] then
    local kind = redis.pcall('HSET', execution, 'h', unpack(ARGV, first, drop - 1))
    if type(kind) ~= 'table' then
      answers[i], written = 1, true
      if after > drop then redis.call('HDEL', execution, unpack(ARGV, drop, after - 1)) end
    elseif not written then return kind end
  end
  at = after
end
return answers
`);
