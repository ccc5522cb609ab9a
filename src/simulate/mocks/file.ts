/**
 * The mock file of our own:
 *   {default?: plausible|fail, states?: {<state>: rule(s)}, resources?: {<pattern>: rule(s)}}
 */
import { getOwn, isObject, type Json, type JsonObject } from '../../lib/json.js';
import type { Plan, ResourceRules, Rule } from './plan.js';
import { at, Problems, type FileProblem } from './problems.js';
import type { MockFunction } from './outcomes.js';
import { readRules } from './rules.js';

export interface ReadPlan {
  readonly plan: Plan;
  readonly warnings: readonly FileProblem[];
}

const KEYS = ['default', 'states', 'resources', 'module', 'comment', 'machine'];

/** Throws FileProblems that name every place. `pointer`: where in its file the plan stands. */
export function readMockFile(
  value: Json,
  source: string,
  functions: ReadonlyMap<string, MockFunction> = new Map(),
  pointer = '',
): ReadPlan {
  const problems = new Problems();
  const context = { problems, functions };
  if (!isObject(value)) problems.error(pointer, 'Must be an object with "states".');
  const file: JsonObject = isObject(value) ? value : {};
  problems.unknownKeys(file, KEYS, pointer);
  const fallback = getOwn(file, 'default') ?? 'plausible';
  if (fallback !== 'plausible' && fallback !== 'fail') {
    problems.error(at(pointer, 'default'), 'Must be "plausible" or "fail".');
  }
  const states = new Map<string, readonly Rule[]>();
  const pointers = new Map<string, string>();
  for (const [name, rules] of membersOf(file, 'states', pointer, problems)) {
    const place = at(at(pointer, 'states'), name);
    states.set(name, readRules(rules, place, context));
    pointers.set(name, place);
  }
  const resources: ResourceRules[] = [];
  for (const [pattern, rules] of membersOf(file, 'resources', pointer, problems)) {
    const place = at(at(pointer, 'resources'), pattern);
    resources.push({ pattern, pointer: place, rules: readRules(rules, place, context) });
  }
  problems.refuse(source);
  const plan = { source, states, pointers, resources, fallback: fallback as Plan['fallback'] };
  return { plan, warnings: problems.list };
}

function membersOf(
  file: JsonObject,
  key: string,
  pointer: string,
  problems: Problems,
): readonly (readonly [string, Json])[] {
  const value = getOwn(file, key);
  if (value === undefined) return [];
  if (isObject(value)) return Object.entries(value) as [string, Json][];
  problems.error(at(pointer, key), 'Must be an object.');
  return [];
}
