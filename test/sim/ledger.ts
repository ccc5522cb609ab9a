/**
 * What was promised to the outside, kept outside: acknowledged starts, stops, answers and heartbeats,
 * and the calls of handlers. At the end the journals must hold every promise.
 */
import type { Fact } from '../../src/core/fact.js';
import type { HandlerContext } from '../../src/handlers/handler.js';
import type { ExecutionArn } from '../../src/lib/brand.js';
import type { Json } from '../../src/lib/json.js';
import { readToken } from '../../src/runtime/token.js';
import type { Commit } from '../../src/store/store.js';
import { AttemptEnds } from './attempt-ends.js';
import { LawBroken } from './checker.js';
import type { SimWorld } from './world.js';

export const TOKEN_KEY = 'a key for the simulator';

/** An engine that was paused, or had a slow reply, may act on what was so before. */
const STALE_MS = 150_000;
/** No reply takes longer. */
const REPLY_MS = 120_000;

type Promised =
  | { readonly what: 'start'; readonly arn: string; readonly input: string }
  | { readonly what: 'stop'; readonly arn: string; readonly sentAfter: number }
  | { readonly what: 'redrive'; readonly arn: string }
  | { readonly what: 'answer'; readonly token: string; readonly output: Json | undefined };

export class Ledger {
  private promises: (Promised & { readonly position: number })[] = [];
  private beats: { token: string; sentAt: number; ackedAt: number }[] = [];
  calls = 0;
  private readonly attempts = new AttemptEnds();
  /** Elapsed milliseconds, by idempotency key. */
  private readonly overAt = new Map<string, number>();
  private deafUntil = 0;

  constructor(private readonly world: SimWorld) {}

  promise(promised: Promised): void {
    // Its write may have been among those that were rolled back while the reply was on its way.
    if (this.isDeaf) return;
    this.promises.push({ ...promised, position: this.world.disk.position });
  }

  /** Replies to what a failover took along may still be on their way. */
  get isDeaf(): boolean {
    return this.world.time.elapsed < this.deafUntil;
  }

  heartbeat(token: string, sentAt: number): void {
    this.beats.push({ token, sentAt, ackedAt: this.world.time.wall() });
  }

  /** Nobody calls a handler for an attempt that was handed over, or answered, long ago. */
  called({ idempotencyKey, task }: HandlerContext): void {
    this.calls++;
    const over = this.overAt.get(idempotencyKey);
    if (over === undefined || this.world.time.elapsed < over + STALE_MS) return;
    this.world.broken ??= new LawBroken(
      `${task.resource} was called for an attempt that was over ${STALE_MS / 1000} s before.`,
    );
  }

  /** Timeouts of heartbeats are judged against the beats that were acknowledged before. */
  committed(commit: Commit): void {
    this.noteEnds(commit);
    const { checker } = this.world;
    if (checker.clockWasSet || !commit.facts.includes('"stage":"timeout"')) return;
    const scheduled = new Map(
      checker.factsOf(commit.arn).flatMap((fact) => {
        return fact.type === 'TaskScheduled' ? [[fact.seq, fact] as const] : [];
      }),
    );
    for (const fact of JSON.parse(commit.facts) as Fact[]) {
      if (fact.type !== 'TaskFailed' || fact.stage !== 'timeout') continue;
      const task = scheduled.get(fact.scheduled);
      if (!task?.heartbeatSeconds || (task.timeoutAt ?? 0) <= fact.at) continue;
      const last = this.lastBeat(commit.arn, fact.scheduled, fact.at);
      if (last !== null && fact.at < last + task.heartbeatSeconds * 1000) {
        this.world.broken ??= new LawBroken(
          `Task ${fact.scheduled} of ${commit.arn} missed a heartbeat that was acknowledged.`,
        );
      }
    }
  }

  private noteEnds({ arn, facts }: Commit): void {
    if (!/"Task(Succeeded|Failed|Submitted|Scheduled)"|"StateEntered"/.test(facts)) return;
    const { elapsed } = this.world.time;
    for (const key of this.attempts.add(arn, JSON.parse(facts) as Fact[], elapsed)) {
      if (!this.overAt.has(key)) this.overAt.set(key, elapsed);
    }
  }

  /** Of those that were acknowledged before `decidedAt`. */
  private lastBeat(arn: string, scheduled: number, decidedAt: number): number | null {
    let last: number | null = null;
    for (const { token, sentAt, ackedAt } of this.beats) {
      if (ackedAt > decidedAt) continue;
      const content = readToken(TOKEN_KEY, token);
      if (content?.arn === arn && content.task.scheduled === scheduled) {
        last = Math.max(last ?? 0, sentAt);
      }
    }
    return last;
  }

  /** What was promised after `position` may be gone with the writes that were rolled back. */
  forgetAfter(position: number): void {
    this.promises = this.promises.filter((promised) => promised.position <= position);
    this.beats = [];
    this.overAt.clear();
    this.deafUntil = this.world.time.elapsed + REPLY_MS;
  }

  atEnd(): void {
    for (const promised of this.promises) this.hold(promised);
  }

  private hold(promised: Promised): void {
    if (promised.what === 'answer') {
      const content = readToken(TOKEN_KEY, promised.token);
      if (content === null) throw new LawBroken('A token that was accepted is none.');
      const counted = this.world.checker.factsOf(content.arn).find((fact) => {
        const ends = fact.type === 'TaskSucceeded' || fact.type === 'TaskFailed';
        return ends && fact.scheduled === content.task.scheduled;
      });
      const output = counted?.type === 'TaskSucceeded' ? counted.output : undefined;
      const same = JSON.stringify(output) === JSON.stringify(promised.output);
      // An answer that is too large is accepted and fails the task.
      const large = JSON.stringify(promised.output ?? null).length > 200_000;
      if (counted === undefined || (!same && !large)) {
        throw new LawBroken(`An accepted answer to ${content.arn} is not in its journal.`);
      }
      return;
    }
    const facts = this.world.checker.factsOf(promised.arn as ExecutionArn);
    const [first] = facts;
    if (first?.type !== 'ExecutionStarted') {
      throw new LawBroken(`${promised.arn} was acknowledged and is gone (${promised.what}).`);
    }
    if (promised.what === 'start' && JSON.stringify(first.input) !== promised.input) {
      throw new LawBroken(`${promised.arn} has another input.`);
    }
    if (promised.what === 'stop' && !facts.some(({ type }) => type === 'ExecutionEnded')) {
      throw new LawBroken(`${promised.arn} was stopped and goes on.`);
    }
    if (promised.what === 'redrive' && !facts.some(({ type }) => type === 'ExecutionRedriven')) {
      throw new LawBroken(`${promised.arn} was redriven and does not know.`);
    }
  }
}
