/**
 * Captured calls as rows: texts in, labels out, and the labels that came back for them later. A label
 * belongs to a prediction by inference id, or by the request's own id; the last one given counts.
 */
import { isArray, isObject, type Json } from '../lib/json.js';
import { captureFolder, type CaptureRecord, readCapture } from './capture.js';
import { csvFields } from './csv-fields.js';
import { feedbackFolder, readFeedback } from './feedback.js';
import { readInvocation } from './invocation-body.js';

export interface CapturedRow {
  /** `<inference id or event id>` of the call, and which of its texts this is. */
  readonly id: string;
  readonly index: number;
  readonly variant: string;
  readonly at: number;
  readonly text: string;
  readonly predicted: string;
  /** Score of the predicted label; null when the answer did not say. */
  readonly score: number | null;
  /** Scores by label, where the client asked for several. */
  readonly scores: Readonly<Record<string, number>> | null;
}

export interface LabelledRow extends CapturedRow {
  readonly label: string;
  readonly labelledAt: number;
}

export interface RowQuery {
  readonly from: number;
  readonly to: number;
  readonly variant?: string;
  /** At most this many rows; the newest ones are kept. */
  readonly limit?: number;
}

/** Rows that one look may read: a window of a busy hour, not an archive. */
const MAX_ROWS = 200_000;

export async function capturedRows(
  home: string,
  endpoint: string,
  query: RowQuery,
): Promise<CapturedRow[]> {
  const rows: CapturedRow[] = [];
  const limit = Math.min(query.limit ?? MAX_ROWS, MAX_ROWS);
  for await (const record of readCapture(captureFolder(home, endpoint), query)) {
    rows.push(...rowsOf(record));
    if (rows.length > 2 * limit) keepNewest(rows, limit);
  }
  keepNewest(rows, limit);
  return rows;
}

function keepNewest(rows: CapturedRow[], limit: number): void {
  rows.sort((a, b) => a.at - b.at);
  rows.splice(0, Math.max(0, rows.length - limit));
}

/** Rows of [from, to) whose labels have come by `labelsUntil` (default: any time). */
export async function labelledRows(
  home: string,
  endpoint: string,
  query: RowQuery & { readonly labelsUntil?: number },
): Promise<{ readonly rows: readonly LabelledRow[]; readonly captured: number }> {
  const labels = new Map<string, { readonly labels: readonly string[]; readonly at: number }>();
  const until = query.labelsUntil ?? Number.MAX_SAFE_INTEGER;
  for await (const feedback of readFeedback(feedbackFolder(home, endpoint), {
    from: query.from,
    to: until,
  })) {
    const known = labels.get(feedback.inferenceId);
    if (known === undefined || known.at <= feedback.at) labels.set(feedback.inferenceId, feedback);
  }
  const captured = await capturedRows(home, endpoint, query);
  const rows = captured.flatMap((row): LabelledRow[] => {
    const found = labels.get(row.id);
    const label = found?.labels[row.index];
    if (found === undefined || label === undefined) return [];
    return [{ ...row, label, labelledAt: found.at }];
  });
  return { rows, captured: captured.length };
}

/** A call that cannot be read (another model's format, only one side captured) has no rows. */
function rowsOf(record: CaptureRecord): CapturedRow[] {
  if (record.input === null || record.output === null) return [];
  let texts: readonly string[];
  try {
    texts = readInvocation(Buffer.from(record.input.data), record.input.contentType).texts;
  } catch {
    return [];
  }
  const predictions = predictionsOf(record.output);
  if (predictions === null || predictions.length !== texts.length) return [];
  const { variant, at } = record;
  const id = record.inferenceId ?? record.eventId;
  return texts.map((text, index) => ({
    id,
    index,
    variant,
    at,
    text,
    ...(predictions[index] as Predicted),
  }));
}

interface Predicted {
  readonly predicted: string;
  readonly score: number | null;
  readonly scores: Readonly<Record<string, number>> | null;
}

function predictionsOf({
  contentType,
  data,
}: {
  contentType: string;
  data: string;
}): Predicted[] | null {
  try {
    if (contentType.startsWith('text/csv')) {
      return (csvFields(data) ?? []).map(([predicted = '', score]) => ({
        predicted,
        score: Number(score),
        scores: null,
      }));
    }
    const items = contentType.startsWith('application/jsonlines')
      ? data
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line) as Json)
      : (JSON.parse(data) as Json);
    if (!isArray(items)) return null;
    const all = items.map(predictedOf);
    return all.some((item) => item === null) ? null : (all as Predicted[]);
  } catch {
    return null;
  }
}

/** `{label, score}`, or a list of them with the best first. */
function predictedOf(item: Json): Predicted | null {
  const [best] = isArray(item) ? item : [item];
  if (!isObject(best) || typeof best.label !== 'string') return null;
  const score = typeof best.score === 'number' ? best.score : null;
  if (!isArray(item)) return { predicted: best.label, score, scores: null };
  const pairs = item.flatMap((entry): [string, number][] =>
    isObject(entry) && typeof entry.label === 'string' && typeof entry.score === 'number'
      ? [[entry.label, entry.score]]
      : [],
  );
  return { predicted: best.label, score, scores: Object.fromEntries(pairs) };
}
