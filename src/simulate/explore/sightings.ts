/**
 * What a run did, as explore needs it: every stay in a state with the data it saw, the stay before it,
 * the Map or Parallel around it, and the calls it made. Folded from the journals once per run.
 */
import { compileMachine } from '../../core/compiler.js';
import { apply } from '../../core/evolve.js';
import type { Draft } from '../../core/draft.js';
import type { Fact, FactOf, Failure } from '../../core/fact.js';
import { blockOf, type Machine, type State } from '../../core/machine.js';
import type { FrameId } from '../../lib/brand.js';
import { isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import type { CallRecord } from '../call.js';
import { ownJournals, type Simulation } from '../simulate.js';

/** How a stay ended. */
export type Exit =
  | { readonly by: 'next' }
  | { readonly by: 'rule'; readonly rule: number | null }
  | { readonly by: 'catch'; readonly catcher: number }
  | { readonly by: 'failure'; readonly failure: Failure };

export interface Sighting {
  readonly name: string;
  readonly state: State;
  readonly input: Json;
  readonly variables: JsonObject;
  readonly context: JsonObject;
  /** The stay before it in the same frame. */
  readonly previous: Sighting | null;
  /** The Map or Parallel around it, and which branch or iteration this is. */
  readonly parent: Sighting | null;
  readonly index: number;
  exit: Exit | null;
  assigned: JsonObject | null;
  failure: Failure | null;
  readonly calls: CallRecord[];
  /** Of a Map or Parallel: the last stay of each child. */
  readonly lastOfChild: Map<number, Sighting>;
  /** Items of a Map, where it had some. */
  items: readonly Json[] | null;
  readonly at: number;
}

interface Opened {
  readonly parent: Sighting | null;
  readonly index: number;
  last: Sighting | null;
}

/** In the order of entering, journal by journal: the execution's own first. */
export function sightingsOf(run: Simulation, machine: Machine): readonly Sighting[] {
  const all: Sighting[] = [];
  const mapRuns = new Map<string, Sighting>();
  const children = new Map<string, number>();
  const machines = new Map<string, Machine>();
  for (const facts of ownJournals(run)) {
    const [first] = facts;
    if (first?.type !== 'ExecutionStarted') continue;
    const { arn, mapRunArn, stateMachineName } = first.identity;
    const parent = mapRunArn === null ? null : (mapRuns.get(mapRunArn) ?? null);
    if (mapRunArn !== null && parent === null) continue;
    const index = mapRunArn === null ? 0 : (children.get(mapRunArn) ?? 0);
    if (mapRunArn !== null) children.set(mapRunArn, index + 1);
    const own =
      parent === null ? machine : childMachine(machines, stateMachineName, machine, parent);
    if (own === null) continue;
    const calls = run.calls.filter(({ executionArn }) => executionArn === arn);
    all.push(...sightingsIn(facts, own, { parent, index, last: null }, calls, mapRuns));
  }
  return all;
}

/** The machine of a Map Run's children: its processor, in the language of the whole. */
function childMachine(
  known: Map<string, Machine>,
  key: string,
  machine: Machine,
  parent: Sighting,
): Machine | null {
  const found = known.get(key);
  if (found !== undefined) return found;
  const processor = parent.state.mapRun?.processor;
  if (processor === undefined) return null;
  const language = machine.definition.QueryLanguage;
  const compiled = compileMachine(
    language === undefined ? processor : { QueryLanguage: language, ...processor },
  );
  known.set(key, compiled);
  return compiled;
}

function sightingsIn(
  facts: readonly Fact[],
  machine: Machine,
  root: Opened,
  calls: readonly CallRecord[],
  mapRuns: Map<string, Sighting>,
): readonly Sighting[] {
  const found: Sighting[] = [];
  const frames = new Map<FrameId, Opened>();
  const open = new Map<FrameId, Sighting>();
  const counts = new Map<string, number>();
  let draft: Draft | null = null;
  for (const fact of facts) {
    draft = apply(draft, fact);
    const current = open.get(fact.frame);
    switch (fact.type) {
      case 'StateEntered': {
        const frame = draft.frames.get(fact.frame);
        const state = frame && blockOf(machine, frame.block).states.get(fact.name);
        if (frame === undefined || state === undefined) break;
        const opened = frames.get(fact.frame) ?? root;
        const context = {
          Execution: { Id: draft.identity.arn, Input: draft.input, Name: draft.identity.name },
          State: { Name: fact.name },
          StateMachine: { Name: draft.identity.stateMachineName },
        };
        const sighting = newSighting(fact, state, frame, opened, context);
        opened.last = sighting;
        opened.parent?.lastOfChild.set(opened.index, sighting);
        open.set(fact.frame, sighting);
        found.push(sighting);
        break;
      }
      case 'ChildStarted':
        frames.set(fact.child, { parent: current ?? null, index: fact.index, last: null });
        break;
      case 'MapRunStarted':
        if (current !== undefined) {
          mapRuns.set(fact.request.mapRunArn, current);
          if (isArray(fact.request.items)) current.items = fact.request.items;
          if (fact.request.reader !== null) addCall(current, calls, counts, 'item-reader');
        }
        break;
      case 'TaskScheduled':
        if (current !== undefined) addCall(current, calls, counts, 'task');
        break;
      default:
        if (current !== undefined) close(current, fact);
    }
  }
  return found;
}

function newSighting(
  fact: FactOf<'StateEntered'>,
  state: State,
  frame: { readonly value: Json; readonly variables: JsonObject },
  opened: Opened,
  context: JsonObject,
): Sighting {
  return {
    name: fact.name,
    state,
    input: frame.value,
    variables: frame.variables,
    context,
    previous: opened.last,
    parent: opened.parent,
    index: opened.index,
    exit: null,
    assigned: null,
    failure: null,
    calls: [],
    lastOfChild: new Map(),
    items: null,
    at: fact.at,
  };
}

/** The next call of the state that is in none of its stays yet: journal and calls have one order. */
function addCall(
  sighting: Sighting,
  calls: readonly CallRecord[],
  counts: Map<string, number>,
  kind: 'task' | 'item-reader',
): void {
  const key = `${kind} ${sighting.name}`;
  const index = counts.get(key) ?? 0;
  const own = calls.filter(
    (call) =>
      call.state === sighting.name &&
      (kind === 'item-reader') === (call.kind === 'item-reader') &&
      call.kind !== 'result-writer',
  );
  const record = own[index];
  if (record !== undefined) sighting.calls.push(record);
  counts.set(key, index + 1);
}

function close(sighting: Sighting, fact: Fact): void {
  switch (fact.type) {
    case 'FanOutStarted':
      if (fact.items !== null) sighting.items = fact.items;
      break;
    case 'AttemptFailed':
      sighting.failure = fact.failure;
      if (fact.recovery.do === 'catch') {
        sighting.exit = { by: 'catch', catcher: fact.recovery.catcher };
      } else if (fact.recovery.do === 'raise') {
        sighting.exit = { by: 'failure', failure: fact.failure };
      }
      break;
    case 'StateExited':
      if (isObject(fact.assigned)) sighting.assigned = fact.assigned;
      if (sighting.exit?.by === 'catch') break;
      sighting.exit =
        fact.kind === 'Choice' ? { by: 'rule', rule: fact.rule ?? null } : { by: 'next' };
      break;
    default:
  }
}
