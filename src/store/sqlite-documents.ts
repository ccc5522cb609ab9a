/** Small documents in the SQLite store: compare-and-set by revision, durable before they answer. */
import type { Json } from '../lib/json.js';
import type { DocumentCache } from './sqlite-document-cache.js';
import type { SqliteDatabase, SqlValue } from './sqlite-file.js';
import { textKey } from './sqlite-rows.js';
import { asBytes, withTexts } from './sqlite-text.js';
import { WRITE } from './sqlite-writes.js';
import type { Document, DocumentStore, Page } from './store.js';

/** Sorts after every id with the same prefix. */
const LAST_CHARACTER = '\u{10ffff}';

const COLUMNS = `${asBytes('id')}, revision, ${asBytes('body')}`;

export interface DocumentAccess {
  readonly database: SqliteDatabase;
  /** Runs a read, with SQLite's errors explained. */
  read<T>(query: () => T): T;
  /** Hands a write as values to the queue. */
  send<T>(encode: (values: SqlValue[]) => void): Promise<T>;
}

interface DocumentRecord {
  readonly id: string;
  readonly revision: number;
  readonly body: string;
}

export class SqliteDocuments implements DocumentStore {
  readonly #get;
  readonly #list;

  constructor(
    private readonly access: DocumentAccess,
    /** Null where another process may write. */
    private readonly cache: DocumentCache | null,
  ) {
    const { database } = access;
    this.#get = database.prepare(`SELECT ${COLUMNS} FROM documents WHERE kind = ? AND id = ?`);
    this.#list = database.prepare(
      `SELECT ${COLUMNS} FROM documents
       WHERE kind = ? AND id > ? AND id >= ? AND id <= ?
       ORDER BY documents.id LIMIT ?`,
    );
  }

  async get(kind: string, id: string): Promise<Document | null> {
    const kept = this.access.read(() => this.cache?.get(kind, id));
    if (kept !== undefined) return kept;
    const [record] = this.access.read(() => withTexts(this.#get.all([kind, id])));
    if (record === undefined) return null;
    const document = toDocument(record as DocumentRecord);
    return this.cache?.keep(kind, document, (record as DocumentRecord).body.length) ?? document;
  }

  async put(
    kind: string,
    id: string,
    body: Json,
    expected: number | null | 'any',
  ): Promise<number | 'conflict'> {
    const text = JSON.stringify(body);
    const write = this.access.send<number | 'conflict'>((values) => {
      values.push(WRITE.putDocument, textKey(kind), textKey(id), text, expected);
    });
    return this.cache?.during(kind, id, write) ?? write;
  }

  async remove(kind: string, id: string): Promise<boolean> {
    const write = this.access.send<boolean>((values) => {
      values.push(WRITE.removeDocument, kind, id);
    });
    return this.cache?.during(kind, id, write) ?? write;
  }

  async list(
    kind: string,
    options: { readonly prefix?: string; readonly limit: number; readonly token: string | null },
  ): Promise<Page<Document>> {
    const { prefix = '', limit, token } = options;
    const bounds = [kind, token ?? '', prefix, prefix + LAST_CHARACTER, limit + 1];
    const records = this.access.read(() => withTexts(this.#list.all(bounds))) as DocumentRecord[];
    const items = records.slice(0, limit).map(toDocument);
    return { items, next: records.length > limit ? (items.at(-1)?.id ?? null) : null };
  }
}

/** The writes of documents on one connection, inside the caller's transaction. */
export class DocumentWrites {
  readonly #revision;
  readonly #put;
  readonly #remove;

  constructor(database: SqliteDatabase) {
    this.#revision = database.prepare('SELECT revision FROM documents WHERE kind = ? AND id = ?');
    this.#put = database.prepare(
      `INSERT INTO documents (kind, id, revision, body) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET revision = excluded.revision, body = excluded.body`,
    );
    this.#remove = database.prepare('DELETE FROM documents WHERE kind = ? AND id = ?');
  }

  put(kind: string, id: string, body: string, expected: SqlValue): number | 'conflict' {
    const [record] = this.#revision.all([kind, id]) as { revision: number }[];
    const current = record?.revision ?? null;
    if (expected !== 'any' && expected !== current) return 'conflict';
    const revision = (current ?? 0) + 1;
    this.#put.run([kind, id, revision, body]);
    return revision;
  }

  remove(kind: string, id: string): boolean {
    return this.#remove.run([kind, id]).changes > 0;
  }
}

function toDocument({ id, revision, body }: DocumentRecord): Document {
  return { id, revision, body: JSON.parse(body) as Json };
}
