/**
 * Findings and coverage as scenario files for `stepwell test`: the smallest input and mocks that still
 * lead there, and what the run is expected to be.
 */
import type { Json, JsonObject } from '../../lib/json.js';
import { isArray, isObject } from '../../lib/json.js';
import { Coverage } from '../coverage/coverage.js';
import { ownJournals, type Simulation } from '../simulate.js';
import { type Candidate, mocksOf } from './candidate.js';
import type { Finding } from './finding.js';
import type { Search, Trial } from './search.js';

export interface Script {
  readonly name: string;
  readonly candidate: Candidate;
  readonly run: Simulation;
  /** Places of the coverage it is there for. */
  readonly reaches: readonly string[];
}

/** Our reason: minimising one script may cost so many runs. */
const MAX_RUNS = 24;

/** As few of the runs as reach all that was reached. */
export async function coverageScripts(search: Search): Promise<readonly Script[]> {
  const scripts: Script[] = [];
  const covered = new Set<string>();
  for (const trial of chosenTrials(search)) {
    const wanted = reachedBy(search, trial.run).filter((id) => !covered.has(id));
    if (wanted.length === 0) continue;
    const reaches = (run: Simulation): boolean => {
      const now = new Set(reachedBy(search, run));
      return run.status === trial.run.status && wanted.every((id) => now.has(id));
    };
    const candidate = await smallest(search, trial.candidate, reaches);
    const run = await search.play(candidate);
    for (const id of reachedBy(search, run)) covered.add(id);
    scripts.push({ name: titleOf(wanted), candidate, run, reaches: wanted });
  }
  return scripts;
}

export async function findingScripts(
  search: Search,
  findings: readonly Finding[],
): Promise<readonly Script[]> {
  const scripts: Script[] = [];
  for (const { code, message, script, shows } of findings) {
    if (script === null || shows === undefined) continue;
    const candidate = await smallest(search, script, shows);
    const run = await search.play(candidate);
    if (shows(run)) scripts.push({ name: `${code}: ${message}`, candidate, run, reaches: [] });
  }
  return scripts;
}

/** Greedy: always the run that adds most. */
function chosenTrials(search: Search): readonly Trial[] {
  const left = new Map(
    search.trials.map((trial) => [trial, new Set(reachedBy(search, trial.run))]),
  );
  const covered = new Set<string>();
  const chosen: Trial[] = [];
  for (;;) {
    let best: Trial | null = null;
    let most = 0;
    for (const [trial, ids] of left) {
      const gain = [...ids].filter((id) => !covered.has(id)).length;
      if (gain > most) [best, most] = [trial, gain];
    }
    if (best === null) return chosen;
    for (const id of left.get(best) ?? []) covered.add(id);
    chosen.push(best);
  }
}

function reachedBy({ options }: Search, run: Simulation): readonly string[] {
  const coverage = new Coverage(options.definition);
  coverage.add('run', ownJournals(run));
  return coverage.reachedIds();
}

/** Without every answer, and every member of the input, that it does without. */
export async function smallest(
  search: Search,
  candidate: Candidate,
  isEnough: (run: Simulation) => boolean,
): Promise<Candidate> {
  let best = candidate;
  let runs = 0;
  for (const smaller of smallerOnes(() => best)) {
    if (runs++ >= MAX_RUNS) break;
    if (isEnough(await search.play(smaller))) best = smaller;
  }
  return best;
}

function* smallerOnes(best: () => Candidate): Generator<Candidate> {
  yield { ...best(), input: {} };
  for (const override of [...best().overrides]) {
    const overrides = best().overrides.filter((one) => one !== override);
    yield { ...best(), overrides };
  }
  const { input } = best();
  if (!isObject(input)) return;
  for (const key of Object.keys(input)) {
    const now = best().input;
    if (!isObject(now)) return;
    const { [key]: _left, ...others } = now;
    yield { ...best(), input: others };
  }
}

function titleOf(ids: readonly string[]): string {
  const shown = ids.filter((id) => !id.startsWith('transition')).slice(0, 4);
  const more = ids.length > shown.length ? ` and ${ids.length - shown.length} more` : '';
  return `reaches ${shown.join(', ') || ids[0]}${shown.length === 0 ? '' : more}`;
}

export interface ScriptFile {
  readonly machine: string;
  readonly machines?: JsonObject;
  readonly type: 'STANDARD' | 'EXPRESS';
  readonly seed: number;
  /** A mock file of the user that was used, relative. */
  readonly mocks?: string;
}

/** The scenario file, as plain JSON. */
export function scenarioFile(scripts: readonly Script[], file: ScriptFile): JsonObject {
  const names = new Map<string, number>();
  return {
    ...(file as unknown as JsonObject),
    scenarios: scripts.map(({ candidate, name, run }) => {
      const times = (names.get(name) ?? 0) + 1;
      names.set(name, times);
      const mocks = mocksOf(candidate);
      return {
        name: times === 1 ? name : `${name} (${times})`,
        input: candidate.input,
        ...(Object.keys(mocks).length === 0 ? {} : { mocks }),
        expect: expectationsOf(run),
      };
    }),
  };
}

/** Enough to know that it went there again. */
function expectationsOf(run: Simulation): JsonObject {
  const path = run.pathTaken;
  return {
    status: run.status,
    ...(run.error === null ? {} : { error: run.error }),
    ...(isArray(path) && path.length > 0 && path.length <= 60
      ? {
          pathIncludes: path.filter(
            (name, index) => index === 0 || path[index - 1] !== name,
          ) as readonly Json[],
        }
      : {}),
  };
}
