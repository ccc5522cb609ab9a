/** The graph of a machine: what leads where, loops, and what is left when some arms are never taken. */
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { placeId } from '../coverage/places.js';
import { innerBlocks, statesOf } from '../machine-states.js';

/** Loops of every block, each as the names of its states. */
export function loopsOf(definition: JsonObject): readonly (readonly string[])[] {
  return blocksOf(definition)
    .flatMap(cyclesOf)
    .map(({ states }) => states);
}

/** Whether transitions lead from one state to another of its block, or into a block of such a state. */
export function leadsTo(definition: JsonObject, from: string, to: string): boolean {
  return blocksOf(definition).some((block) => {
    const states = getOwn(block, 'States');
    if (!isObject(states) || !Object.hasOwn(states, from)) return false;
    const next = new Map(
      Object.keys(states).map((name) => [name, targetsOf(getOwn(states, name))]),
    );
    return [...reachableFrom(from, next)].some((name) => {
      const state = getOwn(states, name);
      const inner = isObject(state) ? innerBlocks(state).flatMap(([, one]) => statesOf(one)) : [];
      return name === to || inner.some((one) => one.name === to);
    });
  });
}

/** States that only arms which can never be taken lead to. `arms`: ids of such places. */
export function statesCutOff(
  definition: JsonObject,
  arms: ReadonlySet<string>,
): ReadonlySet<string> {
  const found = new Set<string>();
  if (arms.size === 0) return found;
  const visit = (block: JsonObject, isCut: boolean): void => {
    const states = getOwn(block, 'States');
    if (!isObject(states)) return;
    const next = new Map(
      Object.keys(states).map((name) => [
        name,
        targetsOf(withoutArms(getOwn(states, name), name, arms)),
      ]),
    );
    const start = String(getOwn(block, 'StartAt'));
    const reached = reachableFrom(start, next);
    for (const name of Object.keys(states)) {
      const isGone = isCut || (name !== start && !reached.has(name));
      if (isGone) found.add(name);
      const state = getOwn(states, name);
      if (isObject(state)) for (const [, inner] of innerBlocks(state)) visit(inner, isGone);
    }
  };
  visit(definition, false);
  return found;
}

function withoutArms(
  state: Json | undefined,
  name: string,
  arms: ReadonlySet<string>,
): Json | undefined {
  const rules = isObject(state) ? getOwn(state, 'Choices') : undefined;
  if (!isObject(state) || !isArray(rules)) return state;
  return {
    ...state,
    Choices: rules.filter((_, index) => !arms.has(placeId('choice', name, index))),
  };
}

export interface Cycle {
  readonly states: readonly string[];
  readonly hasExit: boolean;
}

export function blocksOf(block: JsonObject): readonly JsonObject[] {
  return [
    block,
    ...statesOf(block).flatMap(({ definition }) =>
      innerBlocks(definition).map(([, inner]) => inner),
    ),
  ];
}

/** Strongly connected states of one block, and whether anything leads out of them. */
export function cyclesOf(block: JsonObject): readonly Cycle[] {
  const states = getOwn(block, 'States');
  if (!isObject(states)) return [];
  const names = Object.keys(states);
  const next = new Map(names.map((name) => [name, targetsOf(getOwn(states, name))]));
  const reach = new Map(names.map((name) => [name, reachableFrom(name, next)]));
  const seen = new Set<string>();
  return names.flatMap((name) => {
    if (seen.has(name) || reach.get(name)?.has(name) !== true) return [];
    const members = names.filter(
      (other) => reach.get(name)?.has(other) === true && reach.get(other)?.has(name) === true,
    );
    for (const member of members) seen.add(member);
    const hasExit = members.some((member) =>
      canLeave(getOwn(states, member), members, next.get(member) ?? []),
    );
    return [{ states: members, hasExit }];
  });
}

function canLeave(
  state: Json | undefined,
  members: readonly string[],
  targets: readonly string[],
): boolean {
  if (!isObject(state)) return true;
  if (targets.some((target) => !members.includes(target))) return true;
  // A Choice without Default fails in the end; a task's error ends the run, but that is no way out.
  return (
    getOwn(state, 'End') === true || ['Succeed', 'Fail'].includes(String(getOwn(state, 'Type')))
  );
}

function targetsOf(state: Json | undefined): readonly string[] {
  if (!isObject(state)) return [];
  const isChoice = getOwn(state, 'Type') === 'Choice';
  const rules = [getOwn(state, 'Choices'), getOwn(state, 'Catch')].flatMap((list) =>
    isArray(list) ? list.filter(isObject) : [],
  );
  const targets = [
    ...(isChoice ? [] : [getOwn(state, 'Next')]),
    getOwn(state, 'Default'),
    ...rules.map((rule) => getOwn(rule, 'Next')),
  ];
  return targets.filter((target): target is string => typeof target === 'string');
}

function reachableFrom(
  name: string,
  next: ReadonlyMap<string, readonly string[]>,
): ReadonlySet<string> {
  const found = new Set<string>();
  const open = [...(next.get(name) ?? [])];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (found.has(at)) continue;
    found.add(at);
    open.push(...(next.get(at) ?? []));
  }
  return found;
}
