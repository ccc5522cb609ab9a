/** How executions begin: with a start, or with the facts of another execution. One name, one execution. */
import type { ExecutionState } from '../core/state.js';
import { assert } from '../lib/assert.js';
import type { EpochMs, ExecutionArn } from '../lib/brand.js';
import type { Clock } from './clock.js';
import type { ForkRequest, Started, StartRequest } from './face.js';
import type { Live, LiveExecutions } from './live.js';
import type { Machines } from './machines.js';
import type { Turns } from './turns.js';

export interface StartsWorld {
  readonly live: LiveExecutions;
  readonly machines: Machines;
  readonly turns: Turns;
  readonly clock: Clock;
  /** Whether another process has written after what memory holds. */
  isStale(live: Live): Promise<boolean>;
  /** This engine drives it from now on. */
  takes(arn: ExecutionArn): void;
}

export class Starts {
  constructor(private readonly world: StartsWorld) {}

  async start({ identity, revision, input, traceHeader }: StartRequest): Promise<Started> {
    const { live, machines, turns, clock, isStale } = this.world;
    const machine = await machines.save(revision);
    const arn = identity.arn as ExecutionArn;
    this.world.takes(arn);
    const seconds = machine.timeoutSeconds;
    const deadlineAt = seconds === null ? null : ((clock.now() + seconds * 1000) as EpochMs);
    return live.enqueueNew(arn, async (held) => {
      if (held.state !== null && (await isStale(held))) await live.load(held);
      if (held.state !== null) return { is: 'exists', state: held.state };
      const start = { identity, revision: revision.id, input, traceHeader, deadlineAt };
      const facts = await turns.run(held, { type: 'Start', ...start });
      // Without facts another engine was faster with the same name.
      return begun(held, facts.length > 0);
    });
  }

  async fork({ prepared, revision }: ForkRequest): Promise<Started> {
    const { live, machines, turns } = this.world;
    await machines.save(revision);
    const { facts, stimulus } = prepared;
    const [first] = facts;
    assert(first?.type === 'ExecutionStarted', 'A fork begins with a start.');
    const arn = first.identity.arn as ExecutionArn;
    this.world.takes(arn);
    return live.enqueue(arn, async (held) => {
      if (held.state !== null) return { is: 'exists', state: held.state };
      const made = await turns.fork(held, facts, stimulus);
      if (made === null) await live.load(held);
      return begun(held, made !== null);
    });
  }
}

function begun({ state }: { readonly state: ExecutionState | null }, isOurs: boolean): Started {
  assert(state !== null, 'A start leaves a state behind.');
  return { is: isOurs ? 'started' : 'exists', state };
}
