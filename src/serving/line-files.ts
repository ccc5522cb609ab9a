/**
 * Appending lines to files by the hour from a bounded queue: what clients send is written in the
 * background and never delays an answer; what the disk cannot take in time is dropped and counted.
 */
import { randomUUID } from 'node:crypto';
import { appendFile, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CAPTURE_QUEUE_BYTES } from './limits.js';

export interface LineFiles {
  /** False when the queue is full and the line was dropped. */
  offer(folder: string, line: string): boolean;
  flush(): Promise<void>;
  readonly dropped: number;
}

export function openLineFiles(now: () => number = Date.now): LineFiles {
  const queue = new Map<string, string[]>();
  /** One file an hour and process, named as SageMaker names captured data. */
  const suffix = randomUUID();
  let queuedBytes = 0;
  let dropped = 0;
  let flushing: Promise<void> = Promise.resolve();

  async function write(): Promise<void> {
    const full = [...queue];
    queue.clear();
    queuedBytes = 0;
    for (const [path, lines] of full) {
      try {
        await mkdir(dirname(path), { recursive: true });
        await appendFile(path, lines.join(''));
      } catch (error) {
        dropped += lines.length;
        throw error;
      }
    }
  }

  return {
    offer: (folder, line) => {
      if (queuedBytes + line.length > CAPTURE_QUEUE_BYTES) {
        dropped++;
        return false;
      }
      const path = join(folder, hourFolder(now()), `00-00-000-${suffix}.jsonl`);
      const lines = queue.get(path) ?? [];
      if (lines.length === 0) queue.set(path, lines);
      lines.push(`${line}\n`);
      queuedBytes += line.length + 1;
      return true;
    },
    flush: () => {
      flushing = flushing.then(write, write);
      return flushing;
    },
    get dropped() {
      return dropped;
    },
  };
}

/** `yyyy/mm/dd/hh`, UTC, as SageMaker lays captured data out. */
export function hourFolder(at: number): string {
  return new Date(at).toISOString().slice(0, 13).replaceAll('-', '/').replace('T', '/');
}

/** Bytes of all files below a folder; 0 when there is none. */
export async function folderBytes(folder: string): Promise<number> {
  let sum = 0;
  for (const name of await filesBelow(folder)) sum += (await stat(name)).size;
  return sum;
}

export async function filesBelow(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile() && entry.name.endsWith('.jsonl'))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return [];
    throw error;
  }
}

/** Lines of the files below `folder` whose hour meets [from, to], oldest hour first. */
export async function* linesBetween(
  folder: string,
  from: number,
  to: number,
): AsyncGenerator<string> {
  const first = hourFolder(Math.max(0, from));
  const last = hourFolder(Math.min(to, LAST_INSTANT));
  for (const path of await filesBelow(folder)) {
    const hour = /(\d{4}\/\d{2}\/\d{2}\/\d{2})\/[^/]+$/.exec(path.replaceAll('\\', '/'))?.[1];
    if (hour === undefined || hour < first || hour > last) continue;
    for (const line of (await readFile(path, 'utf8')).split('\n')) if (line !== '') yield line;
  }
}

/** Later years have five digits and would sort before ours. */
const LAST_INSTANT = Date.UTC(9999, 11, 31);
