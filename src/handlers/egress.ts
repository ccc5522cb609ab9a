/**
 * The only way out over HTTP: `guardedFetch` resolves the name itself, refuses internal addresses that
 * the configuration does not allow, and connects to exactly the address it judged (so a name that
 * changes its answer gains nothing). Every redirect is judged again. No proxy, no cookies.
 */
import { lookup as dnsLookup } from 'node:dns/promises';
import http from 'node:http';
import https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { Readable } from 'node:stream';
import { type AllowList, isInternal, parseAllowList } from './egress-addresses.js';
import { TaskFailure } from './handler.js';

export interface Address {
  readonly address: string;
  readonly family: number;
}

export interface EgressOptions {
  /** Hosts and ranges that may be reached although they are internal. */
  readonly allow: readonly string[];
  readonly maxResponseBytes: number;
  /** Longest silence: until the answer begins, and between two pieces of it. */
  readonly timeoutMs: number;
  /** Name resolution; a test gives its own. */
  readonly resolve?: (hostname: string) => Promise<readonly Address[]>;
}

/** The error name of a refused address. */
export const EGRESS_REFUSED = 'Egress.Refused';
const MAX_REDIRECTS = 3;
/** Headers that may follow a redirect to another origin; all others may carry credentials. */
const HARMLESS_HEADERS = /^(accept|accept-language|content-type|user-agent)$/;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const NO_BODY = new Set([101, 204, 205, 304]);

export function createGuardedFetch(options: EgressOptions): typeof globalThis.fetch {
  const guard: Guard = {
    options,
    allow: parseAllowList(options.allow),
    resolve: options.resolve ?? ((hostname) => dnsLookup(hostname, { all: true })),
  };
  return async (input, init) => {
    const request = new Request(input, init);
    const body = request.body === null ? null : new Uint8Array(await request.arrayBuffer());
    let hop: Hop = {
      url: new URL(request.url),
      method: request.method,
      headers: request.headers,
      body,
    };
    for (let redirects = 0; ; redirects += 1) {
      const response = await send(guard, hop, request.signal);
      const location = response.headers.get('location');
      if (!REDIRECTS.has(response.status) || location === null || request.redirect === 'manual') {
        return response;
      }
      await response.body?.cancel();
      if (request.redirect === 'error') throw new TypeError('fetch failed: unexpected redirect');
      if (redirects === MAX_REDIRECTS) {
        throw refused(`${request.url} redirects more than ${MAX_REDIRECTS} times.`);
      }
      hop = nextHop(hop, response.status, location);
    }
  };
}

interface Guard {
  readonly options: EgressOptions;
  readonly allow: AllowList;
  readonly resolve: (hostname: string) => Promise<readonly Address[]>;
}

interface Hop {
  readonly url: URL;
  readonly method: string;
  readonly headers: Headers;
  readonly body: Uint8Array | null;
}

async function send(guard: Guard, hop: Hop, signal: AbortSignal): Promise<Response> {
  signal.throwIfAborted();
  const pinned = await judge(guard, hop.url);
  const { timeoutMs, maxResponseBytes } = guard.options;
  const incoming = await exchange(hop, pinned, timeoutMs, signal);
  const status = incoming.statusCode ?? 0;
  const init = {
    status,
    statusText: incoming.statusMessage ?? '',
    headers: headersOf(incoming),
  };
  if (NO_BODY.has(status)) {
    incoming.resume();
    return new Response(null, init);
  }
  const declared = Number(incoming.headers['content-length'] ?? 0);
  if (declared > maxResponseBytes) {
    incoming.destroy();
    throw tooLarge(hop.url, maxResponseBytes);
  }
  const body = Readable.toWeb(Readable.from(limited(incoming, hop.url, maxResponseBytes)));
  return new Response(body as ReadableStream<Uint8Array>, init);
}

/** Resolves and judges; returns the address to connect to. */
async function judge(guard: Guard, url: URL): Promise<Address> {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw refused(`${url.protocol}// is not allowed; only http and https are.`);
  }
  if (url.username !== '' || url.password !== '') {
    throw refused(
      `The URL of ${url.host} carries credentials; put them into a header or a secret.`,
    );
  }
  const hostname = url.hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
  const addresses = await addressesOf(guard, hostname);
  const named = guard.allow.allowsHost(hostname, port);
  for (const { address } of addresses) {
    if (named || !isInternal(address) || guard.allow.allowsAddress(address, port)) continue;
    const shown = address === hostname ? address : `${hostname} (${address})`;
    throw refused(
      `${shown} is an internal address. To allow it add "egress": {"allow": ` +
        `["${isIP(hostname) === 6 ? `[${hostname}]` : hostname}:${port}"]} to stepwell.config.json.`,
    );
  }
  const [first] = addresses;
  if (first === undefined) throw new TypeError('fetch failed', { cause: noAddress(hostname) });
  return first;
}

async function addressesOf(guard: Guard, hostname: string): Promise<readonly Address[]> {
  const family = isIP(hostname);
  if (family !== 0) return [{ address: hostname, family }];
  try {
    return await guard.resolve(hostname);
  } catch (cause) {
    throw new TypeError('fetch failed', { cause });
  }
}

function exchange(
  hop: Hop,
  pinned: Address,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<http.IncomingMessage> {
  const { url, method, headers, body } = hop;
  return new Promise((resolve, reject) => {
    const outgoing = (url.protocol === 'https:' ? https : http).request(url, {
      method,
      headers: { ...Object.fromEntries(headers), 'accept-encoding': 'identity' },
      lookup: answerWith(pinned),
      agent: false, // A pooled socket could be one that was judged under another name.
      signal,
      timeout: timeoutMs,
    });
    outgoing.once('response', resolve);
    outgoing.once('timeout', () => {
      outgoing.destroy(new Error(`${url.host} said nothing for ${timeoutMs} ms`));
    });
    outgoing.once('error', (cause) => {
      reject(signal.aborted ? signal.reason : new TypeError('fetch failed', { cause }));
    });
    outgoing.end(body ?? undefined);
  });
}

/** The resolver that the socket asks: it knows one answer. */
function answerWith({ address, family }: Address): LookupFunction {
  return (_hostname, options, callback) => {
    if (options.all === true) callback(null, [{ address, family }]);
    else callback(null, address, family);
  };
}

async function* limited(
  incoming: http.IncomingMessage,
  url: URL,
  limit: number,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limit) throw tooLarge(url, limit);
    yield new Uint8Array(chunk);
  }
}

/** What a browser does: 303, and 301 or 302 after a POST, turn into GET; other origins get no secrets. */
function nextHop(hop: Hop, status: number, location: string): Hop {
  const url = URL.canParse(location, hop.url.href) ? new URL(location, hop.url) : null;
  if (url === null) throw refused(`${hop.url.host} redirects to something that is no URL.`);
  if (hop.url.protocol === 'https:' && url.protocol === 'http:') {
    throw refused(`${hop.url.host} redirects from https to http.`);
  }
  const keepsBody = status === 307 || status === 308 || !/^(POST|PUT|PATCH)$/.test(hop.method);
  const becomesGet = status === 303 ? hop.method !== 'HEAD' : !keepsBody && hop.method === 'POST';
  const headers = new Headers(hop.headers);
  if (url.origin !== hop.url.origin) {
    for (const name of [...headers.keys()]) if (!HARMLESS_HEADERS.test(name)) headers.delete(name);
  }
  if (!becomesGet) return { ...hop, url, headers };
  headers.delete('content-type');
  return { url, method: 'GET', headers, body: null };
}

function headersOf(incoming: http.IncomingMessage): Headers {
  const headers = new Headers();
  const raw = incoming.rawHeaders;
  for (let at = 0; at + 1 < raw.length; at += 2) {
    headers.append(raw[at] as string, raw[at + 1] as string);
  }
  return headers;
}

function noAddress(hostname: string): Error {
  return new Error(`${hostname} has no address`);
}

function tooLarge(url: URL, limit: number): TaskFailure {
  return new TaskFailure(
    'Egress.TooLarge',
    `The answer of ${url.host} is larger than ${limit} bytes ("egress.maxResponseBytes").`,
  );
}

function refused(reason: string): TaskFailure {
  return new TaskFailure(EGRESS_REFUSED, reason);
}
