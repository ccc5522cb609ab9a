/**
 * Makes a failing schedule smaller while it fails in the same way: fewer faults, fewer executions, a
 * simpler machine. Greedy and bounded: the result is small, not smallest.
 */
import { validateDefinition } from '../../src/core/validate.js';
import { isObject, type Json, type JsonObject } from '../../src/lib/json.js';
import type { PlannedFault } from './faults.js';
import { runSchedule, type Setup } from './schedule.js';

const MAX_RUNS = 400;
const MAX_MS = 60_000;

export interface Shrunk {
  readonly setup: Setup;
  readonly error: unknown;
  readonly runs: number;
}

export async function shrink(
  failing: Setup,
  error: unknown,
  faults: readonly PlannedFault[],
): Promise<Shrunk> {
  const shrinker = new Shrinker({ ...failing, faults }, error);
  if (!(await shrinker.try({ ...failing, faults }))) return { setup: failing, error, runs: 1 };
  await shrinker.simplify();
  return { setup: shrinker.best, error: shrinker.error, runs: shrinker.runs };
}

class Shrinker {
  runs = 0;
  private readonly kind: string;
  private readonly endsAt = performance.now() + MAX_MS;

  constructor(
    public best: Setup,
    public error: unknown,
  ) {
    this.kind = kindOf(error);
  }

  /** Keeps `candidate` when it fails like the original. */
  async try(candidate: Setup): Promise<boolean> {
    if (this.runs >= MAX_RUNS || performance.now() > this.endsAt) return false;
    this.runs++;
    const { error } = await runSchedule(candidate);
    if (error === null || kindOf(error) !== this.kind) return false;
    this.best = candidate;
    this.error = error;
    return true;
  }

  async simplify(): Promise<void> {
    for (let before = -1; before !== this.size(); ) {
      before = this.size();
      await this.fewerFaults();
      await this.try({ ...this.best, executions: 1 });
      await this.try({ ...this.best, latencyMs: 0 });
      await this.simplerMachine();
    }
  }

  private size(): number {
    const { faults = [], machine, executions, latencyMs } = this.best;
    return JSON.stringify(machine.definition).length + 100 * faults.length + executions + latencyMs;
  }

  private async fewerFaults(): Promise<void> {
    for (let at = 0; at < (this.best.faults ?? []).length; ) {
      const faults = (this.best.faults ?? []).filter((_fault, index) => index !== at);
      if (!(await this.try({ ...this.best, faults }))) at++;
    }
  }

  private async simplerMachine(): Promise<void> {
    for (let at = 0; ; ) {
      const candidates = simpler(this.best.machine.definition);
      const definition = candidates[at];
      if (definition === undefined) return;
      const machine = { ...this.best.machine, definition: definition as Record<string, Json> };
      if (!isValid(definition) || !(await this.try({ ...this.best, machine }))) at++;
      if (this.runs >= MAX_RUNS || performance.now() > this.endsAt) return;
    }
  }
}

function isValid(definition: JsonObject): boolean {
  const { diagnostics } = validateDefinition(JSON.stringify(definition), {
    type: 'STANDARD',
    strict: false,
  });
  return diagnostics.every(({ severity }) => severity !== 'ERROR');
}

/** What failed, without names and numbers. */
export function kindOf(error: unknown): string {
  return String(error)
    .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '#')
    .replaceAll(/\d+/g, '#')
    .slice(0, 90);
}

/** Every machine that is one step simpler; timeouts stay, for without them what hangs never ends. */
function simpler(definition: JsonObject): JsonObject[] {
  const made: JsonObject[] = [];
  const copy = (): JsonObject => JSON.parse(JSON.stringify(definition)) as JsonObject;
  for (const path of statesOf(definition, [])) {
    for (const field of ['Retry', 'Catch', 'HeartbeatSeconds', 'Branches']) {
      const changed = copy();
      const state = at(changed, path);
      const value = state[field];
      if (value === undefined) continue;
      if (field === 'Branches') (value as Json[]).length > 1 && (value as Json[]).pop();
      else delete state[field];
      made.push(changed);
    }
    const passing = copy();
    const state = at(passing, path);
    if (state.Type !== 'Pass' && (state.Next !== undefined || state.End !== undefined)) {
      const plain: JsonObject =
        state.Next === undefined ? { Type: 'Pass', End: true } : { Type: 'Pass', Next: state.Next };
      at(passing, path.slice(0, -1))[path.at(-1) as string] = plain;
      made.push(passing);
    }
    const without = copy();
    if (bypass(at(without, path.slice(0, -2)), path.at(-1) as string)) made.push(without);
  }
  return made.filter((candidate) => JSON.stringify(candidate) !== JSON.stringify(definition));
}

type Loose = Record<string, Json | undefined>;

function at(value: Json, path: readonly string[]): Loose {
  return path.reduce<Json>(
    (inner, key) => (inner as Record<string, Json>)[key] as Json,
    value,
  ) as Loose;
}

/** Paths of all states, the innermost last. */
function statesOf(value: Json, path: readonly string[]): string[][] {
  if (!isObject(value) && !Array.isArray(value)) return [];
  return Object.entries(value as Record<string, Json>).flatMap(([key, inner]) => [
    ...(path.at(-1) === 'States' ? [[...path, key]] : []),
    ...statesOf(inner, [...path, key]),
  ]);
}

/** Takes one state out of a block; what led to it leads to what followed. */
function bypass(block: Loose, name: string): boolean {
  const states = block.States as Record<string, Record<string, Json>>;
  const next = states[name]?.Next;
  if (typeof next !== 'string') return false;
  delete states[name];
  const redirected = JSON.stringify(states).replaceAll(
    new RegExp(`("Next"|"Default"):"${name}"`, 'g'),
    `$1:"${next}"`,
  );
  block.States = JSON.parse(redirected) as Json;
  if (block.StartAt === name) block.StartAt = next;
  return true;
}
