/** Reading the sorted sets of the shards. */
import { script } from './redis-script.js';

/** KEYS: a sorted set. ARGV: resent, heads… Answers how many entries begin with one of the heads. */
export const COUNT = script(`
local count = 0
for i = 2, #ARGV do
  count = count + redis.call('ZLEXCOUNT', KEYS[1], '[' .. ARGV[i], '(' .. ARGV[i] .. ':')
end
return count
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
