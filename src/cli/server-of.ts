/**
 * The `stepwell serve` that drives a store which this process may not open: what one wants of it is
 * asked over its REST face.
 */
import { isObject, type Json, type JsonObject } from '../lib/json.js';
import { liveServers } from '../serving/index.js';
import { StoreUnavailable } from '../store/unavailable.js';
import { Problem } from './problem.js';

const TIMEOUT_MS = 10_000;

/** Null when the error says nothing of a process that serves this home here. */
export async function serverThatOwns(home: string, error: unknown): Promise<string | null> {
  if (!(error instanceof StoreUnavailable)) return null;
  const servers = await liveServers(home);
  const owner = servers.find(({ pid }) => error.message.includes(`process ${pid} `));
  return owner?.url ?? null;
}

/** Throws what the server refuses, in its words. */
export async function askServer(url: string, path: string, body: JsonObject): Promise<Json> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const answer = (await response.json().catch(() => null)) as Json;
  if (response.ok) return answer;
  if (response.status === 401 || response.status === 403) {
    throw new Problem(
      `The server at ${url} drives this store and wants signed requests.`,
      `Use the AWS command line with its keys: aws stepfunctions … --endpoint-url ${url}`,
    );
  }
  const detail = isObject(answer) ? answer.detail : null;
  throw new Problem(typeof detail === 'string' ? detail : `${url} answered ${response.status}.`);
}
