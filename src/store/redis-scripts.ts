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

/** An effect's order in front of its text: seq of the commit that promised it, and place in that commit. */
export const ORDER_DIGITS = POSITION_DIGITS;

/** Fields of an execution's hash whose names say what they are; see COMMIT. */
export const TIMER_FIELD = 't:';
export const EFFECT_FIELD = 'o:';

/**
 * What the field `work` says, and the entries of the shard that follow from it: how many timers there
 * are and from when on one may be due (never later than the first of them), how many effects and since
 * when there have been any. One entry for all timers of an execution and one for all its effects; an
 * entry is touched only when there are none any more, or one is due earlier than it says.
 */
const WORK = `
local function parse(work)
  local timers, due, effects, since = string.match(work or '', '^(%d+) (%S+) (%d+) (%S+)$')
  if not timers then return 0, '-', 0, '-' end
  return tonumber(timers), due, tonumber(effects), since
end
local function format(timers, due, effects, since)
  return string.format('%d %s %d %s', timers, due, effects, since)
end
local function arnOf(execution)
  local _, at = string.find(execution, '}:e:', 1, true)
  return string.sub(execution, at + 1)
end
local function move(work, execution, head, old, new)
  if old == new then return end
  local arn = arnOf(execution)
  if new ~= '-' then redis.call('ZADD', work, 0, head .. new .. '|' .. arn) end
  if old ~= '-' then redis.call('ZREM', work, head .. old .. '|' .. arn) end
end
local function clock()
  local time = redis.call('TIME')
  return time[1] .. string.format('%06d', time[2])
end
`;

/**
 * Commits, each judged and answered by itself. KEYS: for each those of ExecutionKeys. ARGV: resent, then
 * for each: how many texts follow, head before, head, journal record, row, index heads, and field and
 * value of every timer and effect (value '' removes it), no field twice. Answers for each 1 (it is
 * in the journal), 0 (conflict), or -1: not judged, to be sent alone. An error is only raised while
 * nothing has been written. Fields of the execution: head (seq and digest), commits (how many), row,
 * heads (its index entries), number (order of creation), work (see above), `j:N` (journal record N, from
 * 1), `t:KEY` (due time and holder of a timer), `o:KEY` (order and text of an effect).
 */
export const COMMIT = script(String.raw`${WORK}
local written = false
local function write(command, key, list)
  local size = #list
  if size <= ${MANY} then return size > 0 and redis.pcall(command, key, unpack(list)) end
  for i = 1, size, ${MANY} do
    local answer = redis.pcall(command, key, unpack(list, i, math.min(i + ${MANY - 1}, size)))
    if type(answer) == 'table' then return answer end
  end
end
local function isApplied(execution, commits, before, head)
  local from, digest = string.match(before, '^%d+'), string.match(head, '%S+$')
  for at = commits, 1, -1 do
    local text = redis.call('HGET', execution, 'j:' .. at)
    local after, found = string.match(text or '', '^(%d+) %d+ (%S+)\n')
    if not after then return 0 end
    if found == digest and after == from then return 1 end
    if tonumber(after) < tonumber(from) then return 0 end
  end
  return 0
end
local function commit(at, first, last)
  local execution, index, work = KEYS[at], KEYS[at + 1], KEYS[at + 2]
  local before, head, heads = ARGV[first], ARGV[first + 1], ARGV[first + 4]
  local fields, size = {'head', 'heads', 'work', 'commits'}, 4
  for i = first + 5, last, 2 do
    size = size + 1
    fields[size] = ARGV[i]
  end
  local known
  if size <= ${MANY} then known = redis.pcall('HMGET', execution, unpack(fields)) else
    known = {}
    for i = 1, size, ${MANY} do
      local part = redis.pcall('HMGET', execution, unpack(fields, i, math.min(i + ${MANY - 1}, size)))
      if part.err then known = part break end
      for j = 1, #part do known[i + j - 1] = part[j] end
    end
  end
  if known.err then return known end
  local oldHeads, oldWork, commits = known[2] or '', known[3], known[4] or '0'
  if (known[1] or '0 ${EMPTY_DIGEST}') ~= before then
    if ARGV[1] ~= '1' then return 0 end
    return isApplied(execution, tonumber(commits), before, head)
  end
  if heads ~= oldHeads then
    local kind = redis.pcall('ZCARD', index)
    if type(kind) == 'table' then return kind end
  end

  local timers, due, effects, since = parse(oldWork)
  local newDue, hadTimers, hadEffects = due, timers, effects
  commits = string.format('%d', commits + 1)
  local set = {
    'head', head, 'commits', commits, 'j:' .. commits, ARGV[first + 2], 'row', ARGV[first + 3]
  }
  local sets, drop, drops = 8, {}, 0
  for i = 5, size do
    local field, value, old = fields[i], ARGV[first + 2 * i - 4], known[i]
    local isTimer = string.byte(field) == 116
    local more = (value ~= '' and 1 or 0) - (old and 1 or 0)
    if isTimer then timers = timers + more else effects = effects + more end
    if value == '' then
      if old then
        drops = drops + 1
        drop[drops] = field
      end
    else
      if isTimer then
        local place = string.sub(value, 1, ${POSITION_DIGITS})
        if newDue == '-' or place < newDue then newDue = place end
      elseif old then
        value = string.sub(old, 1, ${ORDER_DIGITS}) .. string.sub(value, ${ORDER_DIGITS + 1})
      end
      set[sets + 1], set[sets + 2] = field, value
      sets = sets + 2
    end
  end
  if timers == 0 then newDue = '-' end
  local newSince = since
  if effects == 0 then newSince = '-' elseif since == '-' then newSince = clock() end
  if newDue ~= due or newSince ~= since then
    local kind = redis.pcall('ZCARD', work)
    if type(kind) == 'table' then return kind end
  end
  if newDue ~= due or newSince ~= since or timers ~= hadTimers or effects ~= hadEffects then
    set[sets + 1], set[sets + 2] = 'work', format(timers, newDue, effects, newSince)
    sets = sets + 2
  end
  local number
  if heads ~= oldHeads then
    number = redis.call('HGET', execution, 'number') or clock()
    set[sets + 1], set[sets + 2], set[sets + 3], set[sets + 4] = 'number', number, 'heads', heads
  end

  local kind = write('HSET', execution, set)
  if type(kind) == 'table' then return kind end
  written = true
  write('HDEL', execution, drop)
  move(work, execution, 't|', due, newDue)
  move(work, execution, 'o|', since, newSince)
  if number then
    local tail = number .. '|' .. arnOf(execution)
    for one in string.gmatch(oldHeads, '[^\n]+') do redis.call('ZREM', index, one .. tail) end
    for one in string.gmatch(heads, '[^\n]+') do redis.call('ZADD', index, 0, one .. tail) end
  end
  return 1
end

local answers, first = {}, 2
for i = 1, #KEYS / 3 do
  local last = first + ARGV[first]
  local judged, answer = pcall(commit, 3 * i - 2, first + 1, last)
  if not judged and type(answer) ~= 'table' then answer = {err = 'ERR ' .. tostring(answer)} end
  if type(answer) == 'table' then
    if not written then return answer end
    answer = -1
  end
  answers[i], first = answer, last + 1
end
return answers
`);

/** KEYS: execution, work. ARGV: resent, key, due time and holder. Moves a timer that exists. */
export const TOUCH_TIMER = script(`${WORK}
local field, value = 't:' .. ARGV[2], ARGV[3]
local known = redis.call('HMGET', KEYS[1], field, 'work')
redis.call('ZCARD', KEYS[2])
if not known[1] or known[1] == value then return 0 end
redis.call('HSET', KEYS[1], field, value)
local timers, due, effects, since = parse(known[2])
local place = string.sub(value, 1, ${POSITION_DIGITS})
if due ~= '-' and place >= due then return 1 end
redis.call('HSET', KEYS[1], 'work', format(timers, place, effects, since))
move(KEYS[2], KEYS[1], 't|', due, place)
return 1
`);

/**
 * KEYS: execution, work. ARGV: resent, entries of the shard that may say too little or belong to
 * nothing. Brings count and entries of this execution up to what its fields say.
 */
export const RECOUNT = script(`${WORK}
local all = redis.call('HKEYS', KEYS[1])
redis.call('ZCARD', KEYS[2])
local work = redis.call('HGET', KEYS[1], 'work')
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
local _, oldDue, _, since = parse(work)
local oldSince = since
if effects == 0 then since = '-' elseif since == '-' then since = clock() end
local right = {['t|'] = due, ['o|'] = since}
local arn = arnOf(KEYS[1])
if #all > 0 then
  redis.call('HSET', KEYS[1], 'work', format(timers, due, effects, since))
  move(KEYS[2], KEYS[1], 't|', oldDue, due)
  move(KEYS[2], KEYS[1], 'o|', oldSince, since)
  for head, place in pairs(right) do
    if place ~= '-' then redis.call('ZADD', KEYS[2], 0, head .. place .. '|' .. arn) end
  end
end
for i = 2, #ARGV do
  local head, place = string.sub(ARGV[i], 1, 2), string.sub(ARGV[i], 3, ${POSITION_DIGITS + 2})
  if right[head] ~= place then redis.call('ZREM', KEYS[2], ARGV[i]) end
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
export const DROP_EFFECT = script(`${WORK}
local field = 'o:' .. ARGV[2]
local known = redis.call('HMGET', KEYS[1], field, 'work')
redis.call('ZCARD', KEYS[2])
if not known[1] then return 0 end
local timers, due, effects, since = parse(known[2])
local left = effects > 1 and since or '-'
redis.call('HSET', KEYS[1], 'work', format(timers, due, math.max(0, effects - 1), left))
redis.call('HDEL', KEYS[1], field)
move(KEYS[2], KEYS[1], 'o|', since, left)
return 1
`);

/**
 * KEYS as in ExecutionKeys. ARGV: resent. A running execution that a second sending meets has been
 * started anew since the first, and stays.
 */
export const REMOVE = script(String.raw`${WORK}
local known = redis.call('HMGET', KEYS[1], 'number', 'heads', 'work')
redis.call('ZCARD', KEYS[2])
redis.call('ZCARD', KEYS[3])
if ARGV[1] == '1' and string.sub(known[2] or '', 1, 4) == 's|R|' then return 0 end
local _, due, _, since = parse(known[3])
move(KEYS[3], KEYS[1], 't|', due, '-')
move(KEYS[3], KEYS[1], 'o|', since, '-')
for head in string.gmatch(known[2] or '', '[^\n]+') do
  redis.call('ZREM', KEYS[2], head .. known[1] .. '|' .. arnOf(KEYS[1]))
end
redis.call('UNLINK', KEYS[1])
return 1
`);

/**
 * KEYS as in ExecutionKeys. ARGV: resent, expected head ('' for none), head, row, index heads, number of journal
 * records, then field and value of every timer and effect. Writes anew whatever is derived from the
 * journal; the records stay. Answers 1, or 0 (the head is another one).
 */
export const REDERIVE = script(String.raw`${WORK}
local heads = ARGV[5]
local known = redis.call('HMGET', KEYS[1], 'head', 'number', 'heads', 'work')
local all = redis.call('HKEYS', KEYS[1])
redis.call('ZCARD', KEYS[2])
redis.call('ZCARD', KEYS[3])
local isResult = ARGV[1] == '1' and known[1] == ARGV[3]
if not isResult and (known[1] or '') ~= ARGV[2] then return 0 end
local now = clock()
local number = known[2] or now
local tail = number .. '|' .. arnOf(KEYS[1])
local _, oldDue, _, oldSince = parse(known[4])
local timers, due, effects = 0, '-', 0
redis.call('HSET', KEYS[1], 'head', ARGV[3], 'row', ARGV[4], 'heads', heads, 'number', number,
  'commits', ARGV[6])
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
redis.call('HSET', KEYS[1], 'work', format(timers, due, effects, since))
move(KEYS[3], KEYS[1], 't|', oldDue, '-')
move(KEYS[3], KEYS[1], 'o|', oldSince, '-')
move(KEYS[3], KEYS[1], 't|', '-', due)
move(KEYS[3], KEYS[1], 'o|', '-', since)
for head in string.gmatch(known[3] or '', '[^\n]+') do redis.call('ZREM', KEYS[2], head .. tail) end
for head in string.gmatch(heads, '[^\n]+') do redis.call('ZADD', KEYS[2], 0, head .. tail) end
return 1
`);

/** KEYS: execution. ARGV: resent, field, value, … Journal records of an execution that is not there yet. */
export const STAGE = script(`
if redis.call('HEXISTS', KEYS[1], 'head') == 1 then return 0 end
for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
return 1
`);

/** KEYS: execution. Answers what `work` says, and field and value of every timer and effect. */
export const PENDING = script(`
local names, fields, found = redis.call('HKEYS', KEYS[1]), {}, {}
for i = 1, #names do
  local kind = string.sub(names[i], 1, 2)
  if kind == 't:' or kind == 'o:' then fields[#fields + 1] = names[i] end
end
found[1] = redis.call('HGET', KEYS[1], 'work') or ''
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
  PROBE,
];
