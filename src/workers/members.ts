/**
 * Who drives this store: every process signs a hash now and then, by the server's clock, and reads the
 * others in the same script. One that has not signed for the lease, or whose process is seen to be
 * gone on this very machine, is lost. Rendezvous hashing divides what has no holder among the living.
 */
import { randomUUID } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { ExecutionArn } from '../lib/brand.js';
import type { Connection } from './connections.js';

export interface Member {
  readonly id: string;
  /** Machine and process namespace: within one, process ids say who lives. */
  readonly place: string;
  readonly pid: number;
  /** Differs between processes that have the same id one after the other. */
  readonly process: string;
  readonly globs: readonly string[];
  readonly concurrency: number;
  readonly role: string;
  /** Whether it takes up what has no holder. */
  readonly drives: boolean;
}

export interface MemberTimes {
  readonly signMs: number;
  readonly leaseMs: number;
}

export const MEMBER_TIMES: MemberTimes = { signMs: 3_000, leaseMs: 15_000 };

/** Lost ones are forgotten after this; their ids are never used again. */
const FORGET_MS = 24 * 60 * 60 * 1000;

/** KEYS: members, seen. ARGV: id, text, forget after ms. Answers now, then id, text, seen at, … */
const SIGN = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[2] ~= '' then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  redis.call('ZADD', KEYS[2], now, ARGV[1])
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], 0, now - ARGV[3])) do
  redis.call('HDEL', KEYS[1], id)
  redis.call('ZREM', KEYS[2], id)
end
local answer = {string.format('%d', now)}
local seen = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
for i = 1, #seen, 2 do
  answer[#answer + 1] = seen[i]
  answer[#answer + 1] = redis.call('HGET', KEYS[1], seen[i]) or ''
  answer[#answer + 1] = seen[i + 1]
end
return answer
`;

export class Members {
  private alive = new Map<string, Member>();
  private timer: NodeJS.Timeout | null = null;
  private closed = false;

  constructor(
    private readonly connection: Connection,
    private readonly keys: readonly [members: string, seen: string],
    readonly self: Member,
    private readonly times: MemberTimes,
    private readonly changed: () => void,
    private readonly failed: (error: unknown) => void,
  ) {
    this.alive.set(self.id, self);
  }

  async join(): Promise<void> {
    await this.sign();
    this.next();
  }

  private next(): void {
    if (this.closed) return;
    this.timer = setTimeout(() => {
      this.sign()
        .catch(this.failed)
        .finally(() => this.next());
    }, this.times.signMs);
  }

  /** Signs and reads the others. */
  async sign(): Promise<void> {
    const { self } = this;
    const text = JSON.stringify(self);
    const answer = await this.connection.eval(SIGN, 2, ...this.keys, self.id, text, FORGET_MS);
    if (!this.closed) this.take(answer as string[]);
  }

  private take(answer: readonly string[]): void {
    const now = Number(answer[0]);
    const alive = new Map<string, Member>([[this.self.id, this.self]]);
    for (let at = 1; at + 2 < answer.length; at += 3) {
      const [id = '', text = '', seenAt = ''] = answer.slice(at, at + 3);
      if (text === '' || id === this.self.id) continue;
      const member = JSON.parse(text) as Member;
      if (Number(seenAt) < now - this.times.leaseMs || this.isGone(member)) continue;
      alive.set(id, member);
    }
    const before = this.alive;
    this.alive = alive;
    const isSame = alive.size === before.size && [...alive.keys()].every((id) => before.has(id));
    if (!isSame) this.changed();
  }

  /** Its process ran beside this one and runs no more. */
  private isGone({ place, pid, process: of }: Member): boolean {
    if (place !== this.self.place) return false;
    if (pid === this.self.pid) return of !== this.self.process;
    try {
      process.kill(pid, 0);
      return false;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ESRCH';
    }
  }

  isAlive(id: string): boolean {
    return this.alive.has(id);
  }

  list(): readonly Member[] {
    return [...this.alive.values()];
  }

  isMine(arn: ExecutionArn): boolean {
    if (this.alive.size === 1) return this.self.drives;
    const of = fnv(arn, FNV_OFFSET);
    let best = -1;
    let chosen = '';
    for (const { id, drives } of this.alive.values()) {
      if (!drives) continue;
      const weight = mixed(fnv(id, of));
      if (weight < best || (weight === best && id < chosen)) continue;
      best = weight;
      chosen = id;
    }
    return chosen === this.self.id;
  }

  /** From now on this process is lost to the others, at once. */
  async leave(): Promise<void> {
    this.stop();
    const [members, seen] = this.keys;
    await this.connection.hdel(members, this.self.id);
    await this.connection.zrem(seen, this.self.id);
  }

  stop(): void {
    this.closed = true;
    if (this.timer !== null) clearTimeout(this.timer);
  }
}

const FNV_OFFSET = 0x811c9dc5;

/** FNV-1a: asked of every timer that comes near, so it has to be quick. */
function fnv(text: string, from: number): number {
  let hash = from;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return hash;
}

/** Spreads the difference of the last letters over all bits (the finaliser of MurmurHash3). */
function mixed(hash: number): number {
  let mix = hash ^ (hash >>> 16);
  mix = Math.imul(mix, 0x85ebca6b);
  mix = Math.imul(mix ^ (mix >>> 13), 0xc2b2ae35);
  return (mix ^ (mix >>> 16)) >>> 0;
}

/** Names this process among those that had or will have its id. */
export const OWN_PROCESS = randomUUID();

/** Machine and process namespace of this process. */
export function ownPlace(): string {
  let namespace = '';
  try {
    namespace = readlinkSync('/proc/self/ns/pid');
  } catch {
    // Not Linux: the machine has one.
  }
  return `${hostname()} ${namespace}`;
}
