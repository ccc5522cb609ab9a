/**
 * What tasks answered in a finished run, as a mock file that answers the same: by state, and inside
 * Maps by iteration; equal answers are said once. Durations are kept as virtual time.
 */
import type { Fact, FactOf } from '../../core/fact.js';
import { childIdentity } from '../../core/map-run.js';
import type { ExecutionArn } from '../../lib/brand.js';
import { canonicalJson, fromEntries, type Json, type JsonObject } from '../../lib/json.js';
import { projectHistory } from '../../wire/history.js';
import type { Answer } from '../call.js';
import { recordedForm } from '../replay/diff.js';
import { answersOf } from '../replay/responses.js';
import { statesOf } from '../machine-states.js';
import { formatDuration } from './durations.js';

export type Journals = ReadonlyMap<ExecutionArn, readonly Fact[]>;

interface Recorded {
  readonly iterations: readonly (readonly [string, number])[];
  readonly answer: JsonObject;
}

/**
 * `{states: {…}}` of our mock format; `main` is the execution, the others its Map Run children. With the
 * definition, what an ItemReader read is found again too, where the children got it as it was.
 */
export function recordMocks(
  journals: Journals,
  main: ExecutionArn,
  definition: JsonObject | null = null,
): JsonObject {
  const byState = new Map<string, Recorded[]>();
  for (const [arn, facts] of journals) {
    const around = iterationsOf(journals, arn, main);
    if (around === null) continue;
    for (const { state, place, answer } of answersIn(facts)) {
      const shown = shownAnswer(answer);
      if (shown === null) continue;
      const recorded = { iterations: [...around, ...parsePlace(place)], answer: shown };
      const known = byState.get(state);
      if (known === undefined) byState.set(state, [recorded]);
      else known.push(recorded);
    }
  }
  const states = [...byState].map(([state, recorded]) => [state, rulesOf(recorded)] as const);
  return { states: fromEntries([...states, ...itemsRead(journals, definition)]) };
}

/** The items of Map Runs with a reader, from the inputs of the children; not through a selector or batches. */
function itemsRead(
  journals: Journals,
  definition: JsonObject | null,
): readonly (readonly [string, Json])[] {
  if (definition === null) return [];
  const plain = statesOf(definition).filter(
    ({ definition: state }) =>
      state.ItemReader !== undefined &&
      !['ItemSelector', 'Parameters', 'ItemBatcher'].some((key) => Object.hasOwn(state, key)),
  );
  return plain.flatMap(({ name }) => {
    for (const facts of journals.values()) {
      const at = facts.findIndex((fact) => fact.type === 'StateEntered' && fact.name === name);
      const started = facts.slice(at).find((fact) => fact.type === 'MapRunStarted');
      if (at !== -1 && started?.type === 'MapRunStarted') {
        return [[name, { items: inputsOf(journals, started) }] as const];
      }
    }
    return [];
  });
}

function inputsOf(journals: Journals, { request }: FactOf<'MapRunStarted'>): readonly Json[] {
  const inputs = new Map<string, Json>();
  let parent: FactOf<'ExecutionStarted'>['identity'] | null = null;
  for (const facts of journals.values()) {
    const [first] = facts;
    if (first?.type !== 'ExecutionStarted') continue;
    if (first.identity.mapRunArn === request.mapRunArn)
      inputs.set(first.identity.name, first.input);
    const isParent = facts.some(
      (fact) => fact.type === 'MapRunStarted' && fact.request.mapRunArn === request.mapRunArn,
    );
    if (isParent) parent = first.identity;
  }
  const items: Json[] = [];
  for (let index = 0; parent !== null && index < inputs.size; index++) {
    const input = inputs.get(childIdentity(parent, request, index).name);
    if (input !== undefined) items.push(input);
  }
  return items;
}

function answersIn(facts: readonly Fact[]) {
  const events = recordedForm(projectHistory(facts));
  return answersOf({ source: 'journal', events, input: null, roleArn: null, startedAt: null });
}

/** The iterations of Map Runs that an execution is; null for one that is not of this run. */
function iterationsOf(
  journals: Journals,
  arn: ExecutionArn,
  main: ExecutionArn,
): readonly (readonly [string, number])[] | null {
  if (arn === main) return [];
  const first = journals.get(arn)?.[0];
  if (first?.type !== 'ExecutionStarted' || first.identity.mapRunArn === null) return null;
  for (const [parent, facts] of journals) {
    const at = facts.findIndex(
      (fact) =>
        fact.type === 'MapRunStarted' && fact.request.mapRunArn === first.identity.mapRunArn,
    );
    if (at === -1) continue;
    const started = facts[at] as FactOf<'MapRunStarted'>;
    const around = iterationsOf(journals, parent, main);
    const entered = facts
      .slice(0, at)
      .findLast((fact) => fact.type === 'StateEntered' && fact.frame === started.frame);
    const begun = facts[0] as FactOf<'ExecutionStarted'>;
    if (around === null || entered?.type !== 'StateEntered') return null;
    return [...around, [entered.name, indexOf(begun, started, first.identity.name, journals.size)]];
  }
  return null;
}

/** Children are named by their index: at most as many were started as there are journals. */
function indexOf(
  parent: FactOf<'ExecutionStarted'>,
  { request }: FactOf<'MapRunStarted'>,
  name: string,
  count: number,
): number {
  for (let index = 0; index < count; index++) {
    if (childIdentity(parent.identity, request, index).name === name) return index;
  }
  return -1;
}

function parsePlace(place: string): readonly (readonly [string, number])[] {
  if (place === '') return [];
  return [...place.matchAll(/(.+?)\[(\d+)\](?:\/|$)/g)].map(
    ([, state = '', index]) => [state, Number(index)] as const,
  );
}

/** The answer as a mock file says it; null when it never came because the run was over. */
function shownAnswer(answer: Answer): JsonObject | null {
  if ('unpolled' in answer) return { unpolled: true };
  if ('nested' in answer) return null;
  const timing = {
    ...('afterMs' in answer && answer.afterMs ? { after: formatDuration(answer.afterMs) } : {}),
    ...(answer.heartbeatEveryMs === undefined
      ? {}
      : { heartbeatEvery: formatDuration(answer.heartbeatEveryMs) }),
    ...(answer.submit === undefined ? {} : { submit: answer.submit }),
  };
  if ('hang' in answer) return { hang: true, ...timing };
  if ('return' in answer) return { return: answer.return, ...timing };
  const { error, cause = null } = answer.throw;
  return { throw: { error: error ?? 'States.TaskFailed', cause }, ...timing };
}

function rulesOf(recorded: readonly Recorded[]): Json {
  const groups = new Map<string, Recorded[]>();
  for (const one of recorded) {
    const key = JSON.stringify(one.iterations);
    const known = groups.get(key);
    if (known === undefined) groups.set(key, [one]);
    else known.push(one);
  }
  const rules = [...groups.values()].map((group) => ({
    iterations: (group[0] as Recorded).iterations,
    answers: answersOfGroup(group),
  }));
  const texts = new Set(rules.map(({ answers }) => canonicalJson(answers)));
  const [first] = rules;
  // Every iteration had the same: say it once, unless a sequence must begin anew in each.
  if (
    first !== undefined &&
    texts.size === 1 &&
    (rules.length === 1 || !('sequence' in first.answers))
  ) {
    return first.answers;
  }
  return rules.map(({ iterations, answers }) => ({ index: fromEntries(iterations), ...answers }));
}

function answersOfGroup(group: readonly Recorded[]): JsonObject {
  const runs: { answer: JsonObject; times: number }[] = [];
  for (const { answer } of group) {
    const last = runs.at(-1);
    if (last !== undefined && canonicalJson(last.answer) === canonicalJson(answer)) last.times++;
    else runs.push({ answer, times: 1 });
  }
  const [only, second] = runs;
  if (only !== undefined && second === undefined) return only.answer;
  return {
    sequence: runs.map(({ answer, times }) => (times === 1 ? answer : { ...answer, times })),
  };
}
