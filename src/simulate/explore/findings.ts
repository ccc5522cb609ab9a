/**
 * What the runs and the definition show to be wrong or worth knowing, each with a candidate that leads
 * there. What depends on an input or a result that nobody has shown us is never called an error.
 */
import { lintReachability } from '../../core/validate/lint.js';
import { survey } from '../../core/validate/walk.js';
import { under } from '../../core/validate/site.js';
import { placeId } from '../coverage/places.js';
import type { Simulation } from '../simulate.js';
import { type Candidate, withOverride } from './candidate.js';
import { type Finding, pointerOf, type Severity } from './finding.js';
import { growthFindings } from './growth.js';
import { loopFindings } from './loops.js';
import { leadsTo, statesCutOff } from './transitions.js';
import { smallest } from './scripts.js';
import type { Origin } from './origins.js';
import { outcomesOf } from './outcomes.js';
import { isOfData, readsOf } from './repairs.js';
import type { Search, Trial } from './search.js';
import { type Sighting, sightingsOf } from './sightings.js';

const RANK: readonly Severity[] = ['error', 'warning', 'info'];

/** Errors first, then in the order of the definition. */
export async function findingsOf(search: Search): Promise<readonly Finding[]> {
  const found = [
    ...unreachable(search),
    ...contradictions(search),
    ...missingFields(search),
    ...loopFindings(search),
    ...unmatched(search),
    ...(await unhandled(search)),
    ...growthFindings(search),
    ...neverReached(search),
  ];
  // The first of several alike: it is the shortest way there.
  const unique = new Map(
    found.toReversed().map((one) => [`${one.code} ${one.location} ${one.message}`, one]),
  );
  const ordered = found.filter((one) => [...unique.values()].includes(one));
  return minimised(
    search,
    ordered.sort((a, b) => RANK.indexOf(a.severity) - RANK.indexOf(b.severity)),
  );
}

/** With the least input and the fewest mocks that still show it, as far as the time goes. */
async function minimised(
  search: Search,
  findings: readonly Finding[],
): Promise<readonly Finding[]> {
  const done: Finding[] = [];
  for (const finding of findings) {
    const { script, severity, shows } = finding;
    const isWorth = script !== null && shows !== undefined && severity !== 'info';
    done.push(
      isWorth && !search.isLate()
        ? { ...finding, script: await smallest(search, script, shows) }
        : finding,
    );
  }
  return done;
}

function unreachable({ options }: Search): readonly Finding[] {
  const { scopes } = survey(options.definition, { type: options.type, strict: false });
  return scopes.flatMap(lintReachability).map(({ location, message, hint }) => ({
    code: 'EX_UNREACHABLE_STATE',
    severity: 'error' as const,
    message,
    mend: hint ?? null,
    state: /"(.*)"$/.exec(message)?.[1] ?? null,
    location,
    script: null,
  }));
}

function contradictions({ proofs, report }: Search): readonly Finding[] {
  return report.places.flatMap(({ hits, id, pointer, state, title }): Finding[] => {
    const because = proofs.contradictions.get(id);
    if (hits > 0 || because === undefined) return [];
    const finding = {
      code: 'EX_CONTRADICTION',
      severity: 'error' as const,
      message: `${title} can never be taken: ${because}`,
      mend: 'Rules are asked in order: an earlier one takes every value, or the conditions exclude each other.',
      state,
      location: pointer,
      script: null,
    };
    return [finding];
  });
}

/** References to members that the definition itself leaves out on the way. */
function missingFields(search: Search): readonly Finding[] {
  const found: Finding[] = [];
  for (const trial of search.trials) {
    for (const sighting of trial.sightings) {
      if (!isOfData(sighting)) continue;
      for (const { field, origin, text, value } of readsOf(sighting)) {
        const writer = value === undefined ? writerWithout(origin) : null;
        if (writer === null || writer === sighting || !isToBlame(text, sighting)) continue;
        found.push({
          code: 'EX_MISSING_FIELD',
          severity: 'error',
          message: `${sighting.name} reads ${text}, but ${writer.name} before it makes data that has no such member`,
          mend: `Add it to what ${writer.name} passes on, or read another path.`,
          state: sighting.name,
          location: under(pointerOf(search, sighting.name) ?? '', field),
          script: trial.candidate,
          shows: ({ cause, status }) =>
            status === 'FAILED' && cause?.includes(`state '${sighting.name}'`) === true,
        });
      }
    }
  }
  return found;
}

/** What is not there may be asked for without harm: only what the failure names counts. */
function isToBlame(text: string, { failure, state }: Sighting): boolean {
  const named = state.flow.language === 'JSONata' ? text.slice(2, -2).trim() : `'${text}'`;
  return failure?.cause?.includes(named) === true;
}

function writerWithout(origin: Origin): Sighting | null {
  return origin.from === 'nowhere' ? origin.sighting : null;
}

function unmatched(search: Search): readonly Finding[] {
  const no = /does not point to a next state/;
  const trial = search.everyTrial.find(({ run }) => no.test(run.cause ?? ''));
  const choice = trial?.sightings.find(
    ({ exit }) => exit?.by === 'failure' && no.test(exit.failure.cause ?? ''),
  );
  if (trial === undefined || choice === undefined) return [];
  const finding: Finding = {
    code: 'EX_NO_RULE_MATCHES',
    severity: 'warning',
    message: `${choice.name} has no Default: input that fits no rule ends the execution, and nothing can catch that`,
    mend: 'Add "Default" with the state to go to when no rule matches.',
    state: choice.name,
    location: pointerOf(search, choice.name),
    script: trial.candidate,
    shows: (run) => no.test(run.cause ?? ''),
  };
  return [finding];
}

/** Every task with every way to fail: which of them end the execution, or leave it waiting. */
async function unhandled(search: Search): Promise<readonly Finding[]> {
  const found: Finding[] = [];
  for (const [trial, sighting] of firstSightings(search, 'Task')) {
    const call = sighting.calls[0];
    if (call === undefined) continue;
    for (const { error, outcome, title } of outcomesOf(sighting.state.definition)) {
      if (search.isOver()) return found;
      const override = {
        state: sighting.name,
        call: `${call.invocation}+` as const,
        kind: 'task' as const,
        outcome,
      };
      const candidate = withOverride(
        { ...trial.candidate, aim: `${sighting.name}: ${title}` },
        override,
      );
      const run = (await search.attempt(candidate))?.run ?? (await search.play(candidate));
      const finding = unhandledFinding(search, sighting, error, title, run, candidate);
      if (finding !== null) found.push(finding);
    }
  }
  return found;
}

function unhandledFinding(
  search: Search,
  { name }: Sighting,
  error: string,
  title: string,
  run: Simulation,
  script: Candidate,
): Finding | null {
  const place = { state: name, location: pointerOf(search, name), script };
  if (run.status === 'RUNNING') {
    return {
      ...place,
      code: 'EX_WAITS_FOR_EVER',
      severity: 'warning',
      message: `${name} waits for ever when ${title}`,
      mend: 'Add HeartbeatSeconds or TimeoutSeconds, and catch States.Timeout.',
      shows: ({ status }) => status === 'RUNNING',
    };
  }
  const seen = sightingsOf(run, search.machine).findLast((one) => one.name === name);
  if (run.status === 'SUCCEEDED' || seen === undefined || isHandled(seen)) return null;
  const what = error.startsWith('Explore.') ? 'an error that it does not foresee' : error;
  return {
    ...place,
    code: 'EX_UNHANDLED_ERROR',
    severity: 'warning',
    message: `${name} fails with ${what}: nothing catches it, and the execution ends ${run.status} with ${run.error}`,
    mend: `Add a Catch for ${error.startsWith('Explore.') ? 'States.ALL' : error} to ${name}, or to the state around it.`,
    shows: ({ error: seen, status }) => status === run.status && seen === run.error,
  };
}

/** By a catcher of its own, or of a state around it. */
function isHandled(sighting: Sighting): boolean {
  for (let at: Sighting | null = sighting; at !== null; at = at.parent) {
    if (at.exit?.by !== 'failure') return true;
  }
  return false;
}

/** The first stay in every state of a kind over all runs. */
function firstSightings(search: Search, kind: string): readonly (readonly [Trial, Sighting])[] {
  const found = new Map<string, readonly [Trial, Sighting]>();
  for (const trial of search.trials) {
    for (const one of trial.sightings) {
      if (one.state.kind === kind && !found.has(one.name)) found.set(one.name, [trial, one]);
    }
  }
  return [...found.values()];
}

function neverReached(search: Search): readonly Finding[] {
  const { options, proofs, report } = search;
  const { scopes } = survey(options.definition, { type: options.type, strict: false });
  const known = new Set(scopes.flatMap(lintReachability).map(({ location }) => location));
  const cutOff = statesCutOff(options.definition, new Set(proofs.contradictions.keys()));
  return report.places
    .filter(
      ({ hits, id, kind }) => hits === 0 && kind !== 'transition' && !proofs.contradictions.has(id),
    )
    .filter(({ pointer }) => !known.has(pointer))
    .map(({ id, kind, pointer, state, title }) => {
      const place = {
        state: id === placeId('state', state) ? state : null,
        location: pointer,
        script: null,
      };
      if (kind === 'state' && cutOff.has(state)) {
        return {
          ...place,
          code: 'EX_UNREACHABLE_STATE',
          severity: 'error' as const,
          message: `no input leads to ${state}: every way there goes through a rule that never holds`,
          mend: 'Mend the rules, or remove the state.',
        };
      }
      const before = stopsBefore(search, state);
      return {
        ...place,
        code: 'EX_NOT_REACHED',
        severity: 'info' as const,
        message: `no run reached ${title}${before === null ? '' : `; every run that comes near stops at ${before}`}`,
        mend: 'It may need data that explore cannot make up: give --input or --mocks, or more with --max-paths.',
      };
    });
}

/** A state on the way to this one that no run has left. */
function stopsBefore({ options, report, trials }: Search, state: string): string | null {
  const stuck = report.places.find(
    (place) =>
      place.kind === 'transition' &&
      place.hits === 0 &&
      place.state !== state &&
      leadsTo(options.definition, place.state, state) &&
      trials.some(({ sightings }) => sightings.some(({ name }) => name === place.state)),
  );
  return stuck?.state ?? null;
}
