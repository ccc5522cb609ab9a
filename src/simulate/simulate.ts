/** One machine from its start to its end in a simulated world, and everything that can be asked of it. */
import { type Diagnostic, validateDefinition } from '../core/validate.js';
import type { Fact } from '../core/fact.js';
import type { Limits } from '../core/limits.js';
import { type ExecutionState, ROOT_FRAME, type Status } from '../core/state.js';
import { assert } from '../lib/assert.js';
import type { EpochMs, ExecutionArn } from '../lib/brand.js';
import type { Json, JsonObject } from '../lib/json.js';
import { type HistoryEvent, projectHistory } from '../wire/history.js';
import type { CallRecord, NamedResponder, Responder } from './call.js';
import { openWorld, type Waiting, waitingOf, type World, type WorldOptions } from './world.js';
import { type StartOptions, startRequestOf } from './start-request.js';

/** `skip`: no waiting; `real`; a number: virtual milliseconds per real one. */
export type TimeMode = 'skip' | 'real' | number;

export interface SimulateOptions
  extends Omit<WorldOptions, 'responders' | 'speed'>,
    Omit<StartOptions, 'definition'> {
  /** The machine, as text or as the object it stands for. */
  readonly definition: string | JsonObject;
  /** Answers calls first; what it leaves open goes to `responders`. */
  readonly mocks?: Responder;
  readonly responders?: readonly NamedResponder[];
  readonly time?: TimeMode;
  readonly limits?: Limits;
  /** Stops the execution when it aborts. */
  readonly signal?: AbortSignal;
  /** Called with the open world before the start: a view or a debugger attaches here. */
  readonly onWorld?: (world: World) => void | Promise<void>;
}

export interface Simulation {
  readonly arn: ExecutionArn;
  /** RUNNING: it waits for something that never comes (`waitsFor`). */
  readonly status: Status;
  /** Undefined unless it succeeded. */
  readonly output: Json | undefined;
  readonly error: string | null;
  readonly cause: string | null;
  readonly waitsFor: readonly Waiting[];
  readonly state: ExecutionState;
  /** Journal of the execution itself. */
  readonly facts: readonly Fact[];
  /** AWS events. */
  readonly history: readonly HistoryEvent[];
  /** Journals of this and of every execution it led to. */
  readonly journals: ReadonlyMap<ExecutionArn, readonly Fact[]>;
  /** Names of the states entered, in order, those in branches and iterations among them. */
  readonly pathTaken: readonly string[];
  readonly calls: readonly CallRecord[];
  /** Variables at the end. */
  readonly variables: JsonObject;
  readonly startedAt: EpochMs;
  readonly stoppedAt: EpochMs;
  /** Virtual milliseconds. */
  readonly tookMs: number;
}

/** The definition cannot run. */
export class InvalidMachine extends Error {
  override readonly name = 'InvalidMachine';
  constructor(
    readonly diagnostics: readonly Diagnostic[],
    readonly path: string | null = null,
  ) {
    const shown = diagnostics.map(({ code, message, location }) => {
      const place = location === null ? '' : ` at ${location}`;
      return `${code}: ${message}${place}`;
    });
    super(`${path ?? 'The state machine'} is not valid:\n  ${shown.join('\n  ')}`);
  }
}

export async function simulate(options: SimulateOptions): Promise<Simulation> {
  const { definition: given, mocks, responders = [], time = 'skip', onWorld, signal } = options;
  const definition = typeof given === 'string' ? given : JSON.stringify(given);
  refuseInvalid(definition, options.type ?? 'STANDARD');
  const speed = time === 'skip' ? undefined : time === 'real' ? 1 : time;
  const world = await openWorld({
    ...options,
    responders: [...(mocks === undefined ? [] : [{ name: 'mock', answer: mocks }]), ...responders],
    ...(speed === undefined ? {} : { speed }),
  });
  try {
    const request = startRequestOf({ ...options, definition });
    const arn = request.identity.arn as ExecutionArn;
    await onWorld?.(world);
    await world.engine.start(request);
    const stop = (): void => {
      world.engine.stop(arn, { error: null, cause: null }).catch(() => undefined);
    };
    signal?.addEventListener('abort', stop, { once: true });
    await world.passUntil(world.engine.ended(arn));
    signal?.removeEventListener('abort', stop);
    return await simulationOf(world, arn);
  } finally {
    await world.close();
  }
}

/** Definitions found valid before; validating one again and again would cost more than running it. */
const valid = new Set<string>();
const MAX_VALID = 200;

function refuseInvalid(definition: string, type: 'STANDARD' | 'EXPRESS'): void {
  const key = `${type}\n${definition}`;
  if (valid.has(key)) return;
  const { diagnostics } = validateDefinition(definition, { type, strict: false });
  const errors = diagnostics.filter(({ severity }) => severity === 'ERROR');
  if (errors.length > 0) throw new InvalidMachine(errors);
  if (valid.size >= MAX_VALID) valid.clear();
  valid.add(key);
}

/** What a world says of one of its executions now. */
export async function simulationOf(world: World, arn: ExecutionArn): Promise<Simulation> {
  const state = await world.engine.state(arn);
  assert(state !== null, 'The execution was started.');
  const facts = await factsOf(world, arn);
  const { outcome, status, startedAt } = state;
  const stoppedAt = state.stoppedAt ?? world.clock.now();
  const failure = outcome !== null && !outcome.ok ? outcome.failure : null;
  return {
    arn,
    status,
    output: outcome?.ok ? outcome.output : undefined,
    error: failure?.error ?? null,
    cause: failure?.cause ?? null,
    waitsFor: status === 'RUNNING' ? waitingOf(state) : [],
    state,
    facts,
    history: projectHistory(facts),
    journals: world.journals,
    pathTaken: pathOf(facts),
    calls: world.calls,
    variables: state.frames.get(ROOT_FRAME)?.variables ?? {},
    startedAt,
    stoppedAt,
    tookMs: stoppedAt - startedAt,
  };
}

/** Journals of the machine itself and of its Map Runs' children, without nested executions of others. */
export function ownJournals({ journals, state }: Simulation): readonly (readonly Fact[])[] {
  const name = state.identity.stateMachineName;
  return [...journals.values()].filter(([first]) => {
    if (first?.type !== 'ExecutionStarted') return false;
    return first.identity.stateMachineName.split('/', 1)[0] === name;
  });
}

/** As they were committed here; a store that brought older ones is asked. */
async function factsOf(world: World, arn: ExecutionArn): Promise<readonly Fact[]> {
  const seen = world.journals.get(arn);
  if (seen?.[0]?.seq === 1) return seen;
  return (await world.engine.facts(arn)) ?? [];
}

export function pathOf(facts: readonly Fact[]): readonly string[] {
  return facts.flatMap((fact) => (fact.type === 'StateEntered' ? [fact.name] : []));
}
