/**
 * A configured URL as a function: POST the parameters as JSON, a 2xx answer's JSON is the result.
 * It goes out through the guarded fetch only; the idempotency key lets the server drop a repeat.
 */
import type { Json } from '../lib/json.js';
import type { FunctionTarget } from './config/function-target.js';
import { type Handler, type HandlerContext, TaskFailure } from './handler.js';
import { resolveSecret } from './secrets.js';

export type HttpTarget = Extract<FunctionTarget, { kind: 'http' }>;

/** How much of an error's body the cause repeats. */
const CAUSE_CHARACTERS = 4_000;
/** Far above what a state may return (256 KiB), far below what hurts. */
const MAX_ANSWER_BYTES = 5 * 1024 * 1024;

export function createHttpHandler(name: string, target: HttpTarget): Handler {
  return {
    resource: name,
    description: target.description ?? `POSTs to ${target.url}`,
    parameters: {},
    onWorkerLost: target.onWorkerLost,
    run: (parameters, context) => post(target, parameters, context),
  };
}

async function post(target: HttpTarget, parameters: Json, context: HandlerContext): Promise<Json> {
  const headers = new Headers({
    'content-type': 'application/json',
    accept: 'application/json',
    'idempotency-key': context.idempotencyKey,
    ...(context.taskToken === null ? {} : { 'x-stepwell-task-token': context.taskToken }),
  });
  for (const [key, value] of Object.entries(target.headers)) {
    headers.set(key, resolveSecret(value, context.secret));
  }
  let status: number;
  let text: string;
  try {
    const response = await context.fetch(target.url, {
      method: 'POST',
      headers,
      body: JSON.stringify(parameters),
      signal: context.signal,
    });
    status = response.status;
    text = await readText(response, target.url);
  } catch (error) {
    throw socketFailure(error, target.url, context.signal);
  }
  if (status < 200 || status > 299) {
    throw new TaskFailure(`States.Http.StatusCode.${status}`, text.slice(0, CAUSE_CHARACTERS));
  }
  return parseBody(text, target.url);
}

async function readText(response: Response, url: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) {
      throw new TaskFailure(
        'Http.TooLarge',
        `The answer of ${url} exceeds ${MAX_ANSWER_BYTES} bytes.`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseBody(text: string, url: string): Json {
  if (text.trim() === '') return null;
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw new TaskFailure(
      'Http.InvalidOutput',
      `${url} answered with something that is not JSON: ${text.slice(0, 200)}`,
    );
  }
}

function socketFailure(error: unknown, url: string, signal: AbortSignal): unknown {
  if (error instanceof TaskFailure) return error;
  if (signal.aborted) return signal.reason;
  const { message, cause } = error as Error;
  const detail = cause instanceof Error ? cause.message : message;
  return new TaskFailure('States.Http.Socket', `No answer from ${url}: ${detail}`);
}
