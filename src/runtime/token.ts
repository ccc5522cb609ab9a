/**
 * Callback tokens: the attempt they stand for, and a proof that this engine made them. A token of an
 * earlier attempt, or of a journal that was rolled back, carries another nonce and is stale.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { TaskRef } from '../core/stimulus.js';
import type { ExecutionArn } from '../lib/brand.js';
import type { Store } from '../store/store.js';

export interface TokenContent {
  readonly arn: ExecutionArn;
  readonly task: TaskRef;
}

/** Longest token the API takes. */
const MAX_TOKEN_LENGTH = 2048;

/** One key per store: tokens handed out before a restart stay valid. */
export async function tokenKey(store: Store): Promise<string> {
  const known = await store.documents.get('secret', 'task-token-key');
  if (known !== null) return known.body as string;
  const made = randomBytes(32).toString('hex');
  const put = await store.documents.put('secret', 'task-token-key', made, null);
  return put === 'conflict' ? tokenKey(store) : made;
}

export function makeToken(key: string, arn: string, task: TaskRef): string {
  const body = Buffer.from(JSON.stringify([arn, task.frame, task.scheduled, task.nonce]));
  return `${body.toString('base64url')}.${sign(key, body).toString('base64url')}`;
}

/** Null unless `token` was made with `key`. */
export function readToken(key: string, token: string): TokenContent | null {
  if (token.length > MAX_TOKEN_LENGTH) return null;
  const [bodyText, signature, more] = token.split('.');
  if (bodyText === undefined || signature === undefined || more !== undefined) return null;
  const body = Buffer.from(bodyText, 'base64url');
  const given = Buffer.from(signature, 'base64url');
  const expected = sign(key, body);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
  const [arn, frame, scheduled, nonce] = JSON.parse(body.toString('utf8'));
  return { arn, task: { frame, scheduled, nonce } };
}

function sign(key: string, body: Buffer): Buffer {
  return createHmac('sha256', key).update(body).digest();
}
