/**
 * What a client sends to `/invocations` and what it gets back. In: JSON (`{"inputs": text or texts}`, or
 * MLflow's `{"instances": [...]}`), JSON lines, CSV without a header (the text in the first column) or
 * one text as text/plain. Out: JSON, JSON lines or CSV, as `Accept` asks. Every way to send something
 * else has its own sentence.
 */
import { exceedsDepth, isArray, isObject, type Json } from '../lib/json.js';
import { invalid } from './errors.js';
import { MAX_BODY_DEPTH, MAX_INPUTS, MAX_TEXT_CHARS } from './limits.js';
import { csvFields } from './csv-fields.js';
import type { Invocation } from './invocation.js';

export interface InvocationRequest {
  readonly texts: readonly string[];
  /** Scores of that many labels for each text, best first; null for the best label alone. */
  readonly topK: number | null;
}

export function readInvocation(body: Uint8Array, contentType: string): InvocationRequest {
  const type = (contentType.split(';')[0] ?? '').trim().toLowerCase();
  const text = decode(body);
  if (type === 'text/plain') return { texts: checkTexts([text]), topK: null };
  if (type === 'text/csv') return { texts: checkTexts(csvTexts(text)), topK: null };
  if (JSON_LINES.includes(type)) return { texts: checkTexts(lineTexts(text)), topK: null };
  if (type !== '' && type !== 'application/json' && !type.endsWith('+json')) {
    throw invalid(
      `Content-Type "${type.slice(0, 100)}" is not supported; send application/json, application/jsonlines, text/csv or text/plain.`,
      415,
    );
  }
  return fromJson(parse(text));
}

const JSON_LINES = ['application/jsonlines', 'application/x-jsonlines', 'application/jsonl'];

/** One text a record, in the first column. */
function csvTexts(text: string): readonly string[] {
  const records = csvFields(text);
  if (records === null) throw invalid('The request body is not valid CSV: a quote is not closed.');
  return records.map(([first = '']) => first);
}

/** Each line a text, or an object with it as "text", "inputs" or "source". */
function lineTexts(text: string): readonly Json[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  if (lines.length > MAX_INPUTS) {
    throw invalid(`The body holds ${lines.length} lines; at most ${MAX_INPUTS} are allowed.`);
  }
  return lines.map((line) => {
    const value = parse(line);
    if (!isObject(value)) return value;
    const key = ['text', 'inputs', 'source'].find((name) => Object.hasOwn(value, name));
    return key === undefined ? value : (value[key] as Json);
  });
}

export interface Encoded {
  readonly contentType: string;
  readonly text: string;
}

/** What `Accept` asks for: JSON unless it names JSON lines or CSV and not JSON. */
export function acceptedType(accept: string | undefined): 'json' | 'jsonlines' | 'csv' {
  const types = (accept ?? '*/*')
    .split(',')
    .map((part) => (part.split(';')[0] ?? '').trim().toLowerCase());
  for (const type of types) {
    if (['', '*/*', 'application/*', 'application/json'].includes(type)) return 'json';
    if (JSON_LINES.includes(type)) return 'jsonlines';
    if (type === 'text/csv' || type === 'text/*') return 'csv';
  }
  throw invalid(
    `Accept "${(accept ?? '').slice(0, 100)}" is not supported; ask for application/json, application/jsonlines or text/csv.`,
    406,
  );
}

/** The answer in the asked form. CSV has one line a text: label, score. */
export function encodeAnswer(
  invocation: Invocation,
  topK: number | null,
  type: 'json' | 'jsonlines' | 'csv',
): Encoded {
  const answer = invocationAnswer(invocation, topK) as readonly Json[];
  if (type === 'json') return { contentType: 'application/json', text: JSON.stringify(answer) };
  if (type === 'jsonlines') {
    const lines = answer.map((item) => `${JSON.stringify(item)}\n`);
    return { contentType: 'application/jsonlines', text: lines.join('') };
  }
  const rows = invocation.predictions.map(({ label, score }) => `${csvField(label)},${score}\n`);
  return { contentType: 'text/csv', text: rows.join('') };
}

function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** `[{label, score}, …]`, or with `top_k` one such list for each text. */
export function invocationAnswer({ labels, predictions }: Invocation, topK: number | null): Json {
  if (topK === null) return predictions.map(({ label, score }) => ({ label, score }));
  return predictions.map(({ scores }) =>
    labels
      .map((label, index) => ({ label, score: scores[index] ?? 0 }))
      .sort((a, b) => b.score - a.score)
      .slice(0, topK),
  );
}

/** The body as text; throws a ServingError for what is empty or not UTF-8. */
export function decode(body: Uint8Array): string {
  if (body.length === 0)
    throw invalid('The request body is empty; send {"inputs": ["text", ...]}.');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw invalid('The request body is not valid UTF-8.');
  }
}

/** JSON of bounded depth. */
export function parse(text: string): Json {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (error) {
    throw invalid(`The request body is not valid JSON: ${(error as Error).message.slice(0, 200)}`);
  }
  if (exceedsDepth(value, MAX_BODY_DEPTH)) throw invalid('The request body is nested too deeply.');
  return value;
}

function fromJson(value: Json): InvocationRequest {
  if (!isObject(value)) throw invalid('The request body must be an object with "inputs".');
  const { parameters } = value;
  const key = ['inputs', 'instances'].find((name) => Object.hasOwn(value, name));
  if (key === undefined) throw invalid('The request body has no "inputs".');
  const inputs = value[key] as Json;
  if (typeof inputs === 'string') return { texts: checkTexts([inputs]), topK: topKOf(parameters) };
  if (!isArray(inputs)) throw invalid('"inputs" must be a text or a list of texts.');
  return { texts: checkTexts(inputs), topK: topKOf(parameters) };
}

function checkTexts(inputs: readonly Json[]): readonly string[] {
  if (inputs.length === 0) throw invalid('"inputs" must hold at least one text.');
  if (inputs.length > MAX_INPUTS) {
    throw invalid(`"inputs" holds ${inputs.length} texts; at most ${MAX_INPUTS} are allowed.`);
  }
  return inputs.map((input, index) => {
    if (typeof input !== 'string') throw invalid(`inputs[${index}] is not a text.`);
    if (input.length > MAX_TEXT_CHARS) {
      throw invalid(`inputs[${index}] has more than ${MAX_TEXT_CHARS} characters.`);
    }
    return input;
  });
}

function topKOf(parameters: Json | undefined): number | null {
  if (parameters === undefined || parameters === null) return null;
  if (!isObject(parameters)) throw invalid('"parameters" must be an object.');
  const topK = Object.hasOwn(parameters, 'top_k') ? parameters.top_k : undefined;
  if (topK === undefined || topK === null) return null;
  if (typeof topK !== 'number' || !Number.isInteger(topK) || topK < 1) {
    throw invalid('"parameters.top_k" must be a whole number of at least 1.');
  }
  return topK;
}
