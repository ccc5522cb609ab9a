/**
 * Where large payloads lie, by content hash below the execution they belong to: removing an execution
 * removes its payloads, and nothing has to be counted. A payload is durable before the commit that
 * refers to it; what a lost commit left behind goes with its execution.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { ExecutionArn } from '../lib/brand.js';
import { sha256 } from '../lib/digest.js';
import type { Payload } from './claims.js';
import { StoreUnavailable } from './unavailable.js';

export interface PayloadPlace {
  /** `folder:/path` or `s3://bucket/prefix`. */
  readonly location: string;
  /** Durable when it resolves. */
  put(arn: ExecutionArn, payload: Payload): Promise<void>;
  /** Null when it is not there or not what its hash says. */
  get(arn: ExecutionArn, hash: string): Promise<string | null>;
  remove(arn: ExecutionArn): Promise<void>;
  /** Executions that have payloads here, last changed before `before` (epoch ms). */
  owners(before: number): AsyncIterable<ExecutionArn>;
}

const OWNER_FILE = 'execution';

/** Name of an execution's folder: no text of a user's in paths and keys. */
export function ownerName(arn: ExecutionArn): string {
  return sha256(arn).slice(0, 32);
}

export function verified(text: string, hash: string): string | null {
  return sha256(text) === hash ? text : null;
}

export class FolderPayloads implements PayloadPlace {
  readonly location: string;
  readonly #root: string;
  /** Folders that were made and synced by this process. */
  readonly #made = new Set<string>();

  constructor(root: string) {
    this.#root = resolve(root);
    this.location = `folder:${this.#root}`;
  }

  async put(arn: ExecutionArn, { hash, text }: Payload): Promise<void> {
    const folder = this.#folderOf(arn);
    try {
      await this.#make(folder, arn);
      const file = join(folder, hash);
      if ((await stat(file).catch(() => null)) !== null) return;
      const part = join(folder, `.${hash}.${randomUUID()}`);
      const handle = await open(part, 'wx', 0o600);
      try {
        await handle.writeFile(text);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(part, file);
      await syncFolder(folder);
    } catch (error) {
      this.#made.delete(folder);
      throw this.#unavailable(error);
    }
  }

  async get(arn: ExecutionArn, hash: string): Promise<string | null> {
    try {
      return verified(await readFile(join(this.#folderOf(arn), hash), 'utf8'), hash);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw this.#unavailable(error);
    }
  }

  async remove(arn: ExecutionArn): Promise<void> {
    const folder = this.#folderOf(arn);
    this.#made.delete(folder);
    await rm(folder, { recursive: true, force: true });
  }

  async *owners(before: number): AsyncGenerator<ExecutionArn> {
    const shards = await readdir(this.#root).catch(() => []);
    for (const shard of shards) {
      for (const name of await readdir(join(this.#root, shard)).catch(() => [])) {
        const file = join(this.#root, shard, name, OWNER_FILE);
        const changed = await stat(dirname(file)).catch(() => null);
        if (changed === null || changed.mtimeMs >= before) continue;
        const arn = await readFile(file, 'utf8').catch(() => null);
        if (arn !== null) yield arn as ExecutionArn;
      }
    }
  }

  #folderOf(arn: ExecutionArn): string {
    const name = ownerName(arn);
    return join(this.#root, name.slice(0, 2), name);
  }

  async #make(folder: string, arn: ExecutionArn): Promise<void> {
    if (this.#made.has(folder)) return;
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, OWNER_FILE), arn, { flush: true });
    await syncFolder(dirname(folder));
    if (this.#made.size > 10_000) this.#made.clear();
    this.#made.add(folder);
  }

  #unavailable(error: unknown): StoreUnavailable {
    return new StoreUnavailable(
      `Payloads cannot be kept in ${this.#root}: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

/** A name is durable when its folder is. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
