/**
 * Commits on their way to Redis. Those of one turn of the event loop travel in one call, as many as share
 * a slot, and each is judged and answered by itself: under load the server spends its time on commits, not
 * on calls. A call that is refused as a whole is taken apart, so that nobody suffers for another's commit.
 */
import type { Digest, ExecutionArn, Seq } from '../lib/brand.js';
import { indexEntries, type KeySpace, POSITION_DIGITS, timerValue } from './redis-keys.js';
import type { RedisLink } from './redis-link.js';
import { COMMIT, EFFECT_FIELD, TIMER_FIELD } from './redis-scripts.js';
import type { Commit, ExecutionRow, JournalCommit } from './store.js';
import { StoreUnavailable } from './unavailable.js';

/** What one call may hold up the server with. */
const MOST_COMMITS = 16;
const MOST_TEXT = 262_144;
const PLACE_DIGITS = 6;

type Answer = 'committed' | 'conflict';

interface Waiting {
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
  readonly size: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

export class RedisCommits {
  #waiting: Waiting[] = [];

  constructor(
    private readonly link: RedisLink,
    private readonly keys: KeySpace,
  ) {}

  add(commit: Commit): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const keys = this.keys.execution(commit.arn);
      const args = argumentsOf(commit);
      const size = commit.facts.length;
      if (this.#waiting.length === 0) setImmediate(() => this.#flush());
      this.#waiting.push({ keys, args, size, resolve, reject });
    });
  }

  #flush(): void {
    const all = this.#waiting;
    this.#waiting = [];
    if (!this.link.cluster) return this.#cut(all);
    // Whoever shares the index shares the slot.
    const groups = new Map<string | undefined, Waiting[]>();
    for (const one of all) {
      const [, index] = one.keys;
      const group = groups.get(index);
      if (group === undefined) groups.set(index, [one]);
      else group.push(one);
    }
    for (const group of groups.values()) this.#cut(group);
  }

  #cut(all: readonly Waiting[]): void {
    let [from, size] = [0, 0];
    for (const [at, one] of all.entries()) {
      if (at > from && (at - from === MOST_COMMITS || size + one.size > MOST_TEXT)) {
        void this.#send(all.slice(from, at));
        [from, size] = [at, 0];
      }
      size += one.size;
    }
    void this.#send(all.slice(from));
  }

  async #send(batch: readonly Waiting[], again = false): Promise<void> {
    const keys: string[] = [];
    const args: (string | number)[] = [];
    for (const one of batch) {
      keys.push(...one.keys);
      args.push(one.args.length);
      for (const arg of one.args) args.push(arg);
    }
    try {
      const answers = (await this.link.eval(COMMIT, keys, args, again)) as number[];
      for (const [at, one] of batch.entries()) {
        if (answers[at] === -1) void this.#send([one], true);
        else one.resolve(answers[at] === 1 ? 'committed' : 'conflict');
      }
    } catch (error) {
      const apart = batch.length > 1 && isRefusal(error);
      for (const one of batch) {
        if (apart) void this.#send([one], true);
        else one.reject(error);
      }
    }
  }
}

/** The server has answered, and has written nothing. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof StoreUnavailable) || error.outcomeUnknown) return false;
  return error.cause instanceof Error && error.cause.name === 'ReplyError';
}

/** As COMMIT takes them. A key that is named twice ends as its last mention says. */
function argumentsOf(commit: Commit): (string | number)[] {
  const { after, previousDigest, count, digest, row, timers, outbox } = commit;
  const args: (string | number)[] = [
    headText(after, previousDigest),
    headText(after + count, digest),
    recordText(commit),
    rowText(row),
    indexEntries(row),
  ];
  const changes = new Map<string, string>();
  for (const { key, dueAt, holder } of timers) {
    changes.set(TIMER_FIELD + key, dueAt === null ? '' : timerValue(dueAt, holder));
  }
  for (const [at, { key, effect }] of outbox.entries()) {
    const text = effect === null ? '' : effectOrder(after + count, at) + JSON.stringify(effect);
    changes.set(EFFECT_FIELD + key, text);
  }
  for (const [field, value] of changes) args.push(field, value);
  return args;
}

export function headText(seq: number, digest: Digest): string {
  return `${seq} ${digest}`;
}

export function parseHead(
  text: string | null,
): { readonly seq: Seq; readonly digest: Digest } | null {
  const [, seq, digest] = /^(\d+) (\S+)$/.exec(text ?? '') ?? [];
  return seq === undefined ? null : { seq: Number(seq) as Seq, digest: digest as Digest };
}

/** Without the ARN, which the key says. */
export function rowText(row: ExecutionRow): string {
  return JSON.stringify([
    row.name,
    row.stateMachineArn,
    row.stateMachineVersionArn,
    row.stateMachineAliasArn,
    row.mapRunArn,
    row.status,
    row.startedAt,
    row.stoppedAt,
    row.redriveCount,
    row.redrivenAt,
    row.details,
  ]);
}

export function parseRow(arn: ExecutionArn, text: string): ExecutionRow {
  const [
    name,
    stateMachineArn,
    stateMachineVersionArn,
    stateMachineAliasArn,
    mapRunArn,
    status,
    startedAt,
    stoppedAt,
    redriveCount,
    redrivenAt,
    details,
  ] = JSON.parse(text);
  return {
    arn,
    name,
    stateMachineArn,
    stateMachineVersionArn,
    stateMachineAliasArn,
    mapRunArn,
    status,
    startedAt,
    stoppedAt,
    redriveCount,
    redrivenAt,
    details,
  };
}

/** `after count digest`, and the facts on the next line. */
export function recordText({ after, count, digest, facts }: JournalCommit): string {
  return `${after} ${count} ${digest}\n${facts}`;
}

export function effectOrder(seq: number, place: number): string {
  return (
    String(seq).padStart(POSITION_DIGITS - PLACE_DIGITS, '0') +
    String(place).padStart(PLACE_DIGITS, '0')
  );
}
