/**
 * What a scenario expects of its run, and what was different. Every expectation has one checker; a
 * failure names the expectation, and says what was wanted and what was there.
 */
import { isExpression } from '../../expr/jsonata.js';
import {
  fromEntries,
  getOwn,
  isArray,
  isObject,
  type Json,
  type JsonObject,
} from '../../lib/json.js';
import { type JsonDifference, jsonDifferences } from '../json-diff.js';
import { compilePredicate } from '../mocks/bindings.js';
import { spelledDuration, parseDuration } from '../mocks/durations.js';
import { at, type Problems } from '../mocks/problems.js';
import { includesJson } from '../partial.js';
import { recordedForm } from '../replay/diff.js';
import type { Simulation } from '../simulate.js';

export interface ExpectationFailure {
  /** `output`, `calls/Charge/inputs/0`, … */
  readonly expectation: string;
  readonly message: string;
  readonly differences: readonly JsonDifference[];
}

export type Check = (run: Simulation) => Promise<readonly ExpectationFailure[]>;

type Reader = (value: Json, pointer: string, problems: Problems) => Check | null;

const STATUSES = ['SUCCEEDED', 'FAILED', 'TIMED_OUT', 'ABORTED', 'RUNNING'];

const READERS: Readonly<Record<string, Reader>> = {
  status: (value, pointer, problems) => {
    if (!STATUSES.includes(value as string)) {
      problems.error(pointer, `Must be one of ${STATUSES.join(', ')}.`);
    }
    return equal('status', value, (run) => run.status);
  },
  output: (value) => equal('output', value, (run) => run.output),
  outputIncludes: (value) => includes('outputIncludes', value, (run) => run.output),
  outputWhere: (value, pointer, problems) =>
    where('outputWhere', value, pointer, problems, (run) => run.output),
  error: (value) => equal('error', value, (run) => run.error),
  cause: (value) => equal('cause', value, (run) => run.cause),
  causeIncludes: (value, pointer, problems) => {
    if (typeof value !== 'string') problems.error(pointer, 'Must be a text.');
    return check('causeIncludes', (run) =>
      run.cause?.includes(String(value)) ? null : `the cause is ${JSON.stringify(run.cause)}`,
    );
  },
  path: (value, pointer, problems) => {
    names(value, pointer, problems);
    return equal('path', value, (run) => run.pathTaken);
  },
  pathIncludes: (value, pointer, problems) => {
    const wanted = names(value, pointer, problems);
    return check('pathIncludes', (run) => missingInOrder(wanted, run.pathTaken));
  },
  pathExcludes: (value, pointer, problems) => {
    const unwanted = names(value, pointer, problems);
    return check('pathExcludes', (run) => {
      const found = unwanted.filter((name) => run.pathTaken.includes(name));
      return found.length === 0
        ? null
        : `${found.join(', ')} was entered: ${run.pathTaken.join(' → ')}`;
    });
  },
  visits: readVisits,
  calls: readCalls,
  events: readEvents,
  eventsExclude: (value, pointer, problems) => {
    const unwanted = names(value, pointer, problems);
    return check('eventsExclude', (run) => {
      const found = unwanted.filter((type) => run.history.some((event) => event.type === type));
      return found.length === 0 ? null : `${found.join(', ')} happened`;
    });
  },
  variables: (value) => includes('variables', value, (run) => run.variables),
  took: readTook,
  where: (value, pointer, problems) =>
    where('where', value, pointer, problems, (run) => run.output ?? null),
};

export const EXPECTATIONS = Object.keys(READERS);

/** Reads `expect`; without status and error, success is expected. */
export function readExpectations(
  value: Json,
  pointer: string,
  problems: Problems,
): readonly Check[] {
  if (!isObject(value)) {
    problems.error(pointer, 'Must be an object such as {"status": "SUCCEEDED", "output": …}.');
    return [];
  }
  problems.unknownKeys(value, EXPECTATIONS, pointer);
  const failing = ['status', 'error', 'cause', 'causeIncludes'].some((key) =>
    Object.hasOwn(value, key),
  );
  const given: JsonObject = failing ? value : { status: 'SUCCEEDED', ...value };
  return Object.entries(given).flatMap(([key, wanted]) => {
    const reader = Object.hasOwn(READERS, key) ? READERS[key] : undefined;
    const made = reader?.(wanted as Json, at(pointer, key), problems) ?? null;
    return made === null ? [] : [made];
  });
}

function failed(
  expectation: string,
  message: string,
  differences: readonly JsonDifference[] = [],
): ExpectationFailure {
  return { expectation, message, differences };
}

function check(expectation: string, complaint: (run: Simulation) => string | null): Check {
  return async (run) => {
    const message = complaint(run);
    return message === null ? [] : [failed(expectation, message)];
  };
}

function compared(
  expectation: string,
  wanted: Json,
  valueIn: (run: Simulation) => Json | undefined,
  mode: 'exact' | 'includes',
): Check {
  return async (run) => {
    const differences = jsonDifferences(wanted, valueIn(run), mode);
    return differences.length === 0
      ? []
      : [failed(expectation, `differs${endOf(run)}`, differences)];
  };
}

const equal = (expectation: string, wanted: Json, valueIn: (run: Simulation) => Json | undefined) =>
  compared(expectation, wanted, valueIn, 'exact');
const includes = (
  expectation: string,
  wanted: Json,
  valueIn: (run: Simulation) => Json | undefined,
) => compared(expectation, wanted, valueIn, 'includes');

/** A failed run says why it failed: it is the reason of most differences. */
function endOf({ cause, error, status, waitsFor }: Simulation): string {
  if (status === 'RUNNING')
    return `; it is stuck: ${waitsFor.map(({ state, what }) => `${state} waits for ${what}`).join(', ')}`;
  if (status === 'SUCCEEDED') return '';
  return `; the run ended ${status}: ${error ?? 'no error'}${cause ? `, ${cause}` : ''}`;
}

function where(
  expectation: string,
  value: Json,
  pointer: string,
  problems: Problems,
  outputOf: (run: Simulation) => Json | undefined,
): Check | null {
  if (typeof value !== 'string' || !isExpression(value)) {
    problems.error(pointer, 'Must be a JSONata condition: "{% $output.total > 3 %}".');
    return null;
  }
  try {
    const holds = compilePredicate(value, pointer);
    return async (run) => {
      const { cause, error, pathTaken, status, tookMs, variables } = run;
      const output = outputOf(run) ?? null;
      const bindings = { output, status, error, cause, path: pathTaken, variables, tookMs };
      if (await holds({ ...variables, ...bindings }, run.stoppedAt)) return [];
      return [failed(expectation, `${value} does not hold${endOf(run)}`)];
    };
  } catch (error) {
    problems.error(pointer, `Not a JSONata expression: ${(error as Error).message}`);
    return null;
  }
}

function names(value: Json, pointer: string, problems: Problems): readonly string[] {
  const list = isArray(value) ? value : [value];
  if (list.every((name) => typeof name === 'string')) return list as readonly string[];
  problems.error(pointer, 'Must be a list of names.');
  return [];
}

function missingInOrder(wanted: readonly string[], path: readonly string[]): string | null {
  let from = 0;
  for (const name of wanted) {
    const found = path.indexOf(name, from);
    if (found === -1)
      return `${name} is not entered${from === 0 ? '' : ' in this order'}: ${path.join(' → ')}`;
    from = found + 1;
  }
  return null;
}

function readVisits(value: Json, pointer: string, problems: Problems): Check | null {
  if (!isObject(value) || !Object.values(value).every((count) => Number.isInteger(count))) {
    problems.error(pointer, 'Must be an object of numbers: {"Poll": 3}.');
    return null;
  }
  return async (run) => {
    const counts = fromEntries(
      Object.keys(value).map((name) => [name, run.pathTaken.filter((one) => one === name).length]),
    );
    const differences = jsonDifferences(value, counts, 'exact');
    return differences.length === 0 ? [] : [failed('visits', 'differs', differences)];
  };
}

const CALL_KEYS = ['times', 'inputs', 'inputIncludes', 'inputsInclude', 'never'];

/** `{"Charge": 2}`, `{"Charge": {times, inputs: […], inputIncludes: …}}`. */
function readCalls(value: Json, pointer: string, problems: Problems): Check | null {
  if (!isObject(value)) {
    problems.error(pointer, 'Must be an object by state: {"Charge": {"times": 2}}.');
    return null;
  }
  const checks = Object.entries(value).map(([state, wanted]) => {
    if (typeof wanted === 'number') return callCheck(state, { times: wanted });
    if (!isObject(wanted as Json)) {
      problems.error(
        at(pointer, state),
        'Must be a number or an object with times, inputs, inputIncludes.',
      );
      return null;
    }
    problems.unknownKeys(wanted as JsonObject, CALL_KEYS, at(pointer, state));
    return callCheck(state, wanted as JsonObject);
  });
  return async (run) => (await Promise.all(checks.map((one) => one?.(run) ?? []))).flat();
}

function callCheck(state: string, wanted: JsonObject): Check {
  return async (run) => {
    const inputs = run.calls.filter((call) => call.state === state).map(({ input }) => input);
    const found: ExpectationFailure[] = [];
    const times = wanted.never === true ? 0 : getOwn(wanted, 'times');
    if (times !== undefined && times !== inputs.length) {
      found.push(
        failed(
          `calls/${state}/times`,
          `called ${inputs.length} times, not ${JSON.stringify(times)}`,
        ),
      );
    }
    for (const [key, mode] of [
      ['inputs', 'exact'],
      ['inputsInclude', 'includes'],
    ] as const) {
      const list = getOwn(wanted, key);
      if (list === undefined) continue;
      const differences = jsonDifferences(list, inputs, mode);
      if (differences.length > 0)
        found.push(failed(`calls/${state}/${key}`, 'differs', differences));
    }
    const one = getOwn(wanted, 'inputIncludes');
    if (one !== undefined && !inputs.some((input) => includesJson(input, one))) {
      const nearest = inputs[0];
      found.push(
        failed(
          `calls/${state}/inputIncludes`,
          `none of ${inputs.length} calls had such an input`,
          nearest === undefined ? [] : jsonDifferences(one, nearest, 'includes'),
        ),
      );
    }
    return found;
  };
}

/** Types, or partial events, that occur in this order. */
function readEvents(value: Json, pointer: string, problems: Problems): Check | null {
  if (!isArray(value) || !value.every((event) => typeof event === 'string' || isObject(event))) {
    problems.error(
      pointer,
      'Must be a list of event types or of partial events: {"type": "TaskFailed", "error": "Busy"}.',
    );
    return null;
  }
  return check('events', (run) => {
    const events = recordedForm(run.history).map(({ details, id, type }) => ({
      id,
      type,
      ...details,
    }));
    let from = 0;
    for (const [index, wanted] of value.entries()) {
      const partial: Json = typeof wanted === 'string' ? { type: wanted } : wanted;
      const found = events.findIndex(
        (event, at) => at >= from && includesJson(event as Json, partial),
      );
      if (found === -1) {
        const shown = JSON.stringify(wanted);
        return `there is no ${shown}${index === 0 ? '' : ` after #${events[from - 1]?.id}`} among ${events.length} events`;
      }
      from = found + 1;
    }
    return null;
  });
}

/** A duration of virtual time, or {atLeast, atMost}. */
function readTook(value: Json, pointer: string, problems: Problems): Check | null {
  const bounds = isObject(value) ? value : { atLeast: value, atMost: value };
  if (isObject(value)) problems.unknownKeys(value, ['atLeast', 'atMost'], pointer);
  const read = (key: 'atLeast' | 'atMost', otherwise: number): number => {
    const given = getOwn(bounds, key);
    const ms = given === undefined ? otherwise : parseDuration(given);
    if (ms === null)
      problems.error(pointer, 'Must be a duration such as "30d", or {"atLeast": …, "atMost": …}.');
    return ms ?? otherwise;
  };
  const least = read('atLeast', 0);
  const most = read('atMost', Number.POSITIVE_INFINITY);
  return check('took', ({ tookMs }) => {
    if (least <= tookMs && tookMs <= most) return null;
    const wanted =
      least === most
        ? spelledDuration(least)
        : `${spelledDuration(least)} to ${most === Number.POSITIVE_INFINITY ? 'any' : spelledDuration(most)}`;
    return `took ${spelledDuration(tookMs)} of virtual time, not ${wanted}`;
  });
}
