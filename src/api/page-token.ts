/**
 * Page tokens: opaque, bound to the operation and its filter, good for 24 hours as at AWS. The key
 * lies in the store, so a token outlives a restart and serves every server of one installation.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { EpochMs } from '../lib/brand.js';
import { canonicalJson, type Json } from '../lib/json.js';
import type { DocumentStore } from '../store/store.js';
import { invalidToken } from '../wire/errors.js';

const LIFETIME_MS = 24 * 3600 * 1000;
const MAC_BYTES = 12;

export class PageTokens {
  #key: Promise<Buffer> | null = null;

  constructor(
    private readonly documents: DocumentStore,
    private readonly now: () => EpochMs,
  ) {}

  async seal(cursor: string, filter: Json): Promise<string> {
    const body = Buffer.from(JSON.stringify([this.now() + LIFETIME_MS, cursor]), 'utf8');
    const mac = await this.mac(body, filter);
    return Buffer.concat([mac, body]).toString('base64url');
  }

  /** The cursor inside; throws InvalidToken for a forged, foreign or old token. */
  async open(token: string, filter: Json): Promise<string> {
    const bytes = Buffer.from(token, 'base64url');
    const body = bytes.subarray(MAC_BYTES);
    const mac = await this.mac(body, filter);
    if (bytes.length <= MAC_BYTES || !timingSafeEqual(bytes.subarray(0, MAC_BYTES), mac)) {
      throw invalidToken();
    }
    const [expiresAt, cursor] = JSON.parse(body.toString('utf8')) as [number, string];
    if (expiresAt < this.now()) throw invalidToken();
    return cursor;
  }

  private async mac(body: Buffer, filter: Json): Promise<Buffer> {
    // One that failed (the store is away) is not kept: the next call asks again.
    this.#key ??= this.loadKey().catch((error) => {
      this.#key = null;
      throw error;
    });
    const hmac = createHmac('sha256', await this.#key);
    hmac.update(canonicalJson(filter)).update('\n').update(body);
    return hmac.digest().subarray(0, MAC_BYTES);
  }

  private async loadKey(): Promise<Buffer> {
    const fresh = randomBytes(32).toString('hex');
    await this.documents.put('secret', 'page-tokens', fresh, null);
    const stored = await this.documents.get('secret', 'page-tokens');
    return Buffer.from((stored?.body as string | undefined) ?? fresh, 'hex');
  }
}
