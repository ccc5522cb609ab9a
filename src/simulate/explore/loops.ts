/** Loops: those that nothing leads out of, and how far the others get before the history is full. */
import { MAX_HISTORY_EVENTS } from '../../core/limits.js';
import { type Finding, pointerOf } from './finding.js';
import { blocksOf, cyclesOf } from './transitions.js';
import { EXPLORED_EVENTS, type Search, type Trial } from './search.js';

export function loopFindings(search: Search): readonly Finding[] {
  const closed = blocksOf(search.options.definition).flatMap(cyclesOf);
  const endless = closed
    .filter(({ hasExit }) => !hasExit)
    .map(({ states }) => noExit(search, states));
  const open = closed.filter(({ hasExit }) => hasExit);
  return [...endless, ...open.flatMap(({ states }) => longLoop(search, states))];
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

/** Events between two stays of one frame in the state. */
function roundsOf(
  search: Search,
  first: string,
): { readonly trial: Trial; readonly events: number } | null {
  for (const trial of search.trials) {
    const before = new Map<string, number>();
    for (const fact of trial.run.facts) {
      if (fact.type !== 'StateEntered' || fact.name !== first) continue;
      const id = fact.event?.id ?? 0;
      const last = before.get(fact.frame);
      if (last !== undefined) return { trial, events: id - last };
      before.set(fact.frame, id);
    }
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
