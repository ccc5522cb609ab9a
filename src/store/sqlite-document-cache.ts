/**
 * Documents lately read, as the very same frozen objects: every start of an execution asks for its
 * machine. Only the process that drives the file keeps one, since no other writes there.
 */
import type { Json } from '../lib/json.js';
import type { Document } from './store.js';

/** Larger documents are read seldom; all together stay below the bound. */
const LARGEST_CHARACTERS = 1_000_000;
const MAX_CHARACTERS = 16_000_000;

export class DocumentCache {
  readonly #kept = new Map<string, Document>();
  #characters = 0;
  /** What is read while something is written may be what was there before. */
  #writes = 0;

  get(kind: string, id: string): Document | undefined {
    return this.#kept.get(keyOf(kind, id));
  }

  /** Keeps a document whose body is `characters` long. */
  keep(kind: string, document: Document, characters: number): Document {
    if (this.#writes > 0 || characters > LARGEST_CHARACTERS) return document;
    this.#characters += characters;
    if (this.#characters > MAX_CHARACTERS) this.#empty(characters);
    freeze(document.body);
    this.#kept.set(keyOf(kind, document.id), document);
    return document;
  }

  /** Nothing of this document is kept from before `write` until after it. */
  async during<T>(kind: string, id: string, write: Promise<T>): Promise<T> {
    this.#kept.delete(keyOf(kind, id));
    this.#writes += 1;
    try {
      return await write;
    } finally {
      this.#writes -= 1;
    }
  }

  #empty(characters: number): void {
    this.#kept.clear();
    this.#characters = characters;
  }
}

function keyOf(kind: string, id: string): string {
  return `${kind}\0${id}`;
}

function freeze(value: Json): void {
  if (typeof value !== 'object' || value === null) return;
  Object.freeze(value);
  for (const inner of Object.values(value)) freeze(inner);
}
