/**
 * AWS Signature Version 4, verified from the raw request: the body is hashed here, signed headers
 * are read as sent. One comparison, in constant time. Query-string (presigned) requests are refused.
 */
import { timingSafeEqual } from 'node:crypto';
import type { EpochMs } from '../lib/brand.js';
import {
  ALGORITHM,
  amzDate,
  canonicalRequest,
  type Headers,
  hmac,
  readHeaders,
  sha256,
  type SignedRequest,
  signingKey,
} from '../lib/sigv4.js';
import { ApiError } from '../wire/errors.js';
import type { AccessKey } from './config.js';
import { MAX_CLOCK_SKEW_MS } from './limits.js';

const SERVICE = 'states';
/** Whoever could change one of these unsigned could change what the request does. */
const MUST_SIGN = ['host', 'x-amz-date', 'x-amz-target', 'content-type'];

/** Throws AWS's error unless the request was signed with one of the keys. */
export function verifySignature(
  request: SignedRequest,
  keys: readonly AccessKey[],
  now: EpochMs,
): AccessKey {
  const headers = readHeaders(request.rawHeaders);
  const authorization = parseAuthorization(headers);
  const date = single(headers, 'x-amz-date');
  checkDate(date, now);
  const [accessKeyId, day, region, service, terminator] = authorization.credential;
  if (service !== SERVICE)
    badScope(`Credential should be scoped to correct service: '${SERVICE}'.`);
  if (terminator !== 'aws4_request') {
    badScope("Credential should be scoped with a valid terminator: 'aws4_request'.");
  }
  if (day !== date.slice(0, 8))
    badScope(
      'Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.',
    );
  for (const name of MUST_SIGN) {
    if (headers.has(name) && !authorization.signedHeaders.includes(name)) {
      mismatch(`'${name}' must be a 'SignedHeader' in the AWS Authorization.`);
    }
  }
  const key = keys.find((one) => one.accessKeyId === accessKeyId);
  if (key === undefined) {
    throw new ApiError(
      'UnrecognizedClientException',
      'The security token included in the request is invalid.',
    );
  }
  const scope = `${day}/${region}/${service}/aws4_request`;
  const canonical = canonicalRequest(request, headers, authorization.signedHeaders);
  if (canonical === null) mismatch();
  const toSign = [ALGORITHM, date, scope, sha256(canonical)].join('\n');
  const expected = hmac(signingKey(key.secretAccessKey, day, region as string, SERVICE), toSign);
  const given = Buffer.from(authorization.signature, 'hex');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) mismatch();
  return key;
}

/** A header that may be there once only: two of them could mean two things to two readers. */
function single(headers: Headers, name: string): string {
  const values = headers.get(name) ?? [];
  if (values.length > 1) mismatch(`Header '${name}' must appear once.`);
  return values[0] ?? '';
}

interface Authorization {
  readonly credential: readonly [string, string, ...string[]];
  readonly signedHeaders: readonly string[];
  readonly signature: string;
}

function parseAuthorization(headers: Headers): Authorization {
  const text = single(headers, 'authorization');
  if (text === '') {
    throw new ApiError('MissingAuthenticationTokenException', 'Missing Authentication Token');
  }
  if (!text.startsWith(`${ALGORITHM} `)) incomplete([], text);
  const parts = new Map<string, string>();
  for (const part of text.slice(ALGORITHM.length).split(',')) {
    const equals = part.indexOf('=');
    if (equals > 0) parts.set(part.slice(0, equals).trim(), part.slice(equals + 1).trim());
  }
  const missing = ['Credential', 'Signature', 'SignedHeaders'].filter((name) => !parts.get(name));
  const hasDate = single(headers, 'x-amz-date') !== '';
  if (missing.length > 0 || !hasDate) incomplete(missing, text, hasDate);
  const credential = (parts.get('Credential') as string).split('/');
  if (credential.length !== 5) {
    throw new ApiError(
      'IncompleteSignatureException',
      `Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '${credential.join('/')}'`,
    );
  }
  return {
    credential: credential as [string, string, ...string[]],
    signedHeaders: (parts.get('SignedHeaders') as string).toLowerCase().split(';'),
    signature: parts.get('Signature') as string,
  };
}

function incomplete(missing: readonly string[], text: string, hasDate = true): never {
  const wants = missing.map((name) => `Authorization header requires '${name}' parameter.`);
  if (!hasDate) {
    wants.push(
      "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
    );
  }
  throw new ApiError(
    'IncompleteSignatureException',
    [...wants, `Authorization=${algorithmOf(text)}`].join(' '),
  );
}

/** Never the credentials themselves: an Authorization of another scheme may hold a password. */
function algorithmOf(text: string): string {
  return text.split(' ')[0] ?? '';
}

const AMZ_DATE = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

function checkDate(text: string, now: EpochMs): void {
  const match = AMZ_DATE.exec(text);
  if (match === null) {
    throw new ApiError(
      'IncompleteSignatureException',
      `Date must be in ISO-8601 'basic format'. Got '${text}'.`,
    );
  }
  const [, year, month, day, hour, minute, second] = match;
  const at = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(at)) mismatch();
  const limits = [amzDate(now - MAX_CLOCK_SKEW_MS), amzDate(now), amzDate(now + MAX_CLOCK_SKEW_MS)];
  if (at < now - MAX_CLOCK_SKEW_MS) {
    mismatch(`Signature expired: ${text} is now earlier than ${limits[0]} (${limits[1]} - 5 min.)`);
  }
  if (at > now + MAX_CLOCK_SKEW_MS) {
    mismatch(
      `Signature not yet current: ${text} is still later than ${limits[2]} (${limits[1]} + 5 min.)`,
    );
  }
}

function badScope(message: string): never {
  throw new ApiError('InvalidSignatureException', message);
}

function mismatch(message?: string): never {
  throw new ApiError(
    'InvalidSignatureException',
    message ??
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
  );
}
