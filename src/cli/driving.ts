/** What the commands that drive an execution to its end share: event lines, signals, the last words. */
import type { Fact, Outcome } from '../core/fact.js';
import { type ExecutionState, ROOT_FRAME } from '../core/state.js';
import type { Engine } from '../runtime/face.js';
import type { Store } from '../store/store.js';
import { projectHistory } from '../wire/history.js';
import { EXIT, Problem } from './problem.js';
import { firstLine, type ProgressView } from './progress.js';
import { bold, dim, duration, green, red, yellow } from './style.js';
import { summarise } from './summary.js';
import type { Watcher } from './watch.js';
import { emit, print } from './output.js';

/** The last line of a run. */
export function emitResult(status: string, outcome: Outcome, executionArn: string): void {
  emit({
    type: 'result',
    status,
    ...(outcome.ok
      ? { output: outcome.output }
      : { error: outcome.failure.error, cause: outcome.failure.cause }),
    executionArn,
  });
}

/** The first signal stops cleanly: the journal keeps what was done. */
export function leaveOnSignal(engine: Engine, view: ProgressView | null): () => void {
  const onSignal = (): void => {
    view?.line(yellow('\nInterrupted. Run the same command again to continue.'));
    engine.close().finally(() => process.exit(EXIT.interrupted));
    setTimeout(() => process.exit(EXIT.interrupted), 8_000).unref();
  };
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  return () => {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  };
}

/** Prints the result; resolves to the exit status. */
export async function report(
  state: ExecutionState,
  store: Store,
  json: boolean,
  home: string,
): Promise<number> {
  const { outcome, status } = state;
  const exit = status === 'SUCCEEDED' ? EXIT.succeeded : EXIT.failed;
  if (outcome === null) throw new Problem('The execution has no result.');
  if (json) {
    emitResult(status, outcome, state.identity.arn);
    return exit;
  }
  const took = duration((state.stoppedAt ?? state.startedAt) - state.startedAt);
  print('');
  if (outcome.ok) {
    print(`${green(bold(status))} in ${took}`);
    const summary = summarise(outcome.output, home);
    print(summary ?? JSON.stringify(outcome.output, null, 2));
  } else {
    print(`${red(bold(status))} after ${took}`);
    print(`  error  ${outcome.failure.error ?? '(none)'}`);
    print(`  cause  ${firstLine(outcome.failure.cause ?? '(none)')}`);
    // What had been measured before the failure is worth seeing too.
    const measured = summarise(state.frames.get(ROOT_FRAME)?.value ?? null, home);
    if (measured !== null) print(`\n${measured}`);
  }
  print('');
  print(dim(`events   npx stepwell history ${state.identity.name}`));
  print(dim(`kept in  ${store.description}`));
  return exit;
}

/** Events of the history as lines; their numbers go on where an earlier run of the execution stood. */
export class EventLines implements Watcher {
  private readonly facts: Fact[] = [];
  private printed = 0;

  known(facts: readonly Fact[]): void {
    this.facts.push(...facts);
    this.printed = projectHistory(this.facts).length;
  }

  news(facts: readonly Fact[]): void {
    this.facts.push(...facts);
    const events = projectHistory(this.facts).slice(this.printed);
    this.printed += events.length;
    for (const { details, ...head } of events) {
      emit({
        type: 'event',
        event: { ...head, ...(details ? { [details.name]: details.value } : {}) },
      });
    }
  }
}
