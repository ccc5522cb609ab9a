/**
 * The `stepwell serve` that drives a store which this process may not open: what one wants of it is
 * asked over its REST face.
 */
import { loadConfig } from '../handlers/config/load.js';
import { isObject, type Json, type JsonObject } from '../lib/json.js';
import { liveServers } from '../serving/index.js';
import { StoreUnavailable } from '../store/unavailable.js';
import { Problem } from './problem.js';

const TIMEOUT_MS = 10_000;

/** Does it here; where a server of this folder drives the store, asks that one. */
export async function hereOrAtServer<T>(
  here: () => Promise<T>,
  there: (url: string) => Promise<T>,
): Promise<T> {
  try {
    return await here();
  } catch (error) {
    const url = await serverThatOwns(error);
    if (url === null) throw error;
    return there(url);
  }
}

/** Null when the error says nothing of a process that serves this folder. */
async function serverThatOwns(error: unknown): Promise<string | null> {
  if (!(error instanceof StoreUnavailable)) return null;
  const { stateFolder } = await loadConfig(null, process.cwd());
  const servers = await liveServers(stateFolder);
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
