/** Loops: those that nothing leads out of, and how far the others get before the history is full. */
import { MAX_HISTORY_EVENTS } from '../../core/limits.js';
import { innerBlocks, statesOf } from '../machine-states.js';
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { type Finding, pointerOf } from './finding.js';
import { EXPLORED_EVENTS, type Search, type Trial } from './search.js';

export function loopFindings(search: Search): readonly Finding[] {
  const closed = blocksOf(search.options.definition).flatMap(cyclesOf);
  const endless = closed
    .filter(({ hasExit }) => !hasExit)
    .map(({ states }) => noExit(search, states));
  const open = closed.filter(({ hasExit }) => hasExit);
  return [...endless, ...open.flatMap(({ states }) => longLoop(search, states))];
}

/** Loops of every block, each as the names of its states. */
export function loopsOf(definition: JsonObject): readonly (readonly string[])[] {
  return blocksOf(definition)
    .flatMap(cyclesOf)
    .map(({ states }) => states);
}

interface Cycle {
  readonly states: readonly string[];
  readonly hasExit: boolean;
}

function blocksOf(block: JsonObject): readonly JsonObject[] {
  return [
    block,
    ...statesOf(block).flatMap(({ definition }) =>
      innerBlocks(definition).map(([, inner]) => inner),
    ),
  ];
}

/** Strongly connected states of one block, and whether anything leads out of them. */
function cyclesOf(block: JsonObject): readonly Cycle[] {
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

function noExit(search: Search, states: readonly string[]): Finding {
  const [first = ''] = states;
  const trial = search.everyTrial.find(({ run }) => run.pathTaken.includes(first));
  return {
    code: 'EX_ENDLESS_LOOP',
    severity: 'error',
    message: `nothing leads out of the loop ${states.join(' → ')}: it goes on until its history is full (${MAX_HISTORY_EVENTS} events)`,
    mend: 'Add a Choice with a way out, or an End.',
    state: first,
    location: pointerOf(search, first),
    script: trial?.candidate ?? null,
    shows: ({ cause }) => isFull(cause),
  };
}

/** A run that went round until the explored history was full, and what that means on AWS. */
function longLoop(search: Search, states: readonly string[]): readonly Finding[] {
  const [first = ''] = states;
  const trial = search.everyTrial.find(
    ({ run }) => isFull(run.cause) && run.pathTaken.filter((name) => name === first).length > 10,
  );
  if (trial === undefined) {
    const round = roundsOf(search, first);
    return round === null ? [] : [growth(search, states, round)];
  }
  const rounds = trial.run.pathTaken.filter((name) => name === first).length;
  const perRound = Math.max(1, Math.round(EXPLORED_EVENTS / rounds));
  const most = Math.floor(MAX_HISTORY_EVENTS / perRound);
  const perTime = Math.round(trial.run.tookMs / rounds / 1000);
  const finding: Finding = {
    code: 'EX_LOOP_WITHOUT_BOUND',
    severity: 'warning',
    message:
      `the loop ${states.join(' → ')} goes on as long as its condition stays: each round writes about ${perRound} events, ` +
      `so the execution fails after about ${most} rounds (${perTime} s each)`,
    mend: 'Count the rounds and leave after the last one, or let the service call back (.sync, .waitForTaskToken).',
    state: first,
    location: pointerOf(search, first),
    script: trial.candidate,
    shows: ({ cause }) => isFull(cause),
  };
  return [finding];
}

function roundsOf(
  search: Search,
  first: string,
): { readonly trial: Trial; readonly events: number } | null {
  for (const trial of search.trials) {
    const ids = trial.run.history.flatMap((event) => {
      const { name } = (event.details ?? {}) as { readonly name?: string };
      return event.type.endsWith('StateEntered') && name === first ? [event.id] : [];
    });
    const [one, two] = ids;
    if (one !== undefined && two !== undefined) return { trial, events: two - one };
  }
  return null;
}

function growth(
  search: Search,
  states: readonly string[],
  { events, trial }: { readonly trial: Trial; readonly events: number },
): Finding {
  const [first = ''] = states;
  const most = Math.floor(MAX_HISTORY_EVENTS / Math.max(1, events));
  return {
    code: 'EX_HISTORY_GROWTH',
    severity: 'info',
    message: `each round of ${states.join(' → ')} writes ${events} events: ${most} rounds fill a history`,
    mend: null,
    state: first,
    location: pointerOf(search, first),
    script: trial.candidate,
    shows: ({ pathTaken }) => pathTaken.filter((name) => name === first).length > 1,
  };
}

function isFull(cause: string | null): boolean {
  return /maximum number of history events/.test(cause ?? '');
}
