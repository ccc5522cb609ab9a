/** What a run shows to be within reach, and candidates that should reach it. */
import { getOwn, type JsonObject } from '../../lib/json.js';
import { placeId } from '../coverage/places.js';
import { type Arm, solveArm } from './arms.js';
import { type Candidate, withOverride } from './candidate.js';
import { edited } from './edits.js';
import { leadsTo } from './transitions.js';
import { itemsOrigin } from './origins.js';
import { namesIn, outcomeFor, rulesOf, UNFORESEEN } from './outcomes.js';
import { isOfData, repairs } from './repairs.js';
import { originOfSlot } from './slots.js';
import type { Sighting } from './sightings.js';

export interface Goal {
  /** Place of the coverage that it wants, or a name of its own. */
  readonly id: string;
  /** It is worth running even if the place is covered: sizes of Maps, for instance. */
  readonly once: boolean;
  /** A run that fails later than before is worth more than other tries. */
  readonly stepwise?: boolean;
  readonly candidates: () => Promise<readonly Candidate[]>;
}

export interface Proofs {
  readonly definition: JsonObject;
  /** Arms that no values lead to, by place. */
  readonly contradictions: Map<string, string>;
}

/** Our reason: stays of one state in one run differ less the more there are. */
const SIGHTINGS_PER_STATE = 3;
const MANY = 12;

export function goalsOf(
  base: Candidate,
  sightings: readonly Sighting[],
  proofs: Proofs,
): readonly Goal[] {
  const goals: Goal[] = [];
  for (const sighting of sample(sightings)) {
    switch (sighting.state.kind) {
      case 'Choice':
        goals.push(...armGoals(base, sighting, proofs));
        break;
      case 'Task':
        goals.push(...failureGoals(base, sighting, [sighting]));
        break;
      case 'Map':
      case 'Parallel': {
        const inner = sightings.filter((one) => isInside(one, sighting));
        goals.push(...failureGoals(base, sighting, [sighting, ...inner]));
        if (sighting.state.kind === 'Map') {
          goals.push(...sizeGoals(base, sighting), ...toleranceGoals(base, sighting, inner));
        }
        break;
      }
      default:
    }
    if (isOfData(sighting) && !failedInside(sighting)) goals.push(repairGoal(base, sighting));
  }
  return goals;
}

/** The first and the last stays of every state, in the order of the run. */
function sample(sightings: readonly Sighting[]): readonly Sighting[] {
  const byState = new Map<string, Sighting[]>();
  for (const one of sightings) byState.set(one.name, [...(byState.get(one.name) ?? []), one]);
  const kept = new Set<Sighting>();
  for (const own of byState.values()) {
    for (const one of own.slice(0, SIGHTINGS_PER_STATE - 1)) kept.add(one);
    kept.add(own.at(-1) as Sighting);
  }
  return sightings.filter((one) => kept.has(one));
}

function isInside(one: Sighting, around: Sighting): boolean {
  for (let at = one.parent; at !== null; at = at.parent) if (at === around) return true;
  return false;
}

/** A branch or iteration failed: that is where to mend. */
function failedInside({ lastOfChild }: Sighting): boolean {
  return [...lastOfChild.values()].some(({ exit }) => exit?.by === 'failure');
}

function armGoals(base: Candidate, sighting: Sighting, proofs: Proofs): readonly Goal[] {
  const { definition } = sighting.state;
  const fallback = typeof getOwn(definition, 'Default') === 'string' ? null : 'none';
  const arms: readonly Arm[] = [
    ...rulesOf(definition, 'Choices').map((_, index) => index),
    fallback,
  ];
  return arms.flatMap((arm) => {
    const id = placeId('choice', sighting.name, arm ?? 'Default');
    const goal = {
      id,
      once: arm === 'none',
      candidates: () => candidatesForArm(base, sighting, arm, proofs),
    };
    if (arm === 'none' || !isLoop(sighting, arm, proofs)) return [goal];
    // The same condition every time round: does anything end it?
    const again = async (): Promise<readonly Candidate[]> =>
      (await candidatesForArm(base, sighting, arm, proofs, true)).slice(0, 2);
    return [goal, { id: `loop ${id}`, once: true, candidates: again }];
  });
}

/** The arm leads back to the Choice. */
function isLoop({ name, state }: Sighting, arm: number | null, { definition }: Proofs): boolean {
  const rule = arm === null ? null : rulesOf(state.definition, 'Choices')[arm];
  const target = rule === null ? getOwn(state.definition, 'Default') : rule && getOwn(rule, 'Next');
  return typeof target === 'string' && (target === name || leadsTo(definition, target, name));
}

async function candidatesForArm(
  base: Candidate,
  sighting: Sighting,
  arm: Arm,
  proofs: Proofs,
  spread = false,
): Promise<readonly Candidate[]> {
  const id = placeId('choice', sighting.name, arm ?? 'Default');
  const solution = await solveArm(sighting, arm);
  if (solution.is === 'contradiction') proofs.contradictions.set(id, solution.because);
  if (solution.is !== 'found') return [];
  return solution.assignments.flatMap((assignments) =>
    assignments.reduce<readonly Candidate[]>(
      (made, { slot, value }) => {
        const origin = originOfSlot(sighting, slot);
        return made.flatMap((one) => edited(one, origin, value, spread)).slice(0, 24);
      },
      [{ ...base, aim: id }],
    ),
  );
}

/** Catchers and retriers of a state: by errors of its own calls, or of those inside it. */
function failureGoals(
  base: Candidate,
  sighting: Sighting,
  failing: readonly Sighting[],
): readonly Goal[] {
  const { definition } = sighting.state;
  const goals: Goal[] = [];
  for (const [index, retrier] of rulesOf(definition, 'Retry').entries()) {
    const names = namesIn(retrier);
    const once = placeId('retry', sighting.name, index);
    const used = placeId('exhausted', sighting.name, index);
    goals.push(failureGoal(base, once, names, failing, sighting, 'once'));
    goals.push(failureGoal(base, used, names, failing, sighting, 'always'));
  }
  for (const [index, catcher] of rulesOf(definition, 'Catch').entries()) {
    const id = placeId('catch', sighting.name, index);
    goals.push(failureGoal(base, id, namesIn(catcher), failing, sighting, 'always'));
  }
  return goals;
}

function failureGoal(
  base: Candidate,
  id: string,
  names: readonly string[],
  failing: readonly Sighting[],
  around: Sighting,
  how: 'once' | 'always',
): Goal {
  const candidates = async (): Promise<readonly Candidate[]> => {
    const found: Candidate[] = [];
    const wanted = names.includes('States.ALL') ? [UNFORESEEN, ...names] : names;
    for (const one of failing.filter(({ calls }) => calls.length > 0).slice(0, 8)) {
      const call = one.calls[0];
      if (call === undefined) continue;
      const kind = call.kind === 'item-reader' ? ('items' as const) : ('task' as const);
      for (const name of wanted.slice(0, 6)) {
        const { outcome } = outcomeFor(name, one.state.definition);
        const at = how === 'once' ? call.invocation : (`${call.invocation}+` as const);
        const override = { state: call.state, call: at, kind, outcome };
        found.push(withOverride({ ...base, aim: id }, override));
      }
    }
    if (around.state.kind === 'Map') {
      const origin = itemsOrigin(around, []);
      for (const value of ['text', {}, null]) {
        found.push(...edited({ ...base, aim: id }, origin, value));
      }
    }
    return [...found, ...repairs({ ...base, aim: id }, around).slice(0, 10)];
  };
  return { id, once: false, candidates };
}

/** No items, one, and many. */
function sizeGoals(base: Candidate, sighting: Sighting): readonly Goal[] {
  const { items } = sighting;
  const sample = items?.[0] ?? {};
  const origin = itemsOrigin(sighting, []);
  return [0, 1, MANY].map((size) => {
    const aim = `map ${sighting.name} with ${size} items`;
    return {
      id: aim,
      once: true,
      candidates: async () =>
        edited(
          { ...base, aim },
          origin,
          Array.from({ length: size }, () => sample),
        ).slice(0, 1),
    };
  });
}

/** One child of many fails: within the tolerance of a distributed Map, or above it. */
function toleranceGoals(
  base: Candidate,
  sighting: Sighting,
  inner: readonly Sighting[],
): readonly Goal[] {
  const { definition, mapRun } = sighting.state;
  const tolerates = Object.keys(definition).some((key) => key.startsWith('ToleratedFailure'));
  const call = inner.find(({ calls }) => calls.length > 0)?.calls[0];
  if (mapRun === undefined || !tolerates || call === undefined) return [];
  return [`${call.invocation}+` as const, call.invocation].map((at) => {
    const aim = `${sighting.name}: ${at === call.invocation ? 'one child fails' : 'all children fail'}`;
    const outcome = { throw: { error: UNFORESEEN, cause: 'thrown by explore' } };
    const override = { state: call.state, call: at, kind: 'task' as const, outcome };
    return {
      id: aim,
      once: true,
      candidates: async () => [withOverride({ ...base, aim }, override)],
    };
  });
}

function repairGoal(base: Candidate, sighting: Sighting): Goal {
  return {
    id: placeId('transition', sighting.name),
    once: false,
    stepwise: true,
    candidates: async () => repairs({ ...base, aim: `repair ${sighting.name}` }, sighting),
  };
}
