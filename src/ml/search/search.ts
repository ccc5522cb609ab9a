/**
 * A search as plain data that travels through a state machine: the trials of the current rung and what
 * comes after. Grid and random searches have one rung. Successive halving (Jamieson and Talwalkar 2016)
 * gives many trials little of a resource, keeps the best 1/factor, and gives those factor times more.
 */
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { gridOf, parseSpace, randomPoints, SearchError } from './space.js';

export type SearchStrategy = 'grid' | 'random' | 'halving';

export interface SearchOptions {
  readonly space: JsonObject;
  readonly strategy: SearchStrategy;
  /** How many trials random and halving draw. */
  readonly trials: number;
  readonly seed: number;
  /** Hyperparameters that every trial has. */
  readonly base: JsonObject;
  readonly halving: Halving;
}

export interface Halving {
  /** The hyperparameter that is the resource. */
  readonly resource: string;
  readonly minimum: number;
  readonly maximum: number;
  readonly factor: number;
}

export interface Trial {
  /** `t-001`, … */
  readonly trial: string;
  readonly hyperparameters: JsonObject;
}

export interface Rung {
  readonly trials: number;
  /** Value of the resource; null where there is none. */
  readonly resource: number | null;
}

export interface Search {
  readonly strategy: SearchStrategy;
  readonly seed: number;
  /** The plan; the trials below are those of `rungs[rung]`. */
  readonly rungs: readonly Rung[];
  readonly rung: number;
  readonly resource: string | null;
  readonly trials: readonly Trial[];
}

/** A Map's input and results must fit a state's 256 KiB. */
export const MAX_TRIALS = 500;
export const HALVING: Halving = { resource: 'epochs', minimum: 1, maximum: 9, factor: 3 };

/** Throws SearchError. */
export function startSearch(options: SearchOptions): Search {
  const { strategy, seed } = options;
  const dimensions = parseSpace(options.space);
  const halves = strategy === 'halving';
  if (halves && dimensions.some(({ name }) => name === options.halving.resource)) {
    throw new SearchError(
      `space/${options.halving.resource}: it is the resource of the halving and cannot be searched`,
    );
  }
  const points =
    strategy === 'grid'
      ? gridOf(dimensions, MAX_TRIALS)
      : randomPoints(dimensions, options.trials, seed);
  const rungs = halves
    ? rungsOf(points.length, options.halving)
    : [{ trials: points.length, resource: null }];
  const trials = points.map((point, index) => ({
    trial: `t-${String(index + 1).padStart(3, '0')}`,
    hyperparameters: { ...options.base, ...point },
  }));
  const resource = halves ? options.halving.resource : null;
  const search = { strategy, seed, rungs, rung: 0, resource, trials };
  return { ...search, trials: withResource(search, trials) };
}

/** Rungs until the resource is at its maximum or one trial is left. */
export function rungsOf(trials: number, halving: Halving): Rung[] {
  const { minimum, maximum, factor } = halving;
  if (!(minimum > 0) || maximum < minimum || !(factor > 1)) {
    throw new SearchError('halving: it needs 0 < minimum <= maximum and a factor above 1');
  }
  const rungs: Rung[] = [];
  for (let index = 0; ; index++) {
    const resource = Math.min(maximum, Math.round(minimum * factor ** index));
    const left = Math.max(1, Math.floor(trials / factor ** index));
    rungs.push({ trials: left, resource });
    if (resource >= maximum || left === 1) return rungs;
  }
}

function withResource(search: Search, trials: readonly Trial[]): Trial[] {
  const { resource, rungs, rung } = search;
  if (resource === null) return [...trials];
  const value = rungs[rung]?.resource as Json;
  return trials.map(({ trial, hyperparameters }) => ({
    trial,
    hyperparameters: { ...hyperparameters, [resource]: value },
  }));
}

export interface Ranked extends Trial {
  readonly score: number;
}

export interface Selection {
  readonly best: Ranked;
  /** Best first. */
  readonly leaderboard: readonly Ranked[];
  readonly failed: readonly { readonly trial: string; readonly reason: string }[];
  /** The search with the trials of the next rung; unchanged when it is done. */
  readonly search: Search | null;
  readonly done: boolean;
}

/**
 * Ranks the results of a rung: `{trial, metrics}` each, or `{trial, error}` of one that failed. A
 * result without the metric counts as failed, never as a score. Equal scores keep the order of the
 * trials. Throws SearchError when no trial has a score.
 */
export function selectBest(
  results: readonly Json[],
  metric: string,
  direction: 'maximize' | 'minimize',
  search: Search | null,
): Selection {
  const ranked: Ranked[] = [];
  const failed: { trial: string; reason: string }[] = [];
  results.forEach((entry, index) => {
    const result = isObject(entry) ? entry : {};
    const trial = trialOf(getOwn(result, 'trial'), index);
    const score = scoreAt(getOwn(result, 'metrics'), metric);
    if (score !== null) ranked.push({ ...trial, score });
    else failed.push({ trial: trial.trial, reason: reasonOf(result, metric) });
  });
  const sign = direction === 'maximize' ? -1 : 1;
  const leaderboard = ranked
    .map((entry, index) => ({ entry, index }))
    .sort((a, b) => sign * (a.entry.score - b.entry.score) || a.index - b.index)
    .map(({ entry }) => entry);
  const best = leaderboard[0];
  if (best === undefined) {
    const first = failed[0];
    const why = first === undefined ? 'there are no results' : `${first.trial}: ${first.reason}`;
    throw new SearchError(`results: no trial has a score; ${why}`);
  }
  const next = search === null ? null : nextRung(search, leaderboard);
  return { best, leaderboard, failed, search: next ?? search, done: next === null };
}

function nextRung(search: Search, leaderboard: readonly Ranked[]): Search | null {
  const rung = search.rung + 1;
  const plan = search.rungs[rung];
  if (plan === undefined) return null;
  const next = { ...search, rung };
  const kept = leaderboard.slice(0, plan.trials);
  return { ...next, trials: withResource(next, kept) };
}

function trialOf(value: Json | undefined, index: number): Trial {
  const trial = isObject(value) ? value : {};
  const name = typeof value === 'string' ? value : getOwn(trial, 'trial');
  const hyperparameters = getOwn(trial, 'hyperparameters');
  return {
    trial: typeof name === 'string' ? name : `t-${String(index + 1).padStart(3, '0')}`,
    hyperparameters: isObject(hyperparameters) ? hyperparameters : {},
  };
}

function scoreAt(metrics: Json | undefined, metric: string): number | null {
  let value: Json | undefined = metrics;
  for (const name of metric.split('.')) {
    value = isObject(value) ? getOwn(value, name) : undefined;
  }
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function reasonOf(result: JsonObject, metric: string): string {
  const error = getOwn(result, 'error');
  if (!isObject(error)) return `the result has no metric "${metric}"`;
  const [name, cause] = [getOwn(error, 'Error'), getOwn(error, 'Cause')];
  return `${String(name ?? 'failed')}: ${String(cause ?? '')}`.slice(0, 500);
}

/** A search that came back through a machine. Throws SearchError when it is none. */
export function readSearch(value: Json | undefined): Search | null {
  if (value === undefined || value === null) return null;
  const valid =
    isObject(value) &&
    isArray(value.rungs) &&
    value.rungs.every((rung) => isObject(rung) && typeof rung.trials === 'number') &&
    typeof value.rung === 'number';
  if (!valid) throw new SearchError('search: it must be the result of ml:search-space');
  return value as unknown as Search;
}
