/**
 * A program outlives a Stepwell that was killed. Before the same visit of a state starts its program
 * again, the one left over is ended: two trainings must not write the same files. The program is
 * known by pid and start time, so a pid that was given to another process is left alone.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { getOwn, isObject, type Json } from '../lib/json.js';

const FILE = '.process.json';
const POLL_MS = 20;

/** Remembers the program of this visit in its scratch folder. */
export async function rememberProgram(scratch: string, pid: number): Promise<void> {
  const started = await startTime(pid);
  if (started !== null) await writeFile(join(scratch, FILE), JSON.stringify({ pid, started }));
}

export async function forgetProgram(scratch: string): Promise<void> {
  await rm(join(scratch, FILE), { force: true });
}

/** Ends the program an earlier run of this visit left behind; answers its pid if there was one. */
export async function endOrphan(scratch: string, graceMs: number): Promise<number | null> {
  const orphan = await readOrphan(scratch);
  if (orphan === null) return null;
  const isThere = async (): Promise<boolean> => (await startTime(orphan.pid)) === orphan.started;
  if (!(await isThere())) return null;
  signal(orphan.pid, 'SIGTERM');
  for (let waited = 0; waited < graceMs && (await isThere()); waited += POLL_MS) {
    await sleep(POLL_MS);
  }
  signal(orphan.pid, 'SIGKILL');
  return orphan.pid;
}

async function readOrphan(scratch: string): Promise<{ pid: number; started: string } | null> {
  try {
    const value = JSON.parse(await readFile(join(scratch, FILE), 'utf8')) as Json;
    if (!isObject(value)) return null;
    const pid = getOwn(value, 'pid');
    const started = getOwn(value, 'started');
    return typeof pid === 'number' && typeof started === 'string' ? { pid, started } : null;
  } catch {
    return null;
  }
}

/** Start time in clock ticks since boot (Linux); null when there is no such process, or no /proc. */
async function startTime(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const isGone = fields[0] === 'Z' || fields[0] === 'X';
  return stat === '' || isGone ? null : (fields[19] ?? null);
}

function signal(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(-pid, name);
  } catch {
    // The group is gone.
  }
}
