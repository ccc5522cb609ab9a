/**
 * The store that all simulated processes share, and one process's view of it in which things go
 * wrong. What is on the disk is a MemoryStore; what was written is kept as a log, so that a failover
 * to a replica that lags can be played: the log without its last writes.
 */
import { MemoryStore } from '../../src/store/memory.js';
import type { Commit, DocumentStore, SharedStore, Store } from '../../src/store/store.js';
import { StoreUnavailable } from '../../src/store/unavailable.js';
import { never } from '../support/faulty-store.js';
import type { FaultPlan, PlannedFault } from './faults.js';
import type { SimTime } from './time.js';

type Write = (store: MemoryStore) => Promise<unknown>;

export class Disk {
  store = new MemoryStore();
  /** Nothing answers before this (elapsed milliseconds). */
  awayUntil = 0;
  /** Writes are refused before this. */
  fullUntil = 0;
  rolledBack = false;
  readonly resets: [Client, () => void][] = [];
  /** Writes so far; a rollback makes it smaller. */
  private log: Write[] = [];
  private base = 0;
  onCommit: (commit: Commit) => void = () => undefined;
  /** Before and after the store goes back. */
  onRollback: (position: number) => void = () => undefined;
  onRolledBack: () => void = () => undefined;

  get position(): number {
    return this.log.length;
  }

  /** What is written from here on may be rolled back. */
  settle(): void {
    this.base = this.log.length;
  }

  write<T>(write: (store: MemoryStore) => Promise<T>): Promise<T> {
    this.log.push(write);
    return write(this.store);
  }

  async commit(commit: Commit): Promise<'committed' | 'conflict'> {
    const answer = await this.write((store) => store.commit(commit));
    if (answer === 'committed') this.onCommit(commit);
    return answer;
  }

  async rollback(writes: number): Promise<void> {
    this.rolledBack = true;
    const keep = Math.max(this.base, this.log.length - writes);
    this.onRollback(keep);
    this.log = this.log.slice(0, keep);
    const older = new MemoryStore();
    for (const write of this.log) await write(older);
    this.store = older;
    this.onRolledBack();
    for (const [client, tell] of this.resets) if (!client.dead) tell();
  }
}

/** The process on whose behalf the store is used. */
export interface Client {
  readonly dead: boolean;
  die(): void;
  /** Resolves at once, or when the process is no longer paused. */
  resumed(): Promise<void> | null;
  /** The store does not answer this process before (elapsed milliseconds). */
  readonly cutFromStoreUntil: number;
  /** Delay of an ordinary call in milliseconds; 0 is at once. */
  latency(): number;
}

/** The part for doctors, always of what is on the disk now. */
function careOf(
  disk: Disk,
  read: <T>(call: (store: MemoryStore) => Promise<T>) => Promise<T>,
  write: <T>(call: (store: MemoryStore) => Promise<T>) => Promise<T>,
): Store['care'] {
  const current = (name: keyof Store['care']): ((...args: unknown[]) => Promise<unknown>) => {
    const via = READS.has(name) ? read : write;
    return (...args) =>
      via((store) => (store.care[name] as (...given: unknown[]) => Promise<unknown>)(...args));
  };
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(disk.store.care));
  const own = Object.keys(disk.store.care);
  return Object.fromEntries(
    [...names, ...own].map((name) => [name, current(name as keyof Store['care'])]),
  ) as unknown as Store['care'];
}

const READS: ReadonlySet<string> = new Set(['head', 'pending', 'strays', 'size']);

export function viewOf(
  disk: Disk,
  client: Client,
  world: { readonly time: SimTime; readonly plan: FaultPlan; powerLoss(): void },
): SharedStore {
  const { time, plan } = world;

  const reply = async <T>(value: T): Promise<T> => {
    await client.resumed();
    return client.dead ? never() : value;
  };
  const refuse = async (sentence: string): Promise<never> => {
    await client.resumed();
    return client.dead ? never() : Promise.reject(new StoreUnavailable(`${sentence} (injected).`));
  };
  const reach = async (): Promise<boolean> => {
    const ms = client.latency();
    if (ms > 0) await time.sleep(ms);
    return time.elapsed >= Math.max(disk.awayUntil, client.cutFromStoreUntil);
  };

  const read = async <T>(call: (store: MemoryStore) => Promise<T>): Promise<T> => {
    if (client.dead) return never();
    const fault = plan.at('read');
    if (fault?.fault === 'away') disk.awayUntil = time.elapsed + fault.amount;
    if (fault?.fault === 'slow') await time.sleep(fault.amount);
    if (!(await reach())) return refuse('The store is away');
    if (fault?.fault === 'fails') return refuse('The read failed');
    return reply(await call(disk.store));
  };

  const write = async <T>(call: (store: MemoryStore) => Promise<T>): Promise<T> => {
    if (client.dead) return never();
    const fault = plan.at('write');
    if (fault?.fault === 'slow') await time.sleep(fault.amount);
    if (!(await reach())) return refuse('The store is away');
    if (client.dead) return never();
    if (time.elapsed < disk.fullUntil) return refuse('The disk is full');
    if (fault?.fault === 'refused') return refuse('The write was refused');
    if (fault?.fault === 'dies-in-commit') {
      if (fault.amount === 1) await disk.write(call);
      client.die();
      return never();
    }
    const value = await disk.write(call);
    if (fault?.fault === 'reply-lost') return refuse('The reply was lost');
    return reply(value);
  };

  const commit = async (made: Commit): Promise<'committed' | 'conflict'> => {
    if (client.dead) return never();
    const fault = plan.at('commit');
    const before = fault === null ? null : await beforeCommit(fault, made);
    if (before !== null) return before;
    if (!(await reach())) return refuse('The store is away');
    if (client.dead) return never();
    if (time.elapsed < disk.fullUntil) return refuse('The disk is full');
    const answer = await disk.commit(made);
    if (fault !== null) await afterCommit(fault);
    if (fault?.fault === 'reply-lost') return refuse('The reply was lost');
    return reply(answer);
  };

  /** Not null: the commit goes no further. */
  const beforeCommit = async (
    { fault, amount }: PlannedFault,
    made: Commit,
  ): Promise<'committed' | 'conflict' | null> => {
    switch (fault) {
      case 'dies-before-commit':
        client.die();
        return never();
      case 'dies-in-commit':
        if (amount === 1) await disk.commit(made);
        client.die();
        return never();
      case 'power-loss':
        if (amount === 1) await disk.commit(made);
        world.powerLoss();
        return never();
      case 'refused':
        return refuse('The commit was refused');
      case 'disk-full':
        disk.fullUntil = time.elapsed + amount;
        return null;
      case 'away':
        disk.awayUntil = time.elapsed + amount;
        return null;
      case 'slow':
        await time.sleep(amount);
        return null;
      default:
        return null;
    }
  };

  const afterCommit = async ({ fault, amount }: PlannedFault): Promise<void> => {
    if (fault === 'dies-after-commit') client.die();
    if (fault === 'slow-reply') await time.sleep(amount);
    if (fault === 'rollback') await disk.rollback(amount);
  };

  const documents: DocumentStore = {
    get: (kind, id) => read((store) => store.documents.get(kind, id)),
    put: (kind, id, body, expected) =>
      write((store) => store.documents.put(kind, id, body, expected)),
    remove: (kind, id) => write((store) => store.documents.remove(kind, id)),
    list: (kind, options) => read((store) => store.documents.list(kind, options)),
  };
  return {
    description: 'simulated',
    documents,
    commit,
    load: (arn) => read((store) => store.load(arn)),
    row: (arn) => read((store) => store.row(arn)),
    list: (filter, limit, token) => read((store) => store.list(filter, limit, token)),
    dueTimers: (now, limit) => read((store) => store.dueTimers(now, limit)),
    nextTimer: () => read((store) => store.nextTimer()),
    touchTimer: (arn, key, dueAt, holder) =>
      write((store) => store.touchTimer(arn, key, dueAt, holder)),
    head: (arn) => read((store) => store.head(arn)),
    effect: (arn, key) => read((store) => store.effect(arn, key)),
    timer: (arn, key) => read((store) => store.timer(arn, key)),
    replaceEffect: (arn, key, before, after) =>
      write((store) => store.replaceEffect(arn, key, before, after)),
    pendingEffects: (limit, token) => read((store) => store.pendingEffects(limit, token)),
    dropEffect: (arn, key) => write((store) => store.dropEffect(arn, key)),
    open: (limit, token) => read((store) => store.open(limit, token)),
    remove: (arn) => write((store) => store.remove(arn)),
    onReset: (listener) => disk.resets.push([client, listener]),
    care: careOf(disk, read, write),
    close: async () => undefined,
  };
}
