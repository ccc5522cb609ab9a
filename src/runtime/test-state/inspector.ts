/** Inspects single states with the handlers of this process: what TestState and `--explain` run on. */
import type { FactOf, Outcome } from '../../core/fact.js';
import type { Turn } from '../../core/turn.js';
import { Dispatcher, type HandlerServices, type Resources } from '../dispatcher.js';
import { type InspectOptions, type Inspection, inspectState } from './inspect.js';

/** AWS: TestState runs for up to five minutes. */
const MAX_TASK_MS = 300_000;

export type Inspector = (options: Omit<InspectOptions, 'runTask'>) => Promise<Inspection>;

export function createInspector(resources: Resources, services: HandlerServices): Inspector {
  const runTask = (scheduled: FactOf<'TaskScheduled'>, turn: Turn): Promise<Outcome> =>
    new Promise((resolve) => {
      const timer = setTimeout(() => {
        dispatcher.close();
        resolve({ ok: false, failure: { error: 'States.Timeout', cause: null } });
      }, MAX_TASK_MS);
      const settle = async (outcome: Outcome): Promise<void> => {
        clearTimeout(timer);
        resolve(outcome);
      };
      const dispatcher = new Dispatcher(resources, services, {
        result: (_arn, _task, outcome) => settle(outcome),
        submitted: async () => {},
        heartbeat: () => {},
        progress: () => {},
        pause: async () => {},
      });
      dispatcher.start({
        state: turn.state,
        scheduled,
        stateName: turn.root.state,
        visit: turn.root.enteredEventId,
        attempt: 0,
        submission: null,
        taskToken: null,
        recovered: false,
      });
    });
  return (options) => inspectState({ ...options, runTask });
}
