/**
 * `--scale N`: N times the items, without N times the work. The machine runs at a few small sizes with
 * every limit lifted; how payloads, events, children and time grow between them says what they are at N
 * and where each limit of AWS is crossed. Nothing is called: answers are mocks.
 */
import { compileMachine } from '../../core/compiler.js';
import {
  DISTRIBUTED_MAP_CONCURRENCY,
  EXTENDED_LIMITS,
  INLINE_MAP_CONCURRENCY,
  MAX_EXECUTION_MS,
  MAX_HISTORY_EVENTS,
  MAX_OPEN_MAP_RUNS,
  MAX_PAYLOAD_BYTES,
} from '../../core/limits.js';
import type { Json, JsonObject } from '../../lib/json.js';
import type { Responder } from '../call.js';
import { type Estimate, estimate } from '../cost/estimate.js';
import { PRICES, type Prices } from '../cost/prices.js';
import { type Candidate, responderFor } from '../explore/candidate.js';
import { defaultResponder } from '../mocks/defaults.js';
import { type Simulation, simulate } from '../simulate.js';
import { grown } from './grow.js';
import { type Measured, measure } from './measure.js';

export interface ScaleOptions {
  readonly definition: JsonObject;
  readonly input: Json;
  readonly mocks?: () => Responder;
  readonly type: 'STANDARD' | 'EXPRESS';
  readonly scale: number;
  readonly seed: number;
  readonly prices?: Prices;
}

export interface Crossing {
  /** `payload`, `history`, … */
  readonly limit: string;
  readonly message: string;
  /** The factor at which it is crossed; at or below the scale asked for, or it would not be here. */
  readonly at: number;
  readonly value: number;
  readonly max: number;
  readonly state: string | null;
  /** JSONPath of the part that carries a payload's weight. */
  readonly path: string | null;
}

export interface ScaleReport {
  readonly scale: number;
  readonly what: readonly string[];
  /** In the order in which they are crossed. */
  readonly crossings: readonly Crossing[];
  readonly notes: readonly string[];
  readonly transitions: number;
  readonly children: number;
  readonly estimate: Estimate;
  /** Factors that were run. */
  readonly sizes: readonly number[];
  /** False: growth between the sizes is not a straight line, and what is said of the scale is a guess. */
  readonly isLinear: boolean;
}

/** The run without scaling does not succeed, so it says nothing of a larger one. */
export class NotScalable extends Error {
  override readonly name = 'NotScalable';
}

const SIZES = [1, 3, 9];
const EXPRESS_MS = 300_000;

/** A value at every size, and what follows from it for others. */
class Line {
  readonly slope: number;
  readonly base: number;

  constructor(sizes: readonly number[], values: readonly number[]) {
    const [x1 = 1, x2 = 1] = sizes.slice(-2);
    const [y1 = 0, y2 = 0] = values.slice(-2);
    this.slope = x2 === x1 ? 0 : (y2 - y1) / (x2 - x1);
    this.base = y2 - this.slope * x2;
  }

  at(factor: number): number {
    return this.base + this.slope * factor;
  }

  /** The first whole factor above `max`, or null. */
  crosses(max: number): number | null {
    if (this.at(1) > max) return 1;
    if (this.slope <= 0) return null;
    return Math.max(1, Math.floor((max - this.base) / this.slope) + 1);
  }
}

export async function scaled(options: ScaleOptions): Promise<ScaleReport> {
  const { definition, scale } = options;
  const machine = compileMachine(definition);
  const start: Candidate = { input: options.input, overrides: [], aim: 'scale' };
  const first = await play(options, start);
  if (first.status !== 'SUCCEEDED') {
    throw new NotScalable(
      `The run ends ${first.status}${first.error === null ? '' : ` with ${first.error}`}: ${first.cause ?? 'no cause'}`,
    );
  }
  const sizes = [
    ...new Set([...SIZES.filter((size) => size <= scale), ...(scale < 9 ? [scale] : [])]),
  ].sort((a, b) => a - b);
  const measured: Measured[] = [];
  let what: readonly string[] = [];
  for (const size of sizes) {
    const made = grown(first, machine, start, size);
    what = made.what;
    measured.push(measure(size === 1 ? first : await play(options, made.candidate)));
  }
  return reportOf(options, sizes, measured, what);
}

function play(options: ScaleOptions, candidate: Candidate): Promise<Simulation> {
  const { definition, mocks, seed, type } = options;
  return simulate({
    definition,
    input: candidate.input,
    mocks: responderFor(candidate),
    responders: [
      ...(mocks === undefined ? [] : [{ name: 'given', answer: mocks() }]),
      defaultResponder(definition),
    ],
    seed,
    type,
    limits: EXTENDED_LIMITS,
  });
}

function reportOf(
  { prices = PRICES, scale, type }: ScaleOptions,
  sizes: readonly number[],
  measured: readonly Measured[],
  what: readonly string[],
): ScaleReport {
  const line = (value: (one: Measured) => number): Line => new Line(sizes, measured.map(value));
  const last = measured.at(-1) as Measured;
  const transitions = line(({ usage }) => usage.transitions);
  const children = line((one) => one.children);
  const starts = line(({ usage }) => usage.childStarts);
  const time = line(({ durationMs }) => durationMs);
  const events = line((one) => one.events);
  const crossings = [
    ...payloadCrossings(sizes, measured),
    ...crossing('history', 'the history has', events, MAX_HISTORY_EVENTS, 'events'),
    ...crossing(
      'history of a child',
      'a child of a Map Run has',
      line((one) => one.childEvents),
      MAX_HISTORY_EVENTS,
      'events',
    ),
    ...crossing(
      'open Map Runs',
      'the execution opens',
      line(({ mapRuns }) => mapRuns),
      MAX_OPEN_MAP_RUNS,
      'Map Runs',
    ),
    ...(type === 'EXPRESS'
      ? crossing('Express time', 'the run takes', time, EXPRESS_MS, 'ms')
      : crossing('execution time', 'the run takes', time, MAX_EXECUTION_MS, 'ms')),
  ]
    .filter(({ at }) => at <= scale)
    .map((one) => ({ ...one, value: Math.round(one.value) }))
    .sort((a, b) => a.at - b.at);
  const usage = {
    ...last.usage,
    transitions: Math.round(transitions.at(scale)),
    childStarts: Math.round(starts.at(scale)),
    durationMs: Math.round(time.at(scale)),
    expressChildren: extended(last.usage.expressChildren, Math.round(starts.at(scale))),
  };
  const isLinear = sizes.length < 3 || isStraight(sizes, measured, events);
  return {
    scale,
    what,
    crossings: crossings.map((one) => valued(one, sizes, measured, scale)),
    notes: notesOf(sizes, measured, scale, time),
    transitions: usage.transitions,
    children: Math.round(children.at(scale)),
    estimate: estimate(usage, { prices, runsPerMonth: 1, memoryMb: 64, durationMs: null }),
    sizes,
    isLinear,
  };
}

function extended(durations: readonly number[], count: number): readonly number[] {
  if (durations.length === 0) return [];
  const mean = durations.reduce((sum, one) => sum + one, 0) / durations.length;
  return Array.from({ length: Math.min(count, 1_000_000) }, () => mean);
}

function isStraight(
  sizes: readonly number[],
  measured: readonly Measured[],
  events: Line,
): boolean {
  const [size = 1] = sizes;
  const seen = measured[0]?.events ?? 0;
  return Math.abs(events.at(size) - seen) <= Math.max(3, seen * 0.1);
}

function crossing(
  limit: string,
  says: string,
  line: Line,
  max: number,
  unit: string,
): readonly Crossing[] {
  const at = line.crosses(max);
  if (at === null) return [];
  const message = `${says} more than ${max.toLocaleString('en-US')} ${unit}`;
  return [{ limit, message, at, value: line.at(at), max, state: null, path: null }];
}

/** A state may cross with its input, its output and more: the first of them counts. */
function payloadCrossings(
  sizes: readonly number[],
  measured: readonly Measured[],
): readonly Crossing[] {
  const last = measured.at(-1) as Measured;
  const byState = new Map<string, Crossing>();
  for (const [key, payload] of last.payloads) {
    const values = measured.map(({ payloads }) => payloads.get(key)?.bytes ?? 0);
    const line = new Line(sizes, values);
    const at = line.crosses(MAX_PAYLOAD_BYTES);
    if (at === null || at >= (byState.get(payload.state)?.at ?? Number.POSITIVE_INFINITY)) continue;
    byState.set(payload.state, {
      limit: 'payload',
      message: `the ${payload.what} of ${payload.state} is larger than 256 KiB; ${payload.path} carries the weight`,
      at,
      value: line.at(at),
      max: MAX_PAYLOAD_BYTES,
      state: payload.state,
      path: payload.path,
    });
  }
  return [...byState.values()];
}

/** Its value at the scale asked for, not where it is crossed. */
function valued(
  one: Crossing,
  sizes: readonly number[],
  measured: readonly Measured[],
  scale: number,
): Crossing {
  if (one.limit === 'history') {
    const line = new Line(
      sizes,
      measured.map(({ events }) => events),
    );
    return { ...one, value: Math.round(line.at(scale)) };
  }
  return one;
}

function notesOf(
  sizes: readonly number[],
  measured: readonly Measured[],
  scale: number,
  time: Line,
): readonly string[] {
  const notes: string[] = [];
  const last = measured.at(-1) as Measured;
  for (const state of last.iterations.keys()) {
    const line = new Line(
      sizes,
      measured.map(({ iterations }) => iterations.get(state) ?? 0),
    );
    const count = Math.round(line.at(scale));
    if (count > INLINE_MAP_CONCURRENCY && line.slope > 0) {
      notes.push(
        `${state} is an inline Map: of its ${count.toLocaleString('en-US')} iterations at most ${INLINE_MAP_CONCURRENCY} run at a time`,
      );
    }
  }
  const children = Math.round(
    new Line(
      sizes,
      measured.map((one) => one.children),
    ).at(scale),
  );
  if (children > DISTRIBUTED_MAP_CONCURRENCY) {
    notes.push(
      `of ${children.toLocaleString('en-US')} children at most ${DISTRIBUTED_MAP_CONCURRENCY.toLocaleString('en-US')} run at a time`,
    );
  }
  const seconds = Math.round(time.at(scale) / 1000);
  if (seconds > 300)
    notes.push(
      `it takes ${seconds.toLocaleString('en-US')} s: more than the 300 s of an Express execution`,
    );
  return notes;
}
