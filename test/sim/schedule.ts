/**
 * One schedule: a random machine, random clients and random faults from one seed, run to the end under
 * the laws; a confluent machine must end as it does when nothing goes wrong.
 */
import { dispatch } from '../../src/api/dispatch.js';
import { coreDefinitions } from '../../src/api/core-definitions.js';
import { createContext } from '../../src/api/server.js';
import { createEngine } from '../../src/runtime/engine.js';
import type { ExecutionArn } from '../../src/lib/brand.js';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { MemoryStore } from '../../src/store/memory.js';
import type { SharedStore } from '../../src/store/store.js';
import { never } from '../support/faulty-store.js';
import { resultOf } from '../support/run-machine.js';
import { type Script, type Step, silentLog, testServices } from '../support/scripted-handlers.js';
import { SeededRandom } from '../support/seeded-random.js';
import { settled, VIRTUAL_EPOCH } from '../support/virtual-clock.js';
import { LawBroken } from './checker.js';
import { arnOf, runClients } from './clients.js';
import { FaultPlan, type PlannedFault } from './faults.js';
import { CHILD_DEFINITION, type GeneratedMachine, generateMachine } from './generator.js';
import { TOKEN_KEY } from './ledger.js';
import { neighbourhoodOf } from './neighbourhood.js';
import { type SimWorld, SimWorld as World } from './world.js';

/** How a schedule is set up; all of it follows from the seed, and shrinking makes it simpler. */
export interface Setup {
  readonly seed: number;
  readonly machine: GeneratedMachine;
  readonly confluent: boolean;
  /** Engines on one store. */
  readonly processes: number;
  readonly executions: number;
  readonly latencyMs: number;
  readonly intensity: number;
  readonly rollbacks: boolean;
  /** The faults that happen, instead of random ones. */
  readonly faults?: readonly PlannedFault[];
  /** Sees the world before it begins. */
  readonly watch?: (world: SimWorld) => void;
  /** A bug that is planted; see mutants.ts. */
  readonly plant?: (store: SharedStore, world: SimWorld) => SharedStore;
}

export interface Outcome {
  readonly error: unknown;
  readonly faults: readonly PlannedFault[];
  readonly commits: number;
  readonly results: Readonly<Record<string, Json>>;
}

/** Longest a world may take: clock jumps and pauses included. */
const LIMIT_MS = 48 * 3_600_000;
/** Of timers. */
const MAX_STEPS = 200_000;
/** Engines that look around always have a timer: without a commit for so long, nothing goes on. */
const SILENT_MS = 6 * 3_600_000;

/** `engines`: so many, instead of the number that the seed says. */
export function setupOf(seed: number, engines?: number): Setup {
  const random = new SeededRandom(seed ^ 0x5e7);
  const confluent = random.chance(0.5);
  const rollbacks = new SeededRandom(seed ^ 0x7011).chance(0.1);
  const processes = engines ?? enginesOf(seed);
  const machine = generateMachine(seed, { confluent, outside: true });
  const isSlow = processes > 1 && confluent && new SeededRandom(seed ^ 0xca11).chance(0.2);
  return {
    seed,
    machine: isSlow ? { ...machine, script: answeredLate(machine.script) } : machine,
    confluent,
    processes,
    executions: random.pick([1, 1, 2]),
    latencyMs: random.pick([0, 0, 3, 40]),
    intensity: random.pick([0.01, 0.05, 0.15]),
    rollbacks,
  };
}

/** People take their time: meanwhile others come and go, and sweeps pass by. */
const PERSON_MS = 400_000;

function answeredLate(script: Script): Script {
  return Object.fromEntries(
    Object.entries(script).map(([name, steps]) => [
      name,
      [steps].flat().map((step: Step) => {
        return step.do === 'callback' ? { ...step, afterMs: step.afterMs + PERSON_MS } : step;
      }),
    ]),
  );
}

/** Several engines cost more and meet more: one world in four has them. */
function enginesOf(seed: number): number {
  const random = new SeededRandom(seed ^ 0xe961);
  return random.chance(0.25) ? random.between(2, 4) : 1;
}

/** Runs the schedule and, where that says something, the same without faults. */
export async function runSchedule(setup: Setup): Promise<Outcome> {
  const outcome = await runOnce(setup);
  if (outcome.error !== null || !setup.confluent) return outcome;
  if (outcome.faults.length === 0 && setup.processes === 1) return outcome;
  const calm = { ...setup, faults: [], processes: 1, latencyMs: 0 };
  const oracle = await runOnce(calm);
  if (oracle.error !== null) return { ...oracle, faults: [] };
  for (const [name, result] of Object.entries(oracle.results)) {
    // A cause names the event at which a state was entered: numbers that interleaving decides.
    const [is, should] = [outcome.results[name], result].map((value) =>
      (JSON.stringify(value) ?? 'nothing').replaceAll(/event id #\d+/g, 'event id #'),
    );
    // A failover may have taken the start with it.
    const gone = is === 'nothing' && outcome.faults.some(({ fault }) => fault === 'rollback');
    if (is === should || gone) continue;
    const error = new LawBroken(`${name} ends as ${is}, without faults as ${should}.`);
    return { ...outcome, error };
  }
  return outcome;
}

async function runOnce(setup: Setup): Promise<Outcome> {
  const { seed, intensity, rollbacks, faults } = setup;
  const plan = new FaultPlan({
    seed,
    intensity,
    rollbacks,
    shared: setup.processes > 1,
    ...(faults === undefined ? {} : { only: faults }),
  });
  const { script } = setup.machine;
  const { processes, latencyMs } = setup;
  const neighbourhood = processes === 1 ? null : neighbourhoodOf(seed, processes, script);
  const plant = setup.plant === undefined ? {} : { plant: setup.plant };
  const world = new World({
    seed,
    plan,
    script,
    processes,
    neighbourhood,
    latencyMs,
    ...plant,
  });
  if (setup.watch !== undefined) setup.watch(world);
  let error: unknown = null;
  try {
    await furnish(world, setup);
    await play(world, setup);
    world.checker.atEnd();
    world.ledger.atEnd();
  } catch (failure) {
    error = failure;
  }
  const results: Record<string, Json> = {};
  for (let index = 0; index < setup.executions; index++) {
    const state = world.checker.executions.get(arnOf(`e${index}`))?.state;
    if (state !== undefined) results[`e${index}`] = resultOf(state);
  }
  return { error, faults: plan.happened, commits: world.checker.commits, results };
}

/** Files the machines before anything can go wrong. */
async function furnish(world: SimWorld, { machine }: Setup): Promise<void> {
  const { disk } = world;
  await disk.write((store) => store.documents.put('secret', 'task-token-key', TOKEN_KEY, null));
  for (const filed of [
    filingOf('Machine', machine.definition),
    filingOf('Child', CHILD_DEFINITION),
  ]) {
    for (const { kind, id, body } of await filed) {
      await disk.write((store) => store.documents.put(kind, id, body, 'any'));
    }
  }
  disk.settle();
}

interface Filed {
  readonly kind: string;
  readonly id: string;
  readonly body: Json;
}

/** What the API files for a definition; a schedule and its oracle, or its shrinking, file the same. */
const filings = new WeakMap<JsonObject, Promise<readonly Filed[]>>();

function filingOf(name: string, definition: JsonObject): Promise<readonly Filed[]> {
  let filing = filings.get(definition);
  if (filing === undefined) {
    filing = fileWithApi(name, definition);
    filings.set(definition, filing);
  }
  return filing;
}

async function fileWithApi(name: string, definition: JsonObject): Promise<readonly Filed[]> {
  const store = new MemoryStore();
  const api = createContext({
    engine: await quietEngine(),
    store,
    definitions: coreDefinitions(false),
    inspect: () => never(),
    now: () => VIRTUAL_EPOCH as never,
  });
  const { signal } = new AbortController();
  const members = {
    name,
    definition: JSON.stringify(definition),
    roleArn: 'arn:aws:iam::123456789012:role/test',
  };
  await dispatch(api, 'CreateStateMachine', members, { signal });
  const filed: Filed[] = [];
  for (const kind of await store.care.documentKinds()) {
    const { items } = await store.documents.list(kind, { limit: 100, token: null });
    for (const { id, body } of items) filed.push({ kind, id, body });
  }
  return filed;
}

/** CreateStateMachine asks an engine for nothing; it only has to be there. */
let quiet: ReturnType<typeof createEngine> | null = null;
function quietEngine(): ReturnType<typeof createEngine> {
  quiet ??= createEngine({
    store: new MemoryStore(),
    resources: { resolve: () => null, explainUnknown: () => '' },
    services: testServices(),
    log: silentLog,
    clock: { now: () => 0 as never, at: () => () => undefined },
  });
  return quiet;
}

async function play(world: SimWorld, setup: Setup): Promise<void> {
  const opened = world.open();
  let clientsDone = false;
  runClients(world, {
    executions: setup.executions,
    input: setup.machine.input,
    meddling: !setup.confluent,
    activities: JSON.stringify(setup.machine.definition).includes(':activity:'),
  }).then(
    () => {
      clientsDone = true;
    },
    (error) => {
      world.broken ??= error;
    },
  );
  await settled();
  let comparedAt = 0;
  let compared = 0;
  for (let step = 0; ; step++) {
    if (world.broken !== null) throw world.broken;
    const { checker } = world;
    // After a rollback an execution may be gone with its acknowledgement.
    const known = checker.executions.size >= setup.executions || world.disk.rolledBack;
    if (clientsDone && checker.allOver && known) break;
    const isSilent = world.hub !== null && world.time.elapsed > comparedAt + SILENT_MS;
    if (isSilent || step > MAX_STEPS || !world.time.advance(LIMIT_MS)) throw stuck(world);
    await settled();
    if (compared === checker.commits) continue;
    compared = checker.commits;
    comparedAt = world.time.elapsed;
    world.compareMemory();
  }
  await settled();
  if (world.broken !== null) throw world.broken;
  void opened;
}

function stuck(world: SimWorld): LawBroken {
  const open = [...world.checker.executions].flatMap(([arn, { state }]) =>
    state.status === 'RUNNING' ? [describeOpen(arn, state)] : [],
  );
  return new LawBroken(`Nothing goes on. Open: ${open.join('; ') || 'none'}`);
}

function describeOpen(
  arn: ExecutionArn,
  { frames }: { frames: ReadonlyMap<string, unknown> },
): string {
  const phases = [...frames.values()].map((frame) => {
    const { state, phase } = frame as { state: string; phase: { is: string } };
    return `${state} ${phase.is}`;
  });
  return `${arn} (${phases.join(', ')})`;
}
