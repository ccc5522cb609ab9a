/** Wait: until an instant, given as seconds or as a timestamp, literally, by path or by expression. */
import { StatesError } from '../../expr/scope.js';
import { parseTimestampMs } from '../../expr/timestamp.js';
import type { EpochMs } from '../../lib/brand.js';
import { chain } from '../../lib/eventually.js';
import { getOwn, type Json, type JsonObject } from '../../lib/json.js';
import type { StateContext } from '../compiler.js';
import { compileFlow } from '../data-flow.js';
import { QUERY_EVALUATION, runtimeError } from '../failure.js';
import { exitTo, scopeOf } from '../finish.js';
import { MAX_EXECUTION_MS, MAX_SECONDS } from '../limits.js';
import type { State } from '../machine.js';
import { compilePathSource, compileSource, pathText, readTyped, type Source } from '../source.js';
import type { Turn } from '../turn.js';
import type { FrameId } from '../../lib/brand.js';
import type { Eventually } from '../../lib/eventually.js';
import { baseState } from './base-state.js';

interface Delay {
  readonly unit: 'seconds' | 'timestamp';
  readonly source: Source;
}

export function compileWait(definition: JsonObject, context: StateContext): State {
  const flow = compileFlow(definition, context.language, null);
  const delay = compileDelay(definition, context.language);
  const state: State = {
    ...baseState('Wait', definition, context, flow),
    start: (turn, id) => {
      const scope = scopeOf(turn, id, state);
      const effective = scope.with(flow.effectiveInput(scope));
      return chain(read(delay, effective), (value) => {
        const until = instantOf(delay, value, turn.now);
        if (until <= turn.now) return exitWait(turn, id, state);
        turn.note(id, { type: 'WaitStarted', until });
        return undefined;
      });
    },
  };
  return state;
}

/** The wait is over. */
export function exitWait(turn: Turn, id: FrameId, state: State): Eventually<void> {
  const scope = scopeOf(turn, id, state);
  return chain(state.flow.pass(scope, state.flow.effectiveInput(scope)), (completion) =>
    exitTo(turn, id, state, completion, state.next),
  );
}

function compileDelay(definition: JsonObject, language: string): Delay {
  for (const [field, unit] of [
    ['Seconds', 'seconds'],
    ['Timestamp', 'timestamp'],
  ] as const) {
    const value = getOwn(definition, field);
    if (value !== undefined) return { unit, source: compileSource(value, field, language) };
    const path = getOwn(definition, `${field}Path`);
    if (typeof path === 'string') return { unit, source: compilePathSource(path) };
  }
  throw new Error('A valid Wait state has a delay.');
}

function read(delay: Delay, scope: Parameters<typeof readTyped>[1]): Eventually<Json> {
  if (delay.source.from === 'path') {
    const found = delay.source.path.find(scope);
    if (found.found) return found.value;
    // Recorded (logs, wait_seconds_path): another wording than for other paths.
    const name = delay.unit === 'seconds' ? 'SecondsPath' : 'TimestampPath';
    throw runtimeError(
      `The ${name} parameter does not reference an input value: ${delay.source.path.text}`,
    );
  }
  return delay.unit === 'seconds'
    ? readTyped(delay.source, scope, 'number', 'Seconds')
    : readTyped(delay.source, scope, 'string', 'Timestamp');
}

function instantOf(delay: Delay, value: Json, now: EpochMs): EpochMs {
  const until =
    delay.unit === 'seconds'
      ? now + secondsOf(delay.source, value) * 1000
      : timestampOf(delay.source, value);
  if (until - now > MAX_EXECUTION_MS) throw runtimeError('Wait state delay is too long.');
  return until as EpochMs;
}

function secondsOf(source: Source, value: Json): number {
  const path = pathText(source);
  const shown = `${path} == ${typeof value === 'string' ? value : JSON.stringify(value)}`;
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    if (path !== null) {
      throw runtimeError(`The SecondsPath parameter cannot be parsed as a long value: ${shown}`);
    }
    throw new StatesError(
      QUERY_EVALUATION,
      `The Seconds field cannot be parsed as a long value: ${JSON.stringify(value)}`,
      'Seconds',
    );
  }
  if (value < 0) {
    if (path !== null) {
      throw runtimeError(`The SecondsPath parameter references a negative value: ${shown}`);
    }
    throw new StatesError(
      QUERY_EVALUATION,
      `The Seconds field must not be negative: ${value}`,
      'Seconds',
    );
  }
  if (value > MAX_SECONDS) throw runtimeError('Wait state delay is too long.');
  return value;
}

function timestampOf(source: Source, value: Json): number {
  const parsed = typeof value === 'string' ? parseTimestampMs(value) : null;
  if (parsed !== null) return parsed;
  const path = pathText(source);
  const shown = typeof value === 'string' ? value : JSON.stringify(value);
  if (path !== null) {
    throw runtimeError(
      `The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: ${path} == ${shown}`,
    );
  }
  throw new StatesError(
    QUERY_EVALUATION,
    `The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: ${shown}`,
    'Timestamp',
  );
}
