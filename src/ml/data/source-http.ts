/** Rows from an HTTP API or file server, through the guarded `fetch` only. */
import type { JsonObject } from '../../lib/json.js';
import { guarded } from './bytes.js';
import {
  accessDenied,
  badParameters,
  type DataFailure,
  isNamed,
  notFound,
  publicUrl,
  reasonOf,
  unreachable,
} from './data-failure.js';
import type { ByteSource } from './formats.js';

export interface HttpSource {
  readonly url: string;
  readonly method?: string;
  readonly headers?: { readonly [name: string]: string };
  readonly body?: string | JsonObject;
}

export interface HttpWorld {
  readonly fetch: typeof globalThis.fetch;
  readonly signal: AbortSignal;
  readonly idleMs: number;
  /** Replaces `secret://name` by its value. */
  reveal(text: string): string;
}

export async function httpSource(source: HttpSource, world: HttpWorld): Promise<ByteSource> {
  const url = world.reveal(source.url);
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw badParameters(`"${source.url}" is no http or https address.`);
  }
  const place = publicUrl(source.url);
  const response = await request(url, place, source, world);
  if (!response.ok) {
    await response.body?.cancel().catch(() => undefined);
    throw statusFailure(response.status, place);
  }
  if (response.body === null) throw unreachable(`${place}: the answer has no body.`);
  const { body } = response;
  return {
    place,
    name: nameOf(response.url === '' ? url : response.url, url),
    contentType: response.headers.get('content-type'),
    discard: () => body.cancel().catch(() => undefined),
    body: guarded(body, { idleMs: world.idleMs, signal: world.signal, place }),
  };
}

async function request(
  url: string,
  place: string,
  source: HttpSource,
  world: HttpWorld,
): Promise<Response> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(new Error('no answer in time')), world.idleMs);
  try {
    return await world.fetch(url, {
      method: source.method ?? 'GET',
      headers: headersOf(source, world),
      body: bodyOf(source, world),
      signal: AbortSignal.any([world.signal, silence.signal]),
    });
  } catch (error) {
    if (isNamed(error) || world.signal.aborted) throw error;
    if (silence.signal.aborted) {
      throw unreachable(`${place}: no answer within ${world.idleMs / 1000} s.`);
    }
    throw unreachable(`${place}: ${reasonOf(error)}.`);
  } finally {
    // The timer covers the wait for the head; `guarded` watches the body.
    clearTimeout(timer);
  }
}

function headersOf(source: HttpSource, world: HttpWorld): [string, string][] {
  const headers: [string, string][] = Object.entries(source.headers ?? {}).map(([name, value]) => [
    name,
    world.reveal(value),
  ]);
  const has = (name: string) => headers.some(([known]) => known.toLowerCase() === name);
  if (!has('accept')) {
    headers.push(['accept', 'text/csv, application/x-ndjson, application/json;q=0.9, */*;q=0.5']);
  }
  if (typeof source.body === 'object' && !has('content-type')) {
    headers.push(['content-type', 'application/json']);
  }
  return headers;
}

function bodyOf(source: HttpSource, world: HttpWorld): string | null {
  if (source.body === undefined) return null;
  const text = typeof source.body === 'string' ? source.body : JSON.stringify(source.body);
  return world.reveal(text);
}

function statusFailure(status: number, place: string): DataFailure {
  if (status === 404 || status === 410) {
    return notFound(`${place} answered ${status}: check the address.`);
  }
  if (status === 401 || status === 403 || status === 407) {
    return accessDenied(
      `${place} answered ${status}: give credentials in headers, for example ` +
        '"Authorization": "Bearer secret://my-token".',
    );
  }
  if (status === 429 || status >= 500) {
    return unreachable(`${place} answered ${status}: a Retry on DataSource.Unreachable may help.`);
  }
  return unreachable(`${place} answered ${status}: check method, address and body.`);
}

/** The name decides the format: that of the final address, or of the one asked for. */
function nameOf(final: string, asked: string): string {
  const path = new URL(final).pathname;
  return /\.\w+$/.test(path) ? path : new URL(asked).pathname;
}
