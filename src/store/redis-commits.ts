/**
 * Commits on their way to Redis. Those of one turn of the event loop travel in one call, as many as share
 * a slot, and each is judged and answered by itself: under load the server spends its time on commits, not
 * on calls. A call that is refused as a whole is taken apart, so that nobody suffers for another's commit.
 * One that follows on what this process left there is plain: the server compares and writes, and no more.
 */
import { COMMIT, PLAIN_COMMIT } from './redis-commit-script.js';
import { headText, recordText } from './redis-head.js';
import {
  effectOrder,
  type ExecutionKeys,
  indexEntries,
  type KeySpace,
  timerValue,
} from './redis-keys.js';
import type { RedisLink } from './redis-link.js';
import { type Left, leftBy, plainCommit, RedisMemory } from './redis-memory.js';
import { changesOf, rowText } from './redis-rows.js';
import { EFFECT_FIELD, TIMER_FIELD } from './redis-script.js';
import type { Commit } from './store.js';
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

/** One call. */
interface Batch {
  readonly keys: string[];
  readonly args: string[];
  readonly waiting: Waiting[];
  /** What each leaves when it is plain, else what it follows on. */
  readonly left: (Left | null)[];
  size: number;
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
    const [plains, others] = [new Batches(this.link.cluster), new Batches(this.link.cluster)];
    for (const one of all) {
      const { commit } = one;
      const before = this.#memory.before(commit);
      const keys = before?.keys ?? this.keys.execution(commit.arn);
      if (before !== null) {
        const plain = plains.place(keys, commit);
        const left = plainCommit(commit, before, plain.args);
        if (left !== null) {
          plain.keys.push(keys[0]);
          take(plain, one, left);
          continue;
        }
      }
      const batch = others.place(keys, commit);
      write(commit, keys, before, batch);
      take(batch, one, before);
    }
    // Whoever has sent one already is the first to be sent.
    for (const batch of plains.all) if (batch.waiting.length > 0) void this.#sendPlain(batch);
    for (const batch of others.all) void this.#send(batch);
  }

  async #sendPlain(batch: Batch): Promise<void> {
    const { keys, args, waiting, left } = batch;
    try {
      const answers = (await this.link.eval(PLAIN_COMMIT, keys, args)) as number[];
      for (let at = 0; at < waiting.length; at += 1) {
        const one = waiting[at] as Waiting;
        if (answers[at] !== 1) this.#sendAlone(one);
        else {
          this.#memory.set(one.commit.arn, left[at] as Left);
          one.resolve('committed');
        }
      }
    } catch (error) {
      this.#refused(waiting, error);
    }
  }

  /** Judged as if nothing were known of it, and as one that may have been applied. */
  #sendAlone(one: Waiting): void {
    const batch = emptyBatch();
    write(one.commit, this.keys.execution(one.commit.arn), null, batch);
    take(batch, one, null);
    void this.#send(batch, true);
  }

  async #send(batch: Batch, again = false): Promise<void> {
    const { keys, args, waiting, left } = batch;
    try {
      const answers = (await this.link.eval(COMMIT, keys, args, again)) as (number | string)[];
      for (let at = 0; at < waiting.length; at += 1) {
        const answer = answers[at] as number | string;
        this.#answered(waiting[at] as Waiting, answer, left[at] as Left | null);
      }
    } catch (error) {
      this.#refused(waiting, error);
    }
  }

  #answered(one: Waiting, answer: number | string, before: Left | null): void {
    const { commit } = one;
    if (answer === -1) {
      this.#sendAlone(one);
      return;
    }
    const left =
      typeof answer === 'string'
        ? leftBy(commit, answer, before?.keys ?? this.keys.execution(commit.arn), before)
        : null;
    if (left === null) this.#memory.forget(commit.arn);
    else this.#memory.set(commit.arn, left);
    one.resolve(answer === 0 ? 'conflict' : 'committed');
  }

  #refused(waiting: readonly Waiting[], error: unknown): void {
    const apart = waiting.length > 1 && isRefusal(error);
    for (const one of waiting) {
      if (apart) this.#sendAlone(one);
      else one.reject(error);
    }
  }
}

/** Calls of one moment. On a Cluster a call names keys of one slot, and whoever shares the index shares the slot. */
class Batches {
  readonly all: Batch[] = [];
  readonly #open = new Map<string, Batch>();

  constructor(private readonly cluster: boolean) {}

  /** The call that the commit goes with. */
  place([, , index]: ExecutionKeys, { facts }: Commit): Batch {
    const slot = this.cluster ? index : '';
    const open = this.#open.get(slot);
    const isFull =
      open === undefined ||
      open.waiting.length === MOST_COMMITS ||
      (open.size > 0 && open.size + facts.length > MOST_TEXT);
    if (!isFull) return open;
    const batch = emptyBatch();
    this.#open.set(slot, batch);
    this.all.push(batch);
    return batch;
  }
}

function emptyBatch(): Batch {
  return { keys: [], args: [], waiting: [], left: [], size: 0 };
}

function take(batch: Batch, one: Waiting, left: Left | null): void {
  batch.waiting.push(one);
  batch.left.push(left);
  batch.size += one.commit.facts.length;
}

/** The server has answered, and has written nothing. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof StoreUnavailable) || error.outcomeUnknown) return false;
  return error.cause instanceof Error && error.cause.name === 'ReplyError';
}

/** As COMMIT takes it. A key that is named twice ends as its last mention says. */
function write(commit: Commit, keys: ExecutionKeys, before: Left | null, batch: Batch): void {
  const { after, previousDigest, count, digest, row } = commit;
  const { args } = batch;
  const [execution, work, index] = keys;
  const changes = before === null ? null : changesOf(before.row, row);
  batch.keys.push(execution, work);
  const start = args.length;
  args.push('', '', headText(after, previousDigest), headText(after + count, digest));
  args.push(recordText(commit));
  if (changes === null) {
    batch.keys.push(index);
    args.push('', rowText(row), indexEntries(row));
  } else args.push(changes);
  const fields = fieldsOf(commit);
  const first = args.length;
  for (const [field, value] of fields) if (value !== '') args.push(field, value);
  const sets = (args.length - first) / 2;
  for (const [field, value] of fields) if (value === '') args.push(field);
  args[start] = String(sets);
  args[start + 1] = String(fields.size - sets);
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
