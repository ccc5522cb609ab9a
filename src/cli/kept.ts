/** Executions as the store keeps them, for commands that look at finished or running ones. */
import { fold } from '../core/evolve.js';
import type { Fact } from '../core/fact.js';
import type { ExecutionState } from '../core/state.js';
import type { ExecutionArn } from '../lib/brand.js';
import type { JsonObject } from '../lib/json.js';
import type { Revision } from '../runtime/face.js';
import { loadJournal } from '../runtime/journal.js';
import { Machines } from '../runtime/machines.js';
import type { Store } from '../store/store.js';
import { Problem } from './problem.js';
import { type StoreOption, useStore } from './store-option.js';

export interface KeptExecution {
  readonly arn: ExecutionArn;
  readonly facts: readonly Fact[];
  readonly state: ExecutionState;
  readonly revision: Revision;
  readonly definition: JsonObject;
}

export function withStore<T>(options: StoreOption, work: (store: Store) => Promise<T>): Promise<T> {
  return useStore(options, 'read', work);
}

/** An execution by ARN, or by name when only one has it. */
export async function findExecution(store: Store, id: string): Promise<ExecutionArn> {
  if (id.startsWith('arn:')) {
    if ((await store.row(id as ExecutionArn)) !== null) return id as ExecutionArn;
    throw new Problem(`There is no execution ${id}.`, 'stepwell executions lists them.');
  }
  const matches: ExecutionArn[] = [];
  let token: string | null = null;
  do {
    const page: Awaited<ReturnType<Store['list']>> = await store.list({}, 1000, token);
    matches.push(...page.items.filter((row) => row.name === id).map((row) => row.arn));
    token = page.next;
  } while (token !== null);
  const [only, second] = matches;
  if (only === undefined) {
    throw new Problem(`There is no execution named '${id}'.`, 'stepwell executions lists them.');
  }
  if (second !== undefined) {
    throw new Problem(`Several machines have an execution '${id}'.`, `Name it by ARN: ${only}`);
  }
  return only;
}

export async function readExecution(store: Store, id: string): Promise<KeptExecution> {
  const arn = await findExecution(store, id);
  const journal = await loadJournal(store, arn);
  const facts = journal?.facts ?? [];
  const state = fold(facts);
  if (state === null) throw new Problem(`The journal of ${arn} is empty.`);
  const revision = await new Machines(store.documents).revision(state.revision);
  if (revision === null) throw new Problem(`The definition of ${arn} is not in this store.`);
  const definition = JSON.parse(revision.definition) as JsonObject;
  return { arn, facts, state, revision, definition };
}
