/** A recorded history as a fixture: the machine is simulated with its results, and both are compared. */
import type { JsonObject } from '../../lib/json.js';
import type { NamedResponder } from '../call.js';
import { type SimulateOptions, type Simulation, simulate } from '../simulate.js';
import { type DiffOptions, diffHistories, type HistoryDiff, recordedForm } from './diff.js';
import type { RecordedHistory } from './history-file.js';
import type { EpochMs, ExecutionArn } from '../../lib/brand.js';
import { startRequestOf } from '../start-request.js';
import type { World } from '../world.js';
import { answersOf, replayResponder } from './responses.js';

export interface ReplayOptions
  extends Omit<SimulateOptions, 'definition' | 'input' | 'mocks' | 'responders'>,
    DiffOptions {
  readonly definition: string | JsonObject;
  readonly history: RecordedHistory;
  /** Answers what the history says nothing of: calls it never made, children of Map Runs. */
  readonly responders?: readonly NamedResponder[];
}

export interface Replay {
  readonly simulation: Simulation;
  readonly diff: HistoryDiff;
  /** Calls that the recorded run did not make. */
  readonly newCalls: number;
}

export async function replay(options: ReplayOptions): Promise<Replay> {
  const { history } = options;
  const simulation = await simulate({
    ...options,
    onWorld: (world) => stopAsRecorded(world, history, options),
    input: history.input,
    ...(history.startedAt === null ? {} : { startAt: history.startedAt }),
    ...(history.roleArn === null ? {} : { roleArn: history.roleArn }),
    mocks: replayResponder(answersOf(history)),
  });
  const diff = diffHistories(history.events, recordedForm(simulation.history), options);
  const newCalls = simulation.calls.filter(({ by }) => by !== 'mock').length;
  return { simulation, diff, newCalls };
}

/** A run that was stopped is stopped again, at the same instant. */
function stopAsRecorded(world: World, history: RecordedHistory, options: ReplayOptions): void {
  const last = history.events.at(-1);
  if (last?.type !== 'ExecutionAborted') return;
  const { startedAt } = history;
  const afterMs = last.timestamp === null || startedAt === null ? 0 : last.timestamp - startedAt;
  const { error, cause } = last.details;
  const { arn } = startRequestOf({ ...options, definition: '', input: null }).identity;
  world.clock.at((world.clock.now() + afterMs) as EpochMs, () => {
    const failure = {
      error: typeof error === 'string' ? error : null,
      cause: typeof cause === 'string' ? cause : null,
    };
    world.engine.stop(arn as ExecutionArn, failure).catch(() => undefined);
  });
}
