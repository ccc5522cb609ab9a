/**
 * What a client sends to `/invocations` and what it gets back: `{"inputs": text or texts}` as JSON,
 * or one text as text/plain. Every way to send something else has its own sentence.
 */
import { exceedsDepth, isArray, isObject, type Json } from '../lib/json.js';
import { invalid } from './errors.js';
import { MAX_BODY_DEPTH, MAX_INPUTS, MAX_TEXT_CHARS } from './limits.js';
import type { Invocation } from './supervisor.js';

export interface InvocationRequest {
  readonly texts: readonly string[];
  /** Scores of that many labels for each text, best first; null for the best label alone. */
  readonly topK: number | null;
}

export function readInvocation(body: Uint8Array, contentType: string): InvocationRequest {
  const type = (contentType.split(';')[0] ?? '').trim().toLowerCase();
  const text = decode(body);
  if (type === 'text/plain') return { texts: checkTexts([text]), topK: null };
  if (type !== '' && type !== 'application/json' && !type.endsWith('+json')) {
    throw invalid(
      `Content-Type "${type.slice(0, 100)}" is not supported; send application/json or text/plain.`,
      415,
    );
  }
  return fromJson(parse(text));
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

function decode(body: Uint8Array): string {
  if (body.length === 0)
    throw invalid('The request body is empty; send {"inputs": ["text", ...]}.');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw invalid('The request body is not valid UTF-8.');
  }
}

function parse(text: string): Json {
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
  const { inputs, parameters } = value;
  if (!Object.hasOwn(value, 'inputs') || inputs === undefined) {
    throw invalid('The request body has no "inputs".');
  }
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
