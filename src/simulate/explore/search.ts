/**
 * The search: runs candidates in the simulated world, keeps those that reach something new, and asks
 * each of them what else is within reach. Time is virtual, so a run costs milliseconds. The same
 * machine, input and seed make the same runs in the same order; only a time limit can cut them off.
 */
import { compileMachine } from '../../core/compiler.js';
import { AWS_LIMITS, type Limits } from '../../core/limits.js';
import type { Machine } from '../../core/machine.js';
import type { Json, JsonObject } from '../../lib/json.js';
import { Coverage, type CoverageReport } from '../coverage/coverage.js';
import type { Responder } from '../call.js';
import { defaultResponder, plausibleInput } from '../mocks/defaults.js';
import { nestedResponder } from '../nested.js';
import { ownJournals, type Simulation, simulate } from '../simulate.js';
import { type Candidate, keyOf, responderFor } from './candidate.js';
import { isOfData } from './repairs.js';
import { type Goal, goalsOf, type Proofs } from './goals.js';
import { type Sighting, sightingsOf } from './sightings.js';

export interface SearchOptions {
  readonly definition: JsonObject;
  /** Starts from it; made up from what the machine reads when undefined. */
  readonly input: Json | undefined;
  /** Answers of the user's mocks, made anew for every run. */
  readonly mocks?: () => Responder;
  readonly machines?: ReadonlyMap<string, string>;
  readonly type: 'STANDARD' | 'EXPRESS';
  /** Runs at most. */
  readonly maxPaths: number;
  /** Real milliseconds at most. */
  readonly timeLimitMs: number;
  readonly seed: number;
  readonly signal?: AbortSignal;
  readonly onTrial?: (trial: Trial, covered: number) => void;
}

/** One run and what it did. */
export interface Trial {
  /** `path 12`. */
  readonly name: string;
  readonly candidate: Candidate;
  readonly run: Simulation;
  readonly sightings: readonly Sighting[];
  /** Places that no run before it reached. */
  readonly isNew: readonly string[];
}

/** Loops that nothing ends are ended here; `findings` works out what AWS's limit would be. */
export const EXPLORED_EVENTS = 1500;
const LIMITS: Limits = { ...AWS_LIMITS, historyEvents: EXPLORED_EVENTS };
/** Our reason: what so many runs did not reach is left to goals of other runs. */
const RUNS_PER_GOAL = 40;

/** Our reason: kinds of failures that are worth following up. */
const MAX_FAILURES = 60;
const MAX_ENDS = 100;

export class Search {
  readonly coverage: Coverage;
  readonly machine: Machine;
  /** Those that reached something new. */
  readonly trials: Trial[] = [];
  /** And the first of every way to end. */
  readonly everyTrial: Trial[] = [];
  readonly proofs: Proofs;
  /** Why it stopped early, if it did. */
  stopped: 'paths' | 'time' | null = null;
  runs = 0;
  private share = 1;
  private readonly tried = new Set<string>();
  private readonly reached = new Set<string>();
  private readonly spent = new Map<string, number>();
  private readonly ends = new Set<string>();
  private readonly failures = new Set<string>();
  private readonly begun = performance.now();

  constructor(readonly options: SearchOptions) {
    this.coverage = new Coverage(options.definition);
    this.machine = compileMachine(options.definition);
    this.proofs = { definition: options.definition, contradictions: new Map() };
  }

  get report(): CoverageReport {
    return this.coverage.report();
  }

  isReached(id: string): boolean {
    return this.reached.has(id);
  }

  /** Until everything is reached, nothing new can be tried, or this share of the budget is spent. */
  async explore(share = 1): Promise<void> {
    this.share = share;
    await this.searchAll();
    this.share = 1;
  }

  private async searchAll(): Promise<void> {
    const { definition, input } = this.options;
    const start = input === undefined ? plausibleInput(definition) : input;
    const open: Trial[] = [];
    const first = await this.attempt({ input: start, overrides: [], aim: 'the beginning' });
    if (first !== null) open.push(first);
    for (let trial = open.shift(); trial !== undefined; trial = open.shift()) {
      for (const goal of goalsOf(trial.candidate, trial.sightings, this.proofs)) {
        if (this.isOver()) return;
        open.push(...(await this.pursue(goal)));
      }
    }
  }

  private async pursue(goal: Goal): Promise<readonly Trial[]> {
    const spent = this.spent.get(goal.id) ?? 0;
    if (this.reached.has(goal.id) || spent >= RUNS_PER_GOAL) return [];
    if (goal.once) this.reached.add(goal.id);
    const found: Trial[] = [];
    for (const candidate of await goal.candidates()) {
      if (this.isOver()) break;
      const used = this.spent.get(goal.id) ?? 0;
      if (used >= RUNS_PER_GOAL) break;
      const trial = await this.attempt(candidate);
      if (trial === null) continue;
      this.spent.set(goal.id, used + 1);
      const isStep = this.failsAnew(trial);
      if (trial.isNew.length > 0 || isStep) found.push(trial);
      if (isStep && goal.stepwise === true) break;
      if (this.reached.has(goal.id)) break;
    }
    return found;
  }

  /** A run that fails over other data than all before is a step on the way to a repaired one. */
  private failsAnew({ run, sightings }: Trial): boolean {
    const failed = sightings.findLast(isOfData);
    if (failed === undefined) return false;
    const cause = run.cause?.replaceAll(/event id #\d+/g, '').slice(0, 160) ?? '';
    const signature = `${failed.name} ${failed.failure?.error} ${cause}`;
    if (this.failures.has(signature) || this.failures.size >= MAX_FAILURES) return false;
    this.failures.add(signature);
    return true;
  }

  isLate(): boolean {
    const { signal, timeLimitMs } = this.options;
    return performance.now() - this.begun > timeLimitMs * this.share || signal?.aborted === true;
  }

  isOver(): boolean {
    const { maxPaths } = this.options;
    const { share } = this;
    const isLate = this.isLate();
    const isOver = isLate || this.runs >= maxPaths * share;
    if (isOver) this.stopped = isLate ? 'time' : 'paths';
    return isOver;
  }

  /** Null when the same was tried before. */
  async attempt(candidate: Candidate): Promise<Trial | null> {
    const key = keyOf(candidate);
    if (this.tried.has(key)) return null;
    this.tried.add(key);
    this.runs++;
    const name = `path ${this.runs}`;
    const run = await this.play(candidate);
    this.coverage.add(name, ownJournals(run));
    const isNew = this.coverage.reachedIds().filter((id) => !this.reached.has(id));
    for (const id of isNew) this.reached.add(id);
    const sightings = sightingsOf(run, this.machine);
    const trial: Trial = { name, candidate, run, sightings, isNew };
    if (isNew.length > 0 || this.trials.length === 0) this.trials.push(trial);
    const end = `${run.status} ${run.error} ${run.cause?.replaceAll(/#\d+/g, '').slice(0, 120)}`;
    if (isNew.length > 0 || (!this.ends.has(end) && this.ends.size < MAX_ENDS)) {
      this.everyTrial.push(trial);
    }
    this.ends.add(end);
    this.options.onTrial?.(trial, this.reached.size);
    return trial;
  }

  /** Without counting it. */
  play(candidate: Candidate, limits: Limits = LIMITS): Promise<Simulation> {
    const { definition, machines = new Map(), mocks, seed, type } = this.options;
    const mine = mocks === undefined ? [] : [{ name: 'given', answer: mocks() }];
    return simulate({
      definition,
      input: candidate.input,
      mocks: responderFor(candidate),
      responders: [...mine, nestedResponder(machines), defaultResponder(definition)],
      machines,
      seed,
      type,
      limits,
    });
  }
}
