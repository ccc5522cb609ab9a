/**
 * A store that can fail at chosen commits and other writes, seen from one process: the process may die around the
 * commit, or live on with an error although (or because) the commit was or was not applied.
 */
import type { ExecutionArn } from '../../src/lib/brand.js';
import type { Commit, DocumentStore, Store } from '../../src/store/store.js';
import { StoreUnavailable } from '../../src/store/unavailable.js';

export type Fault =
  /** The process dies before the commit reaches the store. */
  | 'dies-before-commit'
  /** The process dies while the commit is on its way; it lands all the same. */
  | 'dies-in-commit'
  /** The process dies after the commit is durable, before it hears of it. */
  | 'dies-after-commit'
  /** The process hears that the commit is durable, and dies before anything it promised is handed out. */
  | 'dies-after-ack'
  /** Applied, but the reply is an error. */
  | 'reply-lost'
  /** Applied, the reply is an error, and the store stays away for a while. */
  | 'reply-lost-then-away'
  /** Not applied, and the reply is an error. */
  | 'refused';

/** The process dies around another write: a document, a moved timer. */
export type WriteFault = 'dies-before-write' | 'dies-after-write';

/** Counts over all processes of one run. */
export interface CommitCounter {
  count: number;
  /** Other writes. */
  writes: number;
}

export class Crash {
  dead = false;
  constructor(private readonly onDeath: () => void) {}

  die(): void {
    if (this.dead) return;
    this.dead = true;
    this.onDeath();
  }
}

/** How many calls fail while the store is away. */
const CALLS_AWAY = 3;

export function faultyStore(
  inner: Store,
  plan: {
    readonly fault: Fault | WriteFault | null;
    /** Which commit (or other write), from 1, over all processes. */
    readonly at: number;
    readonly counter: CommitCounter;
    readonly crash: Crash;
    readonly onCommitted?: (commit: Commit) => void;
  },
): Store {
  const { fault, at, counter, crash } = plan;
  let away = 0;
  const alive = <T>(call: () => Promise<T>): Promise<T> => {
    if (crash.dead) return never();
    if (away > 0) {
      away--;
      return Promise.reject(new StoreUnavailable('The store is away (injected).'));
    }
    return call().then((value) => (crash.dead ? never<T>() : value));
  };
  const write = async <T>(call: () => Promise<T>): Promise<T> => {
    if (crash.dead) return never();
    const hit = away === 0 && ++counter.writes === at;
    if (hit && fault === 'dies-before-write') {
      crash.die();
      return never();
    }
    const answer = await alive(call);
    if (hit && fault === 'dies-after-write') {
      crash.die();
      return never();
    }
    return answer;
  };
  const documents: DocumentStore = {
    get: (kind, id) => alive(() => inner.documents.get(kind, id)),
    put: (kind, id, body, expected) => write(() => inner.documents.put(kind, id, body, expected)),
    remove: (kind, id) => write(() => inner.documents.remove(kind, id)),
    list: (kind, options) => alive(() => inner.documents.list(kind, options)),
  };
  const commit = async (made: Commit): Promise<'committed' | 'conflict'> => {
    if (crash.dead) return never();
    const hit = fault !== null && counter.count + 1 === at;
    if (hit && fault === 'dies-before-commit') {
      counter.count++;
      crash.die();
      return never();
    }
    if (hit && fault === 'refused') {
      counter.count++;
      throw new StoreUnavailable('The commit was refused (injected).');
    }
    if (hit && fault === 'dies-in-commit') {
      counter.count++;
      crash.die();
      if ((await inner.commit(made)) === 'committed') plan.onCommitted?.(made);
      return never();
    }
    const answer = await inner.commit(made);
    counter.count++;
    if (answer === 'committed') plan.onCommitted?.(made);
    if (!hit) return answer;
    if (fault === 'dies-after-commit') {
      crash.die();
      return never();
    }
    if (fault === 'dies-after-ack') {
      crash.die();
      return answer;
    }
    if (fault === 'reply-lost-then-away') away = CALLS_AWAY;
    throw new StoreUnavailable('The reply was lost (injected).');
  };
  return {
    description: inner.description,
    documents,
    care: inner.care,
    commit: (made) => (away > 0 ? alive(() => inner.commit(made)) : commit(made)),
    load: (arn) => alive(() => inner.load(arn)),
    row: (arn) => alive(() => inner.row(arn)),
    list: (filter, limit, token) => alive(() => inner.list(filter, limit, token)),
    dueTimers: (now, limit) => alive(() => inner.dueTimers(now, limit)),
    nextTimer: () => alive(() => inner.nextTimer()),
    touchTimer: (arn: ExecutionArn, key, dueAt) => write(() => inner.touchTimer(arn, key, dueAt)),
    pendingEffects: (limit, token) => alive(() => inner.pendingEffects(limit, token)),
    dropEffect: (arn, key) => write(() => inner.dropEffect(arn, key)),
    open: (limit, token) => alive(() => inner.open(limit, token)),
    remove: (arn) => write(() => inner.remove(arn)),
    close: async () => undefined,
  };
}

export function never<T>(): Promise<T> {
  return new Promise(() => undefined);
}
