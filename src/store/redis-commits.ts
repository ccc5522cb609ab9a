/**
 * Commits on their way to Redis. Those of one turn of the event loop travel in one call, as many as share
 * a slot, and each is judged and answered by itself: under load the server spends its time on commits, not
 * on calls. A call that is refused as a whole is taken apart, so that nobody suffers for another's commit.
 * One that follows on what this process left there is plain: the server compares and writes, and no more.
 */
import { COMMIT, PLAIN_COMMIT } from './redis-commit-script.js';
import { headText } from './redis-head.js';
import { effectOrder, indexEntries, type KeySpace, timerValue } from './redis-keys.js';
import type { RedisLink } from './redis-link.js';
import { type Plain, RedisMemory } from './redis-memory.js';
import { rowText } from './redis-rows.js';
import { EFFECT_FIELD, TIMER_FIELD } from './redis-script.js';
import type { Commit, JournalCommit } from './store.js';
import { StoreUnavailable } from './unavailable.js';

/** What one call may hold up the server with. */
const MOST_COMMITS = 16;
const MOST_TEXT = 262_144;

type Answer = 'committed' | 'conflict';

interface Waiting {
  readonly commit: Commit;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

interface WaitingPlain extends Waiting {
  readonly plain: Plain;
}

export class RedisCommits {
  #waiting: Waiting[] = [];
  readonly #memory = new RedisMemory();

  constructor(
    private readonly link: RedisLink,
    private readonly keys: KeySpace,
  ) {}

  add(commit: Commit): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) setImmediate(() => this.#flush());
      this.#waiting.push({ commit, resolve, reject });
    });
  }

  /** What was acknowledged may be gone. */
  forget(): void {
    this.#memory.clear();
  }

  #flush(): void {
    const all = this.#waiting;
    this.#waiting = [];
    const plains: WaitingPlain[] = [];
    const others: Waiting[] = [];
    for (const one of all) {
      const plain = this.#memory.plain(one.commit);
      if (plain === null) others.push(one);
      else plains.push({ ...one, plain });
    }
    for (const batch of this.#batches(plains)) void this.#sendPlain(batch);
    for (const batch of this.#batches(others)) void this.#send(batch);
  }

  /** On a Cluster a call names keys of one slot, and whoever shares the index shares the slot. */
  #batches<T extends Waiting>(all: readonly T[]): readonly T[][] {
    if (all.length === 0) return [];
    if (!this.link.cluster) return cut(all);
    const groups = new Map<string, T[]>();
    for (const one of all) {
      const [, , index] = this.keys.execution(one.commit.arn);
      const group = groups.get(index);
      if (group === undefined) groups.set(index, [one]);
      else group.push(one);
    }
    return [...groups.values()].flatMap(cut);
  }

  async #sendPlain(batch: readonly WaitingPlain[]): Promise<void> {
    const keys: string[] = [];
    const args: string[] = [];
    for (const { commit, plain } of batch) {
      const { before, h, record, sets, drops } = plain;
      keys.push(this.keys.execution(commit.arn)[0]);
      args.push(String(sets.length + 4), String(drops.length), before);
      args.push('h', h, record, recordText(commit), ...sets, ...drops);
    }
    await this.#answered(batch, this.link.eval(PLAIN_COMMIT, keys, args), (one, answer) => {
      if (answer !== 1) return false;
      this.#memory.wrote(one.commit, one.plain);
      one.resolve('committed');
      return true;
    });
  }

  async #send(batch: readonly Waiting[], again = false): Promise<void> {
    const keys: string[] = [];
    const args: string[] = [];
    const whole = batch.map(({ commit }) => this.#write(commit, keys, args));
    await this.#answered(batch, this.link.eval(COMMIT, keys, args, again), (one, answer, at) => {
      if (answer === -1) return false;
      if (typeof answer === 'string') this.#memory.learn(one.commit, answer, whole[at] as boolean);
      else this.#memory.forget(one.commit.arn);
      one.resolve(answer === 0 ? 'conflict' : 'committed');
      return true;
    });
  }

  /** Whoever cannot be answered yet is sent alone, with all that is needed to judge it. */
  async #answered<T extends Waiting>(
    batch: readonly T[],
    call: Promise<unknown>,
    settle: (one: T, answer: number | string, at: number) => boolean,
  ): Promise<void> {
    try {
      const answers = (await call) as (number | string)[];
      for (let at = 0; at < batch.length; at += 1) {
        const one = batch[at] as T;
        if (!settle(one, answers[at] as number | string, at)) void this.#send([one], true);
      }
    } catch (error) {
      const apart = batch.length > 1 && isRefusal(error);
      for (const one of batch) {
        if (apart) void this.#send([one], true);
        else one.reject(error);
      }
    }
  }

  /** As COMMIT takes it; answers whether with its row. A key that is named twice ends as its last mention says. */
  #write(commit: Commit, keys: string[], args: string[]): boolean {
    const { arn, after, previousDigest, count, digest, row } = commit;
    const changes = this.#memory.changes(commit);
    const [execution, work, index] = this.keys.execution(arn);
    keys.push(execution, work);
    const counts = args.length;
    args.push('', '', headText(after, previousDigest), headText(after + count, digest));
    args.push(recordText(commit));
    if (changes === null) {
      keys.push(index);
      args.push('', rowText(row), indexEntries(row));
    } else args.push(changes);
    const fields = fieldsOf(commit);
    const before = args.length;
    for (const [field, value] of fields) if (value !== '') args.push(field, value);
    const sets = (args.length - before) / 2;
    for (const [field, value] of fields) if (value === '') args.push(field);
    args[counts] = String(sets);
    args[counts + 1] = String(fields.size - sets);
    return changes === null;
  }
}

/** As much in one call as may hold up the server. */
function cut<T extends Waiting>(all: readonly T[]): T[][] {
  const parts: T[][] = [];
  let [from, size] = [0, 0];
  for (let at = 0; at < all.length; at += 1) {
    const { length } = (all[at] as T).commit.facts;
    if (at > from && (at - from === MOST_COMMITS || size + length > MOST_TEXT)) {
      parts.push(all.slice(from, at));
      [from, size] = [at, 0];
    }
    size += length;
  }
  parts.push(all.slice(from));
  return parts;
}

/** The server has answered, and has written nothing. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof StoreUnavailable) || error.outcomeUnknown) return false;
  return error.cause instanceof Error && error.cause.name === 'ReplyError';
}

/** Fields of timers and effects as they shall be; '' is none. */
function fieldsOf({ after, count, timers, outbox }: Commit): Map<string, string> {
  const fields = new Map<string, string>();
  for (const { key, dueAt, holder } of timers) {
    fields.set(TIMER_FIELD + key, dueAt === null ? '' : timerValue(dueAt, holder));
  }
  for (const [at, { key, effect }] of outbox.entries()) {
    const text = effect === null ? '' : effectOrder(after + count, at) + JSON.stringify(effect);
    fields.set(EFFECT_FIELD + key, text);
  }
  return fields;
}

/** `after count digest`, and the facts on the next line. */
export function recordText({ after, count, digest, facts }: JournalCommit): string {
  return `${after} ${count} ${digest}\n${facts}`;
}
