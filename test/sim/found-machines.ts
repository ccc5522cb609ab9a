/**
 * Machines nobody here wrote for the sweep: those of public repositories and of recordings (beside the
 * checkout), the shipped ones, and generated ones. What their tasks answer is made up, by the same rules
 * as the simulator's; an attempt that runs again is given the same answer.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { parseResource } from '../../src/core/resource.js';
import { validateParsed } from '../../src/core/validate.js';
import type { ExecutionArn } from '../../src/lib/brand.js';
import { isObject, type Json, type JsonObject } from '../../src/lib/json.js';
import type { Answer, Call } from '../../src/simulate/call.js';
import { defaultResponder, plausibleInput } from '../../src/simulate/mocks/defaults.js';
import { awsSamples, shippedMachines } from '../support/samples.js';
import type { Scripting, Step } from '../support/scripted-handlers.js';
import type { CorpusMachine } from './corpus.js';
import { generateMachine } from './generator.js';

export interface FoundMachine extends CorpusMachine {
  readonly id: string;
}

const SHARED = new URL('../../../shared/', import.meta.url);

/** Where the shared folder is missing, only those that are in the checkout. */
export function foundMachines(seeds: { readonly from: number; readonly count: number }): {
  readonly machines: readonly FoundMachine[];
  /** Why the others of the same places are left out, by id. */
  readonly leftOut: ReadonlyMap<string, string>;
} {
  const machines: FoundMachine[] = [];
  const leftOut = new Map<string, string>();
  const take = (id: string, definition: JsonObject, input?: Json): void => {
    const reason = reasonAgainst(definition);
    if (reason === null) machines.push(answered(id, definition, input));
    else leftOut.set(id, reason);
  };
  for (const { id, definition } of [...shippedMachines(), ...awsSamples(), ...validatorCases()]) {
    take(id, definition);
  }
  for (const { id, definition, input } of recordedMachines()) take(id, definition, input);
  for (let seed = seeds.from; seed < seeds.from + seeds.count; seed++) {
    machines.push({ id: `generated ${seed}`, ...generateMachine(seed, { confluent: true }) });
  }
  return { machines, leftOut };
}

function reasonAgainst(definition: JsonObject): string | null {
  const found = validateParsed(definition, { type: 'STANDARD', strict: false });
  const error = found.find(({ severity }) => severity === 'ERROR');
  if (error !== undefined) return `not valid: ${error.message}`;
  // Somebody has to poll for them; the worlds of the simulation do.
  if (JSON.stringify(definition).includes(':activity:')) return 'polls for activities';
  return null;
}

function answered(id: string, definition: JsonObject, input?: Json): FoundMachine {
  return {
    id,
    definition,
    input: input ?? plausibleInput(definition),
    script: () => plausibleSteps(definition),
    items: (call) => answerTo(defaultResponder(definition), call) as Json,
  };
}

/** For one run: an attempt is known by its key. */
function plausibleSteps(definition: JsonObject): Scripting {
  const responder = defaultResponder(definition);
  const known = new Map<string, Step>();
  return (resource, parameters, { task, idempotencyKey, taskToken }) => {
    const before = known.get(idempotencyKey);
    if (before !== undefined) return before;
    const output = answerTo(responder, {
      kind: 'task',
      state: task.stateName,
      resource: parseResource(resource),
      input: parameters,
      attempt: task.attempt,
      invocation: 0,
      scopes: task.scopes ?? [],
      executionArn: task.executionArn as ExecutionArn,
      stateMachineName: task.stateMachineName,
      at: 0 as Call['at'],
    });
    const byToken = taskToken !== undefined && taskToken !== null;
    const step: Step = byToken ? { do: 'callback', output, afterMs: 1_000 } : { do: 'ok', output };
    known.set(idempotencyKey, step);
    return step;
  };
}

function answerTo(responder: ReturnType<typeof defaultResponder>, call: Call): Json {
  const answer = responder.answer(call) as Answer | null;
  return answer !== null && 'return' in answer ? answer.return : null;
}

interface Recorded {
  readonly id: string;
  readonly steps: readonly {
    readonly op?: string;
    readonly params?: { readonly definition?: string; readonly input?: string };
  }[];
}

interface Sample {
  readonly id: string;
  readonly definition: JsonObject;
  readonly input?: Json;
}

function validatorCases(): readonly Sample[] {
  return (read('definitions/validator-cases.json') ?? []) as readonly Sample[];
}

/** Each machine of the recorded cases with the input that the case starts it with. */
function recordedMachines(): readonly Sample[] {
  const seen = new Set<string>();
  const found: Sample[] = [];
  for (const file of filesOf('conformance/cases/')) {
    for (const { id, steps } of read(`conformance/cases/${file}`) as readonly Recorded[]) {
      const input = steps.find(({ op }) => op === 'StartExecution')?.params?.input ?? '{}';
      for (const { params } of steps) {
        const text = params?.definition;
        if (text === undefined || seen.has(text + input)) continue;
        seen.add(text + input);
        const [definition, value] = [parsed(text), parsed(input)];
        if (isObject(definition) && value !== undefined)
          found.push({ id, definition, input: value });
      }
    }
  }
  return found;
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

function filesOf(folder: string): readonly string[] {
  try {
    return readdirSync(new URL(folder, SHARED)).sort();
  } catch {
    return [];
  }
}

function read(file: string): unknown {
  try {
    return JSON.parse(readFileSync(new URL(file, SHARED), 'utf8'));
  } catch {
    return null;
  }
}
