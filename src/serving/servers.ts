/**
 * Which processes serve the endpoints of a home right now: one small file each, gone with its process.
 * A rollout in another process finds here where live traffic can be probed.
 */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isObject } from '../lib/json.js';
import { readJsonIfPresent } from '../ml/registry/files.js';

export interface AnnouncedServer {
  readonly url: string;
  readonly pid: number;
}

function serversFolder(home: string): string {
  return join(home, 'serving', 'servers');
}

/** Makes the server known; the returned function takes it back. */
export async function announceServer(home: string, url: string): Promise<() => Promise<void>> {
  const folder = serversFolder(home);
  await mkdir(folder, { recursive: true });
  const port = new URL(url).port;
  const path = join(folder, `${process.pid}-${port}.json`);
  await writeFile(path, `${JSON.stringify({ url, pid: process.pid })}\n`);
  return () => rm(path, { force: true });
}

/** Servers whose process lives and answers its probe; files of dead ones are removed. */
export async function liveServers(home: string): Promise<readonly AnnouncedServer[]> {
  const folder = serversFolder(home);
  const names = await readdir(folder).catch(() => [] as string[]);
  const found: AnnouncedServer[] = [];
  for (const name of names.filter((item) => item.endsWith('.json')).sort()) {
    const path = join(folder, name);
    const value = await readJsonIfPresent(path).catch(() => null);
    if (!isObject(value ?? undefined)) continue;
    const { url, pid } = value as { readonly url?: unknown; readonly pid?: unknown };
    if (typeof url !== 'string' || typeof pid !== 'number') continue;
    if (isAlive(pid) && (await answers(url))) found.push({ url, pid });
    else if (!isAlive(pid)) await rm(path, { force: true });
  }
  return found;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: unknown }).code === 'EPERM';
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/ping`, { signal: AbortSignal.timeout(2000) });
    await response.arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
