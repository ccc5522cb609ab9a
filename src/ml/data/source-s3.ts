/**
 * Rows from S3 or a store that speaks its protocol. The only hosts it will ever call are Amazon's own and
 * the endpoints the operator configured: whatever the parameters say, no other address can be reached.
 * Credentials are explicit: the SDK never searches files or instance metadata.
 */
import { Readable } from 'node:stream';
import { guarded } from './bytes.js';
import {
  accessDenied,
  badParameters,
  isNamed,
  notFound,
  reasonOf,
  unreachable,
} from './data-failure.js';
import type { ByteSource } from './formats.js';

export interface S3Source {
  readonly uri: string;
  readonly endpoint?: string;
  readonly region?: string;
  readonly forcePathStyle?: boolean;
  readonly versionId?: string;
  /** Names of secrets, never values; or `anonymous`. */
  readonly credentials?:
    | 'anonymous'
    | {
        readonly accessKeyId: string;
        readonly secretAccessKey: string;
        readonly sessionToken?: string;
      };
}

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** What the operator configures; parameters of a state machine cannot widen it. */
export interface S3Settings {
  /** Used when the source names none; absent: AWS. */
  readonly endpoint?: string;
  /** Further endpoints a source may name. */
  readonly endpoints?: readonly string[];
  readonly region?: string;
  readonly forcePathStyle?: boolean;
  readonly credentials?: S3Credentials | 'anonymous' | (() => Promise<S3Credentials>);
}

export interface S3World {
  readonly signal: AbortSignal;
  readonly idleMs: number;
  readonly settings: S3Settings;
  secret(name: string): string;
}

export async function s3Source(source: S3Source, world: S3World): Promise<ByteSource> {
  const { bucket, key } = parseUri(source.uri);
  const endpoint = allowedEndpoint(source, world.settings);
  const { S3Client, GetObjectCommand } = await import('@aws-sdk/client-s3');
  const anonymous = isAnonymous(source, world.settings);
  const client = new S3Client({
    region: source.region ?? world.settings.region ?? 'us-east-1',
    ...(endpoint === null ? {} : { endpoint }),
    forcePathStyle: source.forcePathStyle ?? world.settings.forcePathStyle ?? endpoint !== null,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: 3,
    requestHandler: fetchHandler(hostTest(endpoint), world.idleMs),
    ...(anonymous
      ? { signer: { sign: async <T>(request: T) => request } }
      : { credentials: credentialsOf(source, world) }),
  });
  const place = source.uri + (endpoint === null ? '' : ` at ${endpoint}`);
  try {
    const version = source.versionId === undefined ? {} : { VersionId: source.versionId };
    const command = new GetObjectCommand({ Bucket: bucket, Key: key, ...version });
    const answer = await client.send(command, { abortSignal: world.signal });
    const body = answer.Body as unknown as Readable;
    return {
      place,
      name: key,
      contentType: answer.ContentType ?? null,
      discard: async () => void body.destroy(),
      body: guarded(body, { idleMs: world.idleMs, signal: world.signal, place }),
    };
  } catch (error) {
    throw world.signal.aborted ? error : s3Failure(error, place, bucket);
  }
}

/** Amazon's own hosts, or exactly the configured endpoint (bucket as a path or as a subdomain). */
function hostTest(endpoint: string | null): (hostname: string) => boolean {
  if (endpoint === null) return (host) => /^[a-z0-9.-]+\.amazonaws\.com(\.cn)?$/i.test(host);
  const own = new URL(endpoint).hostname.toLowerCase();
  return (host) => host.toLowerCase() === own || host.toLowerCase().endsWith(`.${own}`);
}

function parseUri(uri: string): { bucket: string; key: string } {
  const match = /^s3:\/\/([A-Za-z0-9._-]+)\/(.+)$/.exec(uri);
  if (match === null) {
    throw badParameters(`"${uri}" is no address of an object: expected s3://bucket/key.`);
  }
  return { bucket: match[1] as string, key: match[2] as string };
}

function allowedEndpoint(source: S3Source, settings: S3Settings): string | null {
  const wanted = source.endpoint ?? settings.endpoint ?? null;
  if (wanted === null) return null;
  const known = [settings.endpoint, ...(settings.endpoints ?? [])].map(normalised);
  if (known.includes(normalised(wanted))) return wanted;
  throw accessDenied(
    `the S3 endpoint ${wanted} is not configured: the operator adds it to s3.endpoints of the ml:ingest handler.`,
  );
}

function normalised(endpoint: string | undefined): string {
  return (endpoint ?? '').toLowerCase().replace(/\/+$/, '');
}

function isAnonymous(source: S3Source, settings: S3Settings): boolean {
  return (source.credentials ?? settings.credentials) === 'anonymous';
}

function credentialsOf(source: S3Source, world: S3World) {
  const named = source.credentials;
  if (named !== undefined && named !== 'anonymous') {
    return {
      accessKeyId: world.secret(named.accessKeyId),
      secretAccessKey: world.secret(named.secretAccessKey),
      ...(named.sessionToken === undefined
        ? {}
        : { sessionToken: world.secret(named.sessionToken) }),
    };
  }
  const configured = world.settings.credentials;
  if (typeof configured === 'function') return configured;
  if (configured !== undefined && configured !== 'anonymous') return revealed(configured, world);
  throw accessDenied(
    `${source.uri}: no credentials. Name two secrets in source.credentials ` +
      '{accessKeyId, secretAccessKey}, or set it to "anonymous" for a public bucket.',
  );
}

/** A configured value may be `secret://name`. */
function revealed(configured: S3Credentials, world: S3World): S3Credentials {
  const reveal = (value: string) =>
    value.startsWith('secret://') ? world.secret(value.slice('secret://'.length)) : value;
  const { accessKeyId, secretAccessKey, sessionToken } = configured;
  return {
    accessKeyId: reveal(accessKeyId),
    secretAccessKey: reveal(secretAccessKey),
    ...(sessionToken === undefined ? {} : { sessionToken: reveal(sessionToken) }),
  };
}

type SdkRequest = {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly query?: { readonly [name: string]: string | readonly string[] | null };
  readonly method: string;
  readonly headers: { readonly [name: string]: string };
};

/** Set by fetch itself, or refused by it. */
const OWN_HEADERS = new Set([
  'host',
  'content-length',
  'connection',
  'expect',
  'transfer-encoding',
]);

/** The SDK's transport on top of `fetch`; redirects are not followed, a signature belongs to one host. */
function fetchHandler(mayCall: (hostname: string) => boolean, idleMs: number) {
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    async handle(request: SdkRequest, options: { abortSignal?: unknown } = {}) {
      if (!mayCall(request.hostname)) {
        throw accessDenied(`the S3 host ${request.hostname} is neither Amazon's nor configured.`);
      }
      const silence = new AbortController();
      const timer = setTimeout(() => silence.abort(), idleMs);
      const outer = options.abortSignal instanceof AbortSignal ? [options.abortSignal] : [];
      try {
        const answer = await fetch(urlOf(request), {
          method: request.method,
          headers: Object.entries(request.headers).filter(([name]) => !OWN_HEADERS.has(name)),
          redirect: 'manual',
          signal: AbortSignal.any([silence.signal, ...outer]),
        });
        const web = answer.body as Parameters<typeof Readable.fromWeb>[0] | null;
        const body = web === null ? Readable.from([]) : Readable.fromWeb(web);
        const headers = Object.fromEntries(answer.headers);
        return { response: { statusCode: answer.status, headers, body } };
      } finally {
        clearTimeout(timer);
      }
    },
    destroy() {},
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
  };
}

function urlOf(request: SdkRequest): string {
  const port = request.port === undefined ? '' : `:${request.port}`;
  const pairs = Object.entries(request.query ?? {}).flatMap(([name, value]) =>
    (value === null ? [''] : [value].flat()).map((one): [string, string] => [name, one as string]),
  );
  const search = pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`;
  return `${request.protocol}//${request.hostname}${port}${request.path}${search}`;
}

function s3Failure(error: unknown, place: string, bucket: string): Error {
  if (isNamed(error)) return error;
  const name = (error as { name?: string }).name ?? '';
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
  if (name === 'NoSuchBucket') return notFound(`${place}: there is no bucket "${bucket}".`);
  if (name === 'NoSuchKey' || name === 'NoSuchVersion' || status === 404) {
    return notFound(`${place}: there is no such object.`);
  }
  if (name === 'PermanentRedirect' || status === 301 || status === 307) {
    return unreachable(`${place}: the bucket lies in another region, set region.`);
  }
  if (status === 401 || status === 403) {
    const why = name === '' ? String(status) : name;
    return accessDenied(`${place}: ${why}. Check the key, its policy and the clock.`);
  }
  return unreachable(`${place}: ${reasonOf(error)}.`);
}
