/** Small documents in the Redis store: one kind is one slot, compare-and-set by revision in a script. */
import { randomUUID } from 'node:crypto';
import type { Json } from '../lib/json.js';
import type { KeySpace } from './redis-keys.js';
import type { RedisLink } from './redis-link.js';
import { LIST_DOCUMENTS, PUT_DOCUMENT, REMOVE_DOCUMENT } from './redis-document-scripts.js';
import type { Document, DocumentStore, Page } from './store.js';

export class RedisDocuments implements DocumentStore {
  readonly #session = randomUUID();
  #puts = 0;

  constructor(
    private readonly link: RedisLink,
    private readonly keys: KeySpace,
    private readonly refuseWrites: () => void,
  ) {}

  async get(kind: string, id: string): Promise<Document | null> {
    const [bodies] = this.keys.documents(kind);
    const stored = await this.link.field(bodies, id);
    return stored === null ? null : toDocument(id, stored);
  }

  async put(
    kind: string,
    id: string,
    body: Json,
    expected: number | null | 'any',
  ): Promise<number | 'conflict'> {
    this.refuseWrites();
    this.#puts += 1;
    const token = `${this.#session}.${this.#puts}`;
    const args = [id, JSON.stringify(body), expected ?? '', token];
    const revision = await this.link.eval(PUT_DOCUMENT, this.keys.documents(kind), args);
    return revision === -1 ? 'conflict' : (revision as number);
  }

  async remove(kind: string, id: string): Promise<boolean> {
    this.refuseWrites();
    return (await this.link.evalOnce(REMOVE_DOCUMENT, this.keys.documents(kind), [id])) === 1;
  }

  async list(
    kind: string,
    options: { readonly prefix?: string; readonly limit: number; readonly token: string | null },
  ): Promise<Page<Document>> {
    const { prefix = '', limit, token } = options;
    const args = [prefix, token ?? '', limit + 1];
    const stored = await this.link.eval(LIST_DOCUMENTS, this.keys.documents(kind), args);
    const found: Document[] = [];
    const texts = stored as string[];
    for (let at = 0; at + 1 < texts.length; at += 2) {
      found.push(toDocument(texts[at] as string, texts[at + 1] as string));
    }
    const items = found.slice(0, limit);
    return { items, next: found.length > limit ? (items.at(-1)?.id ?? null) : null };
  }
}

/** `revision token`, and the body on the next line. */
function toDocument(id: string, stored: string): Document {
  const line = stored.indexOf('\n');
  return {
    id,
    revision: Number.parseInt(stored, 10),
    body: JSON.parse(stored.slice(line + 1)) as Json,
  };
}
