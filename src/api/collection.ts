/** One kind of document with its type: reads, compare-and-set changes, paged lists. */
import { assert } from '../lib/assert.js';
import type { Json } from '../lib/json.js';
import type { DocumentStore, Page } from '../store/store.js';

/** A change that loses this many races in a row is a livelock, not contention. */
const MAX_RACES = 1000;

export class Collection<T> {
  constructor(
    private readonly documents: DocumentStore,
    private readonly kind: string,
  ) {}

  async get(id: string): Promise<T | null> {
    const document = await this.documents.get(this.kind, id);
    return document === null ? null : (document.body as unknown as T);
  }

  /** False when there is a document of this id already. */
  async create(id: string, body: T): Promise<boolean> {
    return (await this.documents.put(this.kind, id, body as unknown as Json, null)) !== 'conflict';
  }

  /**
   * Applies `update` to the present body (null: none) until it is stored; `update` may throw, and
   * returns null to leave things as they are.
   */
  async change(id: string, update: (body: T | null) => T | null): Promise<T | null> {
    for (let race = 0; race < MAX_RACES; race++) {
      const document = await this.documents.get(this.kind, id);
      const present = document === null ? null : (document.body as unknown as T);
      const next = update(present);
      if (next === null) return present;
      const body = next as unknown as Json;
      const put = await this.documents.put(this.kind, id, body, document?.revision ?? null);
      if (put !== 'conflict') return next;
    }
    assert(false, `The ${this.kind} ${id} could not be changed: too many races.`);
  }

  remove(id: string): Promise<boolean> {
    return this.documents.remove(this.kind, id);
  }

  async page(prefix: string, limit: number, token: string | null): Promise<Page<T>> {
    const page = await this.documents.list(this.kind, { prefix, limit, token });
    return { items: page.items.map((one) => one.body as unknown as T), next: page.next };
  }

  async all(prefix: string): Promise<readonly T[]> {
    const found: T[] = [];
    let token: string | null = null;
    do {
      const page: Page<T> = await this.page(prefix, 500, token);
      found.push(...page.items);
      token = page.next;
    } while (token !== null);
    return found;
  }
}
