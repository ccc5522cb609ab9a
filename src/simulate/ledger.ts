/**
 * What has happened in a simulated world: the facts of every execution as they are committed, every
 * call with its answer, and where in the machine a call comes from.
 */
import type { Fact, FactOf } from '../core/fact.js';
import { childIdentity } from '../core/map-run.js';
import type { ExecutionState } from '../core/state.js';
import type { TaskScope } from '../handlers/handler.js';
import { assert } from '../lib/assert.js';
import type { ExecutionArn, FrameId } from '../lib/brand.js';
import { scopesOf } from '../runtime/scopes.js';
import type { Call, CallRecord } from './call.js';

interface MapRun {
  readonly parent: ExecutionArn;
  readonly started: FactOf<'MapRunStarted'>;
  /** Indexes of the children by name, as far as they were asked for. */
  readonly indexes: Map<string, number>;
  around: Promise<readonly TaskScope[]> | null;
}

/** Children start in order, at most 10,000 at a time. */
const MAX_CHILDREN_AHEAD = 20_000;

export class Ledger {
  readonly journals = new Map<ExecutionArn, Fact[]>();
  readonly calls: CallRecord[] = [];
  private readonly mapRuns = new Map<string, MapRun>();
  private readonly invocations = new Map<string, number>();

  constructor(private readonly stateOf: (arn: ExecutionArn) => Promise<ExecutionState | null>) {}

  /** Takes up facts that became durable. */
  add(arn: ExecutionArn, facts: readonly Fact[]): void {
    const journal = this.journals.get(arn);
    if (journal === undefined) this.journals.set(arn, [...facts]);
    else journal.push(...facts);
    for (const fact of facts) {
      if (fact.type !== 'MapRunStarted') continue;
      const run = { parent: arn, started: fact, indexes: new Map(), around: null };
      this.mapRuns.set(fact.request.mapRunArn, run);
    }
  }

  /** Branches and iterations around a frame, through the Map Runs that its execution is a child of. */
  async scopesAround(state: ExecutionState, frame: FrameId): Promise<readonly TaskScope[]> {
    return [...(await this.scopesOfExecution(state.identity.arn)), ...scopesOf(state, frame)];
  }

  /** Of the execution itself: the iteration of the Map Run that it is, and what that runs in. */
  async scopesOfExecution(arn: string): Promise<readonly TaskScope[]> {
    const started = this.journals.get(arn as ExecutionArn)?.[0];
    if (started?.type !== 'ExecutionStarted') return [];
    const run = this.mapRuns.get(started.identity.mapRunArn ?? '');
    if (run === undefined) return [];
    run.around ??= this.around(run);
    const [...around] = await run.around;
    const last = around.pop();
    assert(last !== undefined, 'A Map Run belongs to a Map state.');
    const index = indexOf(run, this.journals, started.identity.name);
    return [...around, { ...last, index, item: started.input }];
  }

  private async around({ parent, started }: MapRun): Promise<readonly TaskScope[]> {
    const state = await this.stateOf(parent);
    const name = state?.frames.get(started.frame)?.state;
    assert(state !== null && name !== undefined, 'The parent of a Map Run is there.');
    const around = await this.scopesAround(state, started.frame);
    return [...around, { state: name, kind: 'Map', index: -1 }];
  }

  /** Counts a call of this state: 0 for the first. */
  invocation(call: Pick<Call, 'state' | 'stateMachineName' | 'kind'>): number {
    const key = `${call.kind}\n${call.stateMachineName}\n${call.state}`;
    const count = this.invocations.get(key) ?? 0;
    this.invocations.set(key, count + 1);
    return count;
  }
}

/** Children are named by a hash of their index: found by trying the next ones. */
function indexOf(
  { parent, started, indexes }: MapRun,
  journals: ReadonlyMap<ExecutionArn, readonly Fact[]>,
  name: string,
): number {
  const first = journals.get(parent)?.[0];
  assert(first?.type === 'ExecutionStarted', 'A journal begins with its start.');
  for (let ahead = 0; ahead < MAX_CHILDREN_AHEAD && !indexes.has(name); ahead++) {
    const index = indexes.size;
    indexes.set(childIdentity(first.identity, started.request, index).name, index);
  }
  return indexes.get(name) ?? -1;
}
