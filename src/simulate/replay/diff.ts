/**
 * Two histories of the same machine, event by event. Branches and iterations are compared each in their
 * own order, in whatever way they were interleaved. Values that differ from run to run (uuids, task
 * tokens, execution ARNs, instants) are the same when each stands for the other throughout.
 */
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import type { HistoryEvent } from '../../wire/history.js';
import { at } from '../mocks/problems.js';
import { parsedText, type RecordedEvent } from './history-file.js';
import { threadsOf } from './threads.js';

export interface Difference {
  readonly kind: 'missing' | 'unexpected' | 'changed';
  /** Thread, e.g. `Map[0]`; empty for the root. */
  readonly thread: string;
  readonly recorded: RecordedEvent | null;
  readonly actual: RecordedEvent | null;
  /** Of a changed event: where, and both values (absent: undefined). */
  readonly fields: readonly FieldDifference[];
}

export interface FieldDifference {
  readonly pointer: string;
  readonly recorded: Json | undefined;
  readonly actual: Json | undefined;
}

export interface HistoryDiff {
  readonly differences: readonly Difference[];
  readonly compared: number;
  /** More were found than are listed. */
  readonly truncated: boolean;
}

export interface DiffOptions {
  /** Milliseconds by which instants, counted from the start, may differ; null: they are not compared. */
  readonly timing?: number | null;
  /** Details that are not compared, by name (`SdkHttpMetadata`). */
  readonly ignore?: readonly string[];
}

const MAX_DIFFERENCES = 100;
/** How far ahead an event is looked for when one side lacks some. */
const LOOK_AHEAD = 50;
/** What AWS's transport adds, and what only the account says. */
const IGNORED = [
  'SdkHttpMetadata',
  'SdkResponseMetadata',
  'roleArn',
  'region',
  'stateMachineVersionArn',
  'stateMachineAliasArn',
];

/** Events of this engine in the recorded form. */
export function recordedForm(events: readonly HistoryEvent[]): readonly RecordedEvent[] {
  return events.map(({ id, previousEventId, timestamp, type, details }) => {
    const value: Record<string, Json> = {};
    for (const [key, member] of Object.entries(details?.value ?? {}) as [string, Json][]) {
      const isText = ['input', 'output', 'parameters', 'assignedVariables'].includes(key);
      value[key] = isText ? parsedText(member) : member;
    }
    return { id, previousEventId, timestamp, type, details: value };
  });
}

export function diffHistories(
  recorded: readonly RecordedEvent[],
  actual: readonly RecordedEvent[],
  options: DiffOptions = {},
): HistoryDiff {
  const ours = byThread(actual);
  const theirs = byThread(recorded);
  const comparison = new Comparison(
    recorded[0]?.timestamp ?? null,
    actual[0]?.timestamp ?? null,
    options,
  );
  for (const [thread, events] of theirs) comparison.compare(thread, events, ours.get(thread) ?? []);
  for (const [thread, events] of ours) {
    if (!theirs.has(thread)) comparison.compare(thread, [], events);
  }
  const { found } = comparison;
  const sorted = found.sort((a, b) => orderOf(a) - orderOf(b));
  return {
    differences: sorted.slice(0, MAX_DIFFERENCES),
    compared: recorded.length,
    truncated: sorted.length > MAX_DIFFERENCES,
  };
}

function orderOf({ recorded, actual }: Difference): number {
  return actual?.id ?? recorded?.id ?? 0;
}

function byThread(events: readonly RecordedEvent[]): ReadonlyMap<string, readonly RecordedEvent[]> {
  const threads = threadsOf(events);
  const sorted = new Map<string, RecordedEvent[]>();
  for (const event of events) {
    const path = threads.get(event.id)?.path ?? '';
    const known = sorted.get(path);
    if (known === undefined) sorted.set(path, [event]);
    else known.push(event);
  }
  return sorted;
}

class Comparison {
  readonly found: Difference[] = [];
  private readonly forth = new Map<string, string>();
  private readonly back = new Map<string, string>();
  private readonly ignored: ReadonlySet<string>;

  constructor(
    private readonly recordedStart: number | null,
    private readonly actualStart: number | null,
    private readonly options: DiffOptions,
  ) {
    this.ignored = new Set([...IGNORED, ...(options.ignore ?? [])]);
  }

  compare(
    thread: string,
    recorded: readonly RecordedEvent[],
    actual: readonly RecordedEvent[],
  ): void {
    let left = 0;
    let right = 0;
    while (left < recorded.length || right < actual.length) {
      const one = recorded[left];
      const other = actual[right];
      if (one !== undefined && other !== undefined && keyOf(one) === keyOf(other)) {
        this.compareEvents(thread, one, other);
        left++;
        right++;
        continue;
      }
      const aheadLeft = other === undefined ? -1 : ahead(recorded, left, keyOf(other));
      const aheadRight = one === undefined ? -1 : ahead(actual, right, keyOf(one));
      const isMissing =
        other === undefined ||
        (one !== undefined && (aheadRight === -1 || (aheadLeft !== -1 && aheadLeft <= aheadRight)));
      if (isMissing && one !== undefined) {
        this.add({ kind: 'missing', thread, recorded: one, actual: null, fields: [] });
        left++;
      } else if (other !== undefined) {
        this.add({ kind: 'unexpected', thread, recorded: null, actual: other, fields: [] });
        right++;
      }
    }
  }

  private add(difference: Difference): void {
    this.found.push(difference);
  }

  private compareEvents(thread: string, recorded: RecordedEvent, actual: RecordedEvent): void {
    const fields: FieldDifference[] = [];
    this.compareValues(recorded.details, actual.details, '', fields);
    this.compareInstants(recorded, actual, fields);
    if (fields.length > 0) this.add({ kind: 'changed', thread, recorded, actual, fields });
  }

  private compareInstants(
    recorded: RecordedEvent,
    actual: RecordedEvent,
    fields: FieldDifference[],
  ): void {
    const { timing = null } = this.options;
    const { actualStart, recordedStart } = this;
    if (timing === null || recordedStart === null || actualStart === null) return;
    if (recorded.timestamp === null || actual.timestamp === null) return;
    const wanted = recorded.timestamp - recordedStart;
    const got = actual.timestamp - actualStart;
    if (Math.abs(wanted - got) > timing) {
      fields.push({ pointer: '/timestamp', recorded: `+${wanted} ms`, actual: `+${got} ms` });
    }
  }

  private compareValues(
    recorded: Json | undefined,
    actual: Json | undefined,
    pointer: string,
    fields: FieldDifference[],
  ): void {
    if (recorded === actual) return;
    if (isObject(recorded) && isObject(actual)) {
      const keys = new Set([...Object.keys(recorded), ...Object.keys(actual)]);
      for (const key of keys) {
        if (this.ignored.has(key)) continue;
        this.compareValues(getOwn(recorded, key), getOwn(actual, key), at(pointer, key), fields);
      }
      return;
    }
    if (isArray(recorded) && isArray(actual)) {
      const length = Math.max(recorded.length, actual.length);
      for (let index = 0; index < length; index++) {
        this.compareValues(recorded[index], actual[index], at(pointer, index), fields);
      }
      return;
    }
    if (this.standForEachOther(recorded, actual)) return;
    fields.push({ pointer, recorded, actual });
  }

  /** Both are of the same volatile form, and each has always stood for the other. */
  private standForEachOther(recorded: Json | undefined, actual: Json | undefined): boolean {
    if (typeof recorded !== 'string' || typeof actual !== 'string') return false;
    const form = volatileForm(recorded);
    if (form === null || form !== volatileForm(actual)) return false;
    // Instants follow the clocks of the two runs.
    if (form === 'instant') return true;
    const known = this.forth.get(recorded);
    const inverse = this.back.get(actual);
    this.forth.set(recorded, known ?? actual);
    this.back.set(actual, inverse ?? recorded);
    return (known ?? actual) === actual && (inverse ?? recorded) === recorded;
  }
}

function ahead(events: readonly RecordedEvent[], from: number, key: string): number {
  const until = Math.min(events.length, from + LOOK_AHEAD);
  for (let index = from; index < until; index++) {
    if (keyOf(events[index] as RecordedEvent) === key) return index - from;
  }
  return -1;
}

function keyOf({ type, details }: RecordedEvent): string {
  const { name, index } = details;
  return `${type} ${typeof name === 'string' ? name : ''} ${typeof index === 'number' ? index : ''}`;
}

const FORMS: readonly (readonly [string, RegExp])[] = [
  ['uuid', /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i],
  ['instant', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?$/],
  ['states-arn', /^arn:[\w-]+:states:[\w-]*:\d+:(execution|express|stateMachine|mapRun):\S+$/],
  ['token', /^[A-Za-z0-9+/_.=-]{80,}$/],
];

function volatileForm(text: string): string | null {
  return FORMS.find(([, pattern]) => pattern.test(text))?.[0] ?? null;
}

/** `#7 TaskSucceeded Charge` for people. */
export function titleOf({ id, type, details }: RecordedEvent): string {
  const { name } = details as JsonObject;
  return `#${id} ${type}${typeof name === 'string' ? ` ${name}` : ''}`;
}
