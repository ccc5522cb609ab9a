/** From what a person names (a machine, an execution) to a debugger over it. */
import { existsSync } from 'node:fs';
import { compileMachine } from '../core/compiler.js';
import type { ExecutionArn } from '../lib/brand.js';
import type { Json, JsonObject } from '../lib/json.js';
import { revisionOf } from '../runtime/machines.js';
import { responderOf } from '../simulate/mocks/plan.js';
import { plausibleInput, defaultResponder } from '../simulate/mocks/defaults.js';
import { Debugger } from '../simulate/debug/debugger.js';
import { liveTimeline, type LiveOptions, Overrides } from '../simulate/debug/live.js';
import { Gates } from '../simulate/debug/gates.js';
import { recordedTimeline } from '../simulate/debug/recorded.js';
import { simulatedTimeline } from '../simulate/debug/simulated.js';
import type { Parts } from './assemble.js';
import { checkMachine, type MachineFile, readMachine } from './input.js';
import { type KeptExecution, readExecution, withStore } from './kept.js';
import { loadMocks } from './mock-files.js';
import { executionArn, identityOf, ROLE_ARN } from './names.js';
import { Problem } from './problem.js';

export interface DebugTarget {
  /** A file with a definition, or the name or ARN of an execution. */
  readonly what: string;
  readonly input?: Json;
  readonly mocks?: string;
  readonly testCase?: string;
  readonly seed?: number;
  /** Real handlers and real time instead of mocks. */
  readonly live?: boolean;
  readonly store?: string;
  readonly config?: string;
  readonly name?: string;
}

export interface OpenedDebugger {
  readonly session: Debugger;
  readonly title: string;
  readonly definition: string;
  /** Where the definition's text stands, if it is a file. */
  readonly path: string | null;
  close(stop: boolean): Promise<void>;
}

export async function openDebugger(target: DebugTarget): Promise<OpenedDebugger> {
  const isFile = target.what.endsWith('.json') || existsSync(target.what);
  if (!isFile) return openExecution(target);
  const machine = await readMachine(target.what);
  checkMachine(machine, { type: 'STANDARD', strict: false });
  return target.live ? startLive(machine, target) : openSimulation(machine, target);
}

async function openSimulation(machine: MachineFile, target: DebugTarget): Promise<OpenedDebugger> {
  const choice = { mocks: target.mocks, testCase: target.testCase, validate: 'NONE' } as const;
  const loaded = await loadMocks(choice, machine);
  const definition = JSON.parse(machine.text) as JsonObject;
  const fails = loaded?.plan.fallback === 'fail';
  const timeline = await simulatedTimeline({
    definition: machine.text,
    input: target.input ?? plausibleInput(definition),
    stateMachineName: machine.name,
    executionName: target.name ?? 'debugged',
    roleArn: ROLE_ARN,
    // A plan counts its calls: a rebuilt world begins counting anew.
    responders: () => [
      ...(loaded === null ? [] : [{ name: 'mock', answer: responderOf(loaded.plan) }]),
      ...(fails ? [] : [defaultResponder(definition)]),
    ],
    world: { seed: target.seed ?? 0 },
  });
  const session = new Debugger(timeline, compileMachine(definition));
  const { name: title, text, path } = machine;
  return { session, title, definition: text, path, close: (stop) => session.close(stop) };
}

async function openExecution(target: DebugTarget): Promise<OpenedDebugger> {
  const where = target.store === undefined ? {} : { store: target.store };
  const kept = await withStore(where, (store) => readExecution(store, target.what));
  if (kept.state.status === 'RUNNING') return attach(kept, target);
  const session = new Debugger(recordedTimeline(kept.facts), compileMachine(kept.definition));
  return {
    session,
    title: kept.state.identity.name,
    definition: kept.revision.definition,
    path: null,
    close: (stop) => session.close(stop),
  };
}

async function startLive(machine: MachineFile, target: DebugTarget): Promise<OpenedDebugger> {
  const name = target.name ?? `debug-${Date.now().toString(36)}`;
  const arn = executionArn(machine.name, name);
  const opened = await openLive(arn, machine.text, target);
  const { parts, options } = opened;
  const { localExecutions, publishMachine } = await import('./executions.js');
  await publishMachine(localExecutions(parts, options.engine), machine);
  const begin = (): Promise<unknown> =>
    options.engine.start({
      identity: identityOf(machine.name, name),
      revision: revisionOf(machine.text, 'STANDARD'),
      input: target.input ?? {},
      traceHeader: null,
    });
  const session = new Debugger(await liveTimeline({ ...options, begin }), options.machine);
  return finished(session, opened, { title: name, definition: machine.text, path: machine.path });
}

async function attach(kept: KeptExecution, target: DebugTarget): Promise<OpenedDebugger> {
  const { arn, revision, state } = kept;
  const opened = await openLive(arn, revision.definition, target);
  const session = new Debugger(await liveTimeline(opened.options), opened.options.machine);
  const title = state.identity.name;
  return finished(session, opened, { title, definition: revision.definition, path: null });
}

interface OpenedLive {
  readonly parts: Parts;
  readonly options: LiveOptions;
}

async function openLive(
  arn: ExecutionArn,
  definition: string,
  target: DebugTarget,
): Promise<OpenedLive> {
  // Handlers and their libraries are loaded only where real work is done.
  const [{ assemble }, { localExecutions }] = await Promise.all([
    import('./assemble.js'),
    import('./executions.js'),
  ]);
  const parts = await assemble({
    ...(target.store === undefined ? {} : { store: target.store }),
    ...(target.config === undefined ? {} : { config: target.config }),
    json: true,
  });
  const gates = new Gates();
  const overrides = new Overrides();
  if (target.mocks !== undefined) {
    await parts.close();
    throw new Problem('--live does real work: it takes no --mocks.', 'Leave one of them out.');
  }
  const engine = await parts.openEngine([arn], {
    store: gates.over(parts.store),
    resources: overrides.over(parts.registry),
    isStepped: (of) => gates.has(of),
  });
  parts.executions.fill(localExecutions(parts, engine));
  const machine = compileMachine(JSON.parse(definition) as JsonObject);
  return { parts, options: { arn, engine, store: parts.store, gates, overrides, machine } };
}

function finished(
  session: Debugger,
  { parts, options }: OpenedLive,
  shown: { readonly title: string; readonly definition: string; readonly path: string | null },
): OpenedDebugger {
  return {
    session,
    ...shown,
    close: async (stop) => {
      await session.close(stop);
      await options.engine.close();
      await parts.close();
    },
  };
}
