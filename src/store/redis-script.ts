/**
 * What a Lua script of the Redis store is, and what they share. Redis does not roll a script back: each
 * one reads and judges everything first and writes last, on keys whose type it has seen, so nothing fails
 * after the first write. That one is refused under memory pressure (`deny-oom`); after it Redis refuses
 * nothing. Every script touches keys of one slot only, all of them named in KEYS. ARGV[1] is '1' when an
 * earlier sending of the same call may have been applied.
 *
 * Lua hashes every byte of every text it is handed: a script is given as few and as short ones as it can do with.
 */
import { createHash } from 'node:crypto';
import { EMPTY_DIGEST } from '../lib/digest.js';
import { POSITION_DIGITS } from './redis-keys.js';

export interface Script {
  readonly text: string;
  readonly sha: string;
}

export function script(text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

/** Values that one call from Lua takes at most; its stack ends at about 8,000. */
export const MANY = 1_000;

/** An effect's order in front of its text: seq of the commit that promised it, and place in that commit. */
export const ORDER_DIGITS = POSITION_DIGITS;

/** Fields of an execution's hash whose names say what they are; see COMMIT. */
export const TIMER_FIELD = 't:';
export const EFFECT_FIELD = 'o:';

/** `h` of an execution of which there is nothing. */
export const EMPTY = `0 ${EMPTY_DIGEST} 0 - - 0 0`;

/**
 * The field `h` of an execution: seq and digest of the journal's end, number of its records, from when on
 * a timer may be due (never later than the first of them), since when there have been effects, how many
 * timers and effects there are; `-` where there is none; and on the next line, as JSON, which details
 * of the row have changed since it was written. From due and since follow the entries of the shard: one for all timers of
 * an execution and one for all its effects, touched only when there are none any more or one is due earlier.
 */
export const HEAD = `
local function parse(h)
  local head, records, due, since, timers, effects, patch =
    string.match(h or '${EMPTY}', '^(%d+ %S+ )(%d+) (%S+) (%S+) (%d+) (%d+)(.*)$')
  return head, records, due, since, tonumber(timers), tonumber(effects), patch
end
local function format(head, records, due, since, timers, effects, patch)
  return head .. records .. ' ' .. due .. ' ' .. since .. ' ' .. timers .. ' ' .. effects .. patch
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
local now
local function clock()
  if not now then
    local time = redis.call('TIME')
    now = time[1] .. string.format('%06d', time[2])
  end
  return now
end
`;
