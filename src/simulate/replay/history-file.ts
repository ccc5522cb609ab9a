/**
 * A recorded history: the answer of GetExecutionHistory as the AWS CLI or an SDK prints it, a list of
 * events, or our own `history --json` lines, with execution data included.
 */
import { getOwn, isArray, isObject, type Json, type JsonObject, setOwn } from '../../lib/json.js';
import { at, Problems } from '../mocks/problems.js';

export interface RecordedEvent {
  readonly id: number;
  readonly previousEventId: number;
  /** Epoch milliseconds, or null when the recording has none. */
  readonly timestamp: number | null;
  readonly type: string;
  /** The details, JSON texts in them parsed. */
  readonly details: JsonObject;
}

export interface RecordedHistory {
  readonly source: string;
  readonly events: readonly RecordedEvent[];
  readonly input: Json;
  readonly roleArn: string | null;
  /** The first instant, epoch milliseconds, or null. */
  readonly startedAt: number | null;
}

/** AWS: an execution has at most 25,000 events; a redrive goes on counting. */
const MAX_EVENTS = 100_000;

/** Throws FileProblems with the place. */
export function readHistory(value: Json, source: string): RecordedHistory {
  const problems = new Problems();
  const [list, base] = eventList(value);
  if (list === null) {
    problems.error('', 'Must be the answer of GetExecutionHistory: {"events": […]}.');
    problems.refuse(source);
  }
  const raw = list ?? [];
  if (raw.length > MAX_EVENTS) problems.error(base, `More than ${MAX_EVENTS} events.`);
  const events = raw
    .slice(0, MAX_EVENTS)
    .map((event, index) => readEvent(event, at(base, index), problems));
  const sorted = events.filter((event) => event !== null).sort((a, b) => a.id - b.id);
  const first = sorted[0];
  if (first?.type !== 'ExecutionStarted') {
    problems.error(
      base,
      'There is no ExecutionStarted: the history is not complete (get all pages).',
    );
  } else if (first.details.input === undefined) {
    problems.error(base, 'The events have no data: export them with --include-execution-data.');
  }
  problems.refuse(source);
  const roleArn = first?.details.roleArn;
  return {
    source,
    events: sorted,
    input: first?.details.input ?? {},
    roleArn: typeof roleArn === 'string' ? roleArn : null,
    startedAt: first?.timestamp ?? null,
  };
}

function eventList(value: Json): readonly [readonly Json[] | null, string] {
  if (isArray(value)) {
    // Lines of `history --json`: {"type": "event", "event": {…}}.
    const lines = value.every((line) => isObject(line) && isObject(getOwn(line, 'event')));
    return [lines ? value.map((line) => (line as JsonObject).event as Json) : value, ''];
  }
  const events = isObject(value) ? getOwn(value, 'events') : undefined;
  return isArray(events) ? [events, '/events'] : [null, ''];
}

function readEvent(value: Json, pointer: string, problems: Problems): RecordedEvent | null {
  if (!isObject(value)) {
    problems.error(pointer, 'Must be an event.');
    return null;
  }
  const { id, previousEventId, type } = value;
  if (typeof id !== 'number' || typeof type !== 'string') {
    problems.error(pointer, 'An event has an "id" and a "type".');
    return null;
  }
  if (typeof previousEventId === 'number' && previousEventId >= id) {
    problems.error(
      pointer,
      `"previousEventId" ${previousEventId} does not lie before event ${id}.`,
    );
    return null;
  }
  return {
    id,
    previousEventId: typeof previousEventId === 'number' ? previousEventId : 0,
    timestamp: instantOf(getOwn(value, 'timestamp')),
    type,
    details: detailsOf(value),
  };
}

/** Seconds with a fraction (JSON of the API), milliseconds (ours), or a text (AWS CLI). */
function instantOf(value: Json | undefined): number | null {
  if (typeof value === 'number') return Math.round(value < 100_000_000_000 ? value * 1000 : value);
  const instant = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(instant) ? null : instant;
}

const JSON_TEXTS = ['input', 'output', 'parameters', 'assignedVariables'];

function detailsOf(event: JsonObject): JsonObject {
  const member = Object.entries(event).find(([key]) => /Details$/.test(key))?.[1] as Json;
  if (!isObject(member)) return {};
  const details: Record<string, Json> = {};
  for (const [key, value] of Object.entries(member) as [string, Json][]) {
    if (value === null) continue;
    setOwn(details, key, JSON_TEXTS.includes(key) ? parsedText(value) : value);
  }
  return details;
}

/** The value that a JSON text stands for; another text is itself. */
export function parsedText(value: Json): Json {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value) as Json;
  } catch {
    return value;
  }
}
