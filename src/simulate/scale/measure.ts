/** What one run weighs against AWS's limits: payloads by state, events, children, time. */
import { jsonBytes, type Json } from '../../lib/json.js';
import { weightOf } from '../../explain/weight.js';
import type { Fact } from '../../core/fact.js';
import { ownJournals, type Simulation } from '../simulate.js';
import { type Usage, usageOf } from '../cost/usage.js';

export interface Payload {
  readonly state: string;
  readonly what: 'input' | 'parameters' | 'result' | 'output';
  readonly bytes: number;
  /** The part that carries the weight. */
  readonly path: string;
}

export interface Measured {
  /** The heaviest value of every state and kind. */
  readonly payloads: ReadonlyMap<string, Payload>;
  readonly events: number;
  /** Events of the longest journal of a Map Run's child. */
  readonly childEvents: number;
  readonly durationMs: number;
  readonly usage: Usage;
  /** Iterations of the inline Maps, by state; the most of one visit. */
  readonly iterations: ReadonlyMap<string, number>;
  /** Children of distributed Maps. */
  readonly children: number;
  readonly mapRuns: number;
}

export function measure(run: Simulation): Measured {
  const journals = ownJournals(run);
  const payloads = new Map<string, Payload>();
  const iterations = new Map<string, number>();
  let mapRuns = 0;
  let childEvents = 0;
  for (const [index, facts] of journals.entries()) {
    weigh(facts, payloads, iterations);
    mapRuns += facts.filter(({ type }) => type === 'MapRunStarted').length;
    if (index > 0) childEvents = Math.max(childEvents, eventsIn(facts));
  }
  return {
    payloads,
    events: eventsIn(journals[0] ?? []),
    childEvents,
    durationMs: run.tookMs,
    usage: usageOf(journals),
    iterations,
    children: journals.length - 1,
    mapRuns,
  };
}

function eventsIn(facts: readonly Fact[]): number {
  return facts.findLast(({ event }) => event !== null)?.event?.id ?? 0;
}

function weigh(
  facts: readonly Fact[],
  payloads: Map<string, Payload>,
  iterations: Map<string, number>,
): void {
  const states = new Map<string, string>();
  const add = (state: string, what: Payload['what'], value: Json | undefined): void => {
    if (value === undefined) return;
    const bytes = jsonBytes(value);
    const key = `${state}\n${what}`;
    if (bytes <= (payloads.get(key)?.bytes ?? -1)) return;
    payloads.set(key, { state, what, bytes, path: weightOf(value).path });
  };
  for (const fact of facts) {
    const state = states.get(fact.frame) ?? '';
    switch (fact.type) {
      case 'ExecutionStarted':
        add(fact.start, 'input', fact.input);
        break;
      case 'StateEntered':
        states.set(fact.frame, fact.name);
        break;
      case 'TaskScheduled':
        add(state, 'parameters', fact.parameters);
        break;
      case 'TaskSucceeded':
        add(state, 'result', fact.output);
        break;
      case 'StateExited':
        add(fact.name, 'output', fact.output);
        break;
      case 'ChildStarted':
        add(fact.start, 'input', fact.input);
        break;
      case 'FanOutStarted':
        if (fact.kind === 'Map')
          iterations.set(state, Math.max(iterations.get(state) ?? 0, fact.width));
        break;
      default:
    }
  }
}
