/**
 * Explain: what every state of a run did with its data, field by field, and why it went on as it did.
 * Read off the journal: each visit is inspected again by the code behind TestState, with the recorded
 * input, variables, context and answer. What the journal recorded wins over what is evaluated again, so
 * that a `$random` or `States.UUID` shows the value the run saw.
 */
import { compileMachine } from '../core/compiler.js';
import { contextObject, FrameScope } from '../core/context.js';
import type { Stage } from '../core/env.js';
import { apply } from '../core/evolve.js';
import type { Draft } from '../core/draft.js';
import type { Fact, FactOf, Outcome, StateKind } from '../core/fact.js';
import { AWS_LIMITS } from '../core/limits.js';
import { blockOf, isRetryable, type Machine, type State } from '../core/machine.js';
import type { ExecutionState, Frame } from '../core/state.js';
import { Turn } from '../core/turn.js';
import { placesOf, type Visit, visitsOf } from '../core/visits.js';
import type { EpochMs, FrameId, Nonce } from '../lib/brand.js';
import { type Json, type JsonObject, jsonBytes } from '../lib/json.js';
import { type Inspection, inspectState } from '../runtime/test-state/inspect.js';
import { explainChoice, type RuleExplanation } from './choice.js';
import { type AttemptExplanation, explainAttempt } from './recovery.js';
import { type Weight, weightOf } from './weight.js';

export type StageName = 'input' | Stage | 'output';

export interface StageExplanation {
  readonly stage: StageName;
  readonly value: Json;
  readonly bytes: number;
  /** The value is that of the stage before. */
  readonly unchanged: boolean;
}

export interface VisitExplanation {
  readonly state: string;
  readonly kind: StateKind;
  readonly language: 'JSONPath' | 'JSONata';
  readonly place: string;
  readonly eventId: number;
  readonly enteredAt: number;
  readonly tookMs: number | null;
  readonly end: Visit['end'];
  readonly next: string | null;
  /** In the order in which the data flows. */
  readonly stages: readonly StageExplanation[];
  readonly variables: JsonObject;
  readonly assigned: JsonObject | null;
  readonly choices: readonly RuleExplanation[];
  readonly otherwise: string | null;
  readonly attempts: readonly AttemptExplanation[];
  /** What carries the weight, where a value comes near the limit. */
  readonly weights: readonly (Weight & { readonly stage: StageName; readonly limit: number })[];
  /** Concurrency and tolerances of a Map, as TestState shows them. */
  readonly map: Partial<
    Pick<
      Inspection['data'],
      'maxConcurrency' | 'toleratedFailureCount' | 'toleratedFailurePercentage'
    >
  >;
}

/** Values from this share of the limit on are weighed. */
const NEAR_LIMIT = 0.25;

/** In the order of entering; `only`: visits of one state. */
export async function explain(
  machine: Machine,
  facts: readonly Fact[],
  only: { readonly state?: string; readonly fromSeq?: number } = {},
): Promise<readonly VisitExplanation[]> {
  const places = placesOf(facts);
  const visits = visitsOf(facts).filter(
    ({ name, lastSeq }) =>
      (only.state === undefined || name === only.state) && lastSeq >= (only.fromSeq ?? 0),
  );
  const ofFrame = byFrame(facts);
  const explained: VisitExplanation[] = [];
  const cursor = new Cursor(facts);
  for (const visit of visits) {
    const before = cursor.before(visit.entered);
    const own = between(ofFrame.get(visit.frame) ?? [], visit.entered, visit.lastSeq);
    explained.push(
      await explainVisit(machine, before, visit, own, places.get(visit.frame) ?? 'root'),
    );
  }
  return explained;
}

/** The same for the text of a definition. */
export function explainText(
  definition: string,
  facts: readonly Fact[],
  only: { readonly state?: string } = {},
): Promise<readonly VisitExplanation[]> {
  return explain(compileText(definition), facts, only);
}

export function compileText(definition: string): Machine {
  return compileMachine(JSON.parse(definition) as JsonObject);
}

/** Those with seqs from `first` to `last`; the facts are in order. */
function between(facts: readonly Fact[], first: number, last: number): readonly Fact[] {
  return facts.slice(indexFrom(facts, first), indexFrom(facts, last + 1));
}

/** Index of the first fact with at least this seq. */
function indexFrom(facts: readonly Fact[], seq: number): number {
  let [low, high] = [0, facts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((facts[middle] as Fact).seq < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

function byFrame(facts: readonly Fact[]): ReadonlyMap<FrameId, readonly Fact[]> {
  const found = new Map<FrameId, Fact[]>();
  for (const fact of facts) {
    const known = found.get(fact.frame);
    if (known === undefined) found.set(fact.frame, [fact]);
    else known.push(fact);
  }
  return found;
}

/** The state before a fact, folding on from the visit before. */
class Cursor {
  private draft: Draft | null = null;
  private applied = 0;

  constructor(private readonly facts: readonly Fact[]) {}

  before(seq: number): ExecutionState {
    if (this.applied >= seq) {
      this.draft = null;
      this.applied = 0;
    }
    while (this.applied < seq - 1) {
      this.draft = apply(this.draft, this.facts[this.applied] as Fact);
      this.applied++;
    }
    return this.draft as ExecutionState;
  }
}

async function explainVisit(
  machine: Machine,
  before: ExecutionState,
  visit: Visit,
  own: readonly Fact[],
  place: string,
): Promise<VisitExplanation> {
  const waiting = before.frames.get(visit.frame) as Frame;
  const state = blockOf(machine, waiting.block).states.get(visit.name);
  if (state === undefined) throw new Error(`The definition has no state '${visit.name}'.`);
  const frame: Frame = { ...waiting, state: visit.name, enteredAt: visit.enteredAt as EpochMs };
  const inspection = await inspectAgain(state, before, frame, own);
  const exited = last(own, 'StateExited');
  const stages = stagesOf(state, frame, own, inspection, exited);
  const { maxConcurrency, toleratedFailureCount, toleratedFailurePercentage } = inspection.data;
  const otherwise = state.definition.Default;
  return {
    state: visit.name,
    kind: state.kind,
    language: state.flow.language,
    place,
    eventId: visit.eventId,
    enteredAt: visit.enteredAt,
    tookMs: visit.endedAt === null ? null : visit.endedAt - visit.enteredAt,
    end: visit.end,
    next: visit.next,
    stages,
    variables: frame.variables,
    assigned: exited?.assigned ?? null,
    choices:
      state.kind === 'Choice' ? await explainChoice(state, scopeOf(machine, before, frame)) : [],
    otherwise: typeof otherwise === 'string' ? otherwise : null,
    attempts: attemptsOf(state, own),
    weights: stages.flatMap(({ stage, value, bytes, unchanged }) =>
      unchanged || bytes < NEAR_LIMIT * AWS_LIMITS.payloadBytes
        ? []
        : [{ stage, limit: AWS_LIMITS.payloadBytes, ...weightOf(value) }],
    ),
    map:
      state.kind === 'Map'
        ? { maxConcurrency, toleratedFailureCount, toleratedFailurePercentage }
        : {},
  };
}

function inspectAgain(
  state: State,
  before: ExecutionState,
  frame: Frame,
  own: readonly Fact[],
): Promise<Inspection> {
  const outcome = outcomeOf(own);
  return inspectState({
    name: state.name,
    definition: state.definition,
    queryLanguage: state.flow.language,
    input: frame.value,
    variables: frame.variables,
    context: contextObject(before, frame, isRetryable(state.kind) ? { retryable: true } : {}),
    identity: before.identity,
    now: (own.at(-1)?.at ?? frame.enteredAt) as EpochMs,
    random: () => 0.5,
    uuid: () => NO_UUID,
    mock: outcome,
    retryCount: own.filter(({ type }) => type === 'RetryStarted').length,
    failedIterations: 0,
    runTask: async () => STILL_RUNNING,
  });
}

const NO_UUID = '00000000-0000-4000-8000-000000000000';
const STILL_RUNNING: Outcome = { ok: false, failure: { error: null, cause: 'It is not over.' } };

/** The last answer of the state's work. */
function outcomeOf(own: readonly Fact[]): Outcome | null {
  for (const fact of own.toReversed()) {
    if (fact.type === 'TaskSucceeded') return { ok: true, output: fact.output };
    if (fact.type === 'TaskFailed') return { ok: false, failure: fact.failure };
    if (fact.type === 'MapRunEnded') return fact.outcome;
    if (fact.type === 'FanOutEnded' && fact.ok) return joined(own);
  }
  const failed = last(own, 'AttemptFailed');
  const fannedOut = own.some(({ type }) => type === 'FanOutStarted');
  return failed !== undefined && fannedOut ? { ok: false, failure: failed.failure } : null;
}

/** Outputs of the children of the last fan-out, in order. */
function joined(own: readonly Fact[]): Outcome {
  const started = own.findLastIndex(({ type }) => type === 'FanOutStarted');
  const outputs: Json[] = [];
  for (const fact of own.slice(started)) {
    if (fact.type === 'ChildEnded' && fact.outcome.ok) outputs[fact.index] = fact.outcome.output;
  }
  return { ok: true, output: Array.from(outputs, (output) => output ?? null) };
}

const ORDER: readonly Stage[] = [
  'afterInputPath',
  'afterItemsPath',
  'afterParameters',
  'afterArguments',
  'afterItemSelector',
  'afterItemBatcher',
  'result',
  'afterResultSelector',
  'afterResultPath',
];

function stagesOf(
  state: State,
  frame: Frame,
  own: readonly Fact[],
  { data }: Inspection,
  exited: FactOf<'StateExited'> | undefined,
): readonly StageExplanation[] {
  const known = new Map<StageName, Json>([['input', frame.value]]);
  for (const stage of ORDER) {
    const value = data.stages.get(stage);
    if (value !== undefined) known.set(stage, value);
  }
  const scheduled = last(own, 'TaskScheduled');
  if (scheduled !== undefined) {
    const stage = state.flow.language === 'JSONata' ? 'afterArguments' : 'afterParameters';
    if (known.has(stage)) known.set(stage, scheduled.parameters);
  }
  const outcome = outcomeOf(own);
  if (outcome?.ok === true) known.set('result', outcome.output);
  const inOrder: StageName[] = ['input', ...ORDER.filter((stage) => known.has(stage))];
  if (exited !== undefined) {
    known.set('output', exited.output === undefined ? frame.value : exited.output);
    inOrder.push('output');
  }
  let previous: string | null = null;
  return inOrder.map((stage) => {
    const value = known.get(stage) as Json;
    const text = JSON.stringify(value);
    const unchanged = text === previous;
    previous = text;
    return { stage, value, bytes: jsonBytes(value), unchanged };
  });
}

function attemptsOf(state: State, own: readonly Fact[]): readonly AttemptExplanation[] {
  const used: number[] = [];
  const attempts: AttemptExplanation[] = [];
  for (const fact of own) {
    if (fact.type !== 'AttemptFailed') continue;
    attempts.push(explainAttempt(state, fact, attempts.length + 1, used));
    if (fact.recovery.do === 'retry') used[fact.recovery.retrier] = fact.recovery.attempt;
  }
  return attempts;
}

function last<T extends Fact['type']>(own: readonly Fact[], type: T): FactOf<T> | undefined {
  return own.findLast((fact): fact is FactOf<T> => fact.type === type);
}

/** What the expressions of a frame see, without a run around them. */
export function scopeOf(machine: Machine, state: ExecutionState, frame: Frame): FrameScope {
  const turn = new Turn(machine, state, {
    now: state.lastAt,
    limits: AWS_LIMITS,
    random: () => 0.5,
    uuid: () => NO_UUID,
    nonce: () => '' as Nonce,
    taskToken: () => '',
  });
  return new FrameScope(turn, frame, frame.value, { retryable: true });
}
