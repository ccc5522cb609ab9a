/**
 * Labels that come back for predictions made earlier, kept in the ground-truth layout of SageMaker
 * Model Monitor: JSON lines below `<home>/serving/feedback/<endpoint>/yyyy/mm/dd/hh/`, joined to the
 * captured calls by inference id (or the request's own id). A later label replaces an earlier one.
 */
import { join } from 'node:path';
import { isArray, isObject, type Json, type JsonObject } from '../lib/json.js';
import { invalid, throttled } from './errors.js';
import { FEEDBACK_PER_MINUTE, MAX_FEEDBACK_LABELS } from './limits.js';
import { type LineFiles, linesBetween } from './line-files.js';

export interface Feedback {
  readonly inferenceId: string;
  /** One for each text of the request. */
  readonly labels: readonly string[];
  /** Who says so: `customer`, `annotator:ann`; labels of unlike trust can be told apart. */
  readonly source: string;
  readonly at: number;
}

export interface FeedbackIntake {
  /** Checks and keeps one report; throws a ServingError that says what is wrong. */
  take(endpoint: string, body: Json, labels: readonly string[]): Feedback;
}

export function feedbackFolder(home: string, endpoint: string): string {
  return join(home, 'serving', 'feedback', endpoint);
}

export function openFeedback(
  home: string,
  files: LineFiles,
  now: () => number = Date.now,
): FeedbackIntake {
  let minute = 0;
  let counts = new Map<string, number>();
  return {
    take: (endpoint, body, labels) => {
      const feedback = parsed(body, labels, now());
      const current = Math.floor(now() / 60_000);
      if (current !== minute) {
        minute = current;
        counts = new Map();
      }
      const count = (counts.get(feedback.source) ?? 0) + 1;
      counts.set(feedback.source, count);
      if (count > FEEDBACK_PER_MINUTE || counts.size > FEEDBACK_PER_MINUTE) {
        throw throttled(`More than ${FEEDBACK_PER_MINUTE} labels a minute from one source.`);
      }
      if (!files.offer(feedbackFolder(home, endpoint), lineOf(feedback))) {
        throw throttled('Labels come faster than they can be written.');
      }
      return feedback;
    },
  };
}

function parsed(body: Json, known: readonly string[], at: number): Feedback {
  if (!isObject(body)) throw invalid('The request body must be an object with "inferenceId".');
  const { inferenceId, label, source = 'user' } = body;
  if (typeof inferenceId !== 'string' || inferenceId === '' || inferenceId.length > 64) {
    throw invalid('"inferenceId" must be the id that the request had or was answered with.');
  }
  if (typeof source !== 'string' || source === '' || source.length > 100) {
    throw invalid('"source" must be a text of at most 100 characters.');
  }
  const labels = isArray(body.labels) ? body.labels : label === undefined ? [] : [label];
  if (labels.length === 0) throw invalid('Give "label", or "labels" with one for each text.');
  if (labels.length > MAX_FEEDBACK_LABELS) {
    throw invalid(`"labels" holds more than ${MAX_FEEDBACK_LABELS} labels.`);
  }
  return {
    inferenceId,
    source,
    at,
    labels: labels.map((item) => {
      if (typeof item === 'string' && (known.length === 0 || known.includes(item))) return item;
      throw invalid(
        `The label ${JSON.stringify(item).slice(0, 100)} is none of the model's: ${known.join(', ')}.`,
      );
    }),
  };
}

function lineOf({ inferenceId, labels, source, at }: Feedback): string {
  const [only] = labels;
  const data: JsonObject =
    labels.length === 1 && only !== undefined && !/[",\n]/.test(only)
      ? { data: only, encoding: 'CSV' }
      : { data: JSON.stringify(labels), encoding: 'JSON' };
  return JSON.stringify({
    groundTruthData: data,
    eventMetadata: { eventId: inferenceId, source, receivedTime: new Date(at).toISOString() },
    eventVersion: '0',
  });
}

/** Labels received in [from, to), oldest hour first. */
export async function* readFeedback(
  folder: string,
  { from, to }: { readonly from: number; readonly to: number },
): AsyncGenerator<Feedback> {
  for await (const line of linesBetween(folder, from, to)) {
    const feedback = feedbackOf(line);
    if (feedback !== null && feedback.at >= from && feedback.at < to) yield feedback;
  }
}

function feedbackOf(line: string): Feedback | null {
  try {
    const value = JSON.parse(line) as Json;
    if (!isObject(value) || !isObject(value.groundTruthData) || !isObject(value.eventMetadata)) {
      return null;
    }
    const { data, encoding } = value.groundTruthData;
    const { eventId, source, receivedTime } = value.eventMetadata;
    if (typeof data !== 'string' || typeof eventId !== 'string') return null;
    const labels = encoding === 'JSON' ? (JSON.parse(data) as Json) : [data];
    if (!isArray(labels)) return null;
    return {
      inferenceId: eventId,
      labels: labels.map(String),
      source: typeof source === 'string' ? source : 'user',
      at: typeof receivedTime === 'string' ? Date.parse(receivedTime) : 0,
    };
  } catch {
    return null;
  }
}
