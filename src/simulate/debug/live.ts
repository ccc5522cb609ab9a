/**
 * An execution that a real engine drives, under a debugger: handlers do real work, time is real, and every
 * commit waits until the debugger lets it through. There is no way back: what is durable is durable.
 */
import type { FrameEdit } from '../../core/stimulus.js';
import type { Machine } from '../../core/machine.js';
import { fold } from '../../core/evolve.js';
import type { ExecutionState } from '../../core/state.js';
import type { Handler } from '../../handlers/handler.js';
import { TaskFailure } from '../../handlers/handler.js';
import { assert } from '../../lib/assert.js';
import type { EpochMs, ExecutionArn, Seq } from '../../lib/brand.js';
import type { Resources } from '../../runtime/dispatcher.js';
import type { Engine } from '../../runtime/face.js';
import { loadJournal } from '../../runtime/journal.js';
import type { Store } from '../../store/store.js';
import { commitEdit } from './edit-commit.js';
import type { Gate, Gates } from './gates.js';
import { type Chunk, chunksOf, Immutable, type Override, type Timeline } from './timeline.js';

/** Answers that stand in for work, by execution and state; wrapped around the engine's own resources. */
export class Overrides {
  private readonly made = new Map<string, Override>();

  set(arn: string, state: string, override: Override): void {
    this.made.set(`${arn} ${state}`, override);
  }

  over(resources: Resources): Resources {
    return {
      explainUnknown: (resource) => resources.explainUnknown(resource),
      resolve: (resource) => {
        const found = resources.resolve(resource);
        if (this.made.size === 0) return found;
        return { handler: this.around(resource, found?.handler ?? null) };
      },
    };
  }

  private around(resource: string, handler: Handler | null): Handler | null {
    const overridden = (arn: string, state: string): Override | undefined => {
      const key = `${arn} ${state}`;
      const known = this.made.get(key);
      this.made.delete(key);
      return known;
    };
    return {
      resource,
      description: handler?.description ?? 'Answered by a debugger.',
      // What stands in for work takes any parameters.
      parameters: {},
      onWorkerLost: handler?.onWorkerLost ?? 'rerun',
      run: async (parameters, context) => {
        const { executionArn, stateName } = context.task;
        const made = overridden(executionArn, stateName);
        if (made === undefined) {
          if (handler !== null) return handler.run(parameters, context);
          throw new TaskFailure('States.TaskFailed', `Nothing here does ${resource}.`);
        }
        if ('output' in made) return made.output;
        throw new TaskFailure(made.failure.error ?? 'States.TaskFailed', made.failure.cause ?? '');
      },
    };
  }
}

export interface LiveOptions {
  readonly arn: ExecutionArn;
  readonly engine: Engine;
  /** The store behind the gates. */
  readonly store: Store;
  readonly gates: Gates;
  readonly overrides: Overrides;
  readonly machine: Machine;
  /** Begins the execution, when there is none yet; called once the gate is in place. */
  readonly begin?: () => Promise<unknown>;
}

export async function liveTimeline(options: LiveOptions): Promise<Timeline> {
  const gate = options.gates.attach(options.arn);
  try {
    const journal = await loadJournal(options.store, options.arn);
    gate.digest = journal?.digest ?? gate.digest;
    gate.seq = (journal?.facts.length ?? 0) as Seq;
    const timeline = new LiveTimeline(options, gate, chunksOf(journal?.facts ?? []));
    options.begin?.().catch(() => undefined);
    return timeline;
  } catch (error) {
    options.gates.detach(options.arn);
    throw error;
  }
}

class LiveTimeline implements Timeline {
  readonly kind = 'live';

  constructor(
    private readonly options: LiveOptions,
    private readonly gate: Gate,
    readonly chunks: Chunk[],
  ) {}

  get arn(): string {
    return this.options.arn;
  }

  async peek(signal: AbortSignal): Promise<Chunk | null> {
    const over = this.chunks.at(-1)?.some(({ type }) => type === 'ExecutionEnded');
    if (over) return null;
    return (await this.gate.next(signal))?.facts ?? null;
  }

  async take(): Promise<void> {
    const { held } = this.gate;
    assert(held !== null, 'Only what was peeked can be taken.');
    // A conflict: another engine wrote. This one loads, decides again, and the next peek shows it.
    if ((await held.release()) === 'committed') this.chunks.push(held.facts);
    else await this.reload();
  }

  private async reload(): Promise<void> {
    const journal = await loadJournal(this.options.store, this.options.arn);
    this.chunks.splice(0, this.chunks.length, ...chunksOf(journal?.facts ?? []));
    this.gate.digest = journal?.digest ?? this.gate.digest;
    this.gate.seq = (journal?.facts.length ?? 0) as Seq;
  }

  async edit(edit: FrameEdit): Promise<void> {
    const { store, machine } = this.options;
    const { gate } = this;
    const state = fold(this.chunks.flat()) as ExecutionState;
    const now = Date.now() as EpochMs;
    this.chunks.push(await commitEdit({ store, gate, machine, state, now }, edit));
    await gate.held?.release();
  }

  override(state: string, override: Override): void {
    this.options.overrides.set(this.options.arn, state, override);
  }

  async rewind(): Promise<void> {
    throw new Immutable(
      'A live execution does not go back: what is durable is durable.',
      'Fork it at an earlier event, or debug it as a simulation.',
    );
  }

  async close(stop: boolean): Promise<void> {
    this.options.gates.detach(this.options.arn);
    if (!stop) return;
    const failure = { error: 'Debugger.Stopped', cause: 'The debugger ended the execution.' };
    await this.options.engine.stop(this.options.arn, failure);
  }
}
