/**
 * Power loss under the SQLite store. A kill proves nothing about a power cut, since the kernel still
 * writes what a dead process has handed it. So strace records what the store really asks of the kernel;
 * then, for every acknowledgement, the files are put together from the writes that a sync had covered
 * before it, everything else is dropped, and the store must open and hold all that was acknowledged.
 * It proves the order of writes, syncs and answers; that the disk keeps a synced write is the disk's part.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { SqliteStore } from '../../src/store/sqlite.js';
import { executionArn } from './fixtures.js';

const WRITER = new URL('./power-loss-writer.ts', import.meta.url).pathname;
const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;

function strace(): string | null {
  try {
    execFileSync('strace', ['-o', '/dev/null', 'true'], { stdio: 'ignore' });
    return 'strace';
  } catch {
    return null;
  }
}

const binary = strace();
if (binary === null) {
  console.warn('strace cannot be used here: the power-loss test of the SQLite store is SKIPPED.');
}

/** One thing that was asked of the kernel, in order. */
type Call =
  | { readonly is: 'write'; readonly file: string; readonly at: number; readonly bytes: Buffer }
  | { readonly is: 'cut'; readonly file: string; readonly at: number }
  | { readonly is: 'sync'; readonly file: string }
  | { readonly is: 'ack'; readonly line: string };

function record(folder: string, where: string): readonly Call[] {
  const [path, ledger, log] = ['a.db', 'acks', 'log'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const traced = [path, `${path}-wal`, ledger].flatMap((name) => ['-P', name]);
  const calls = 'trace=openat,pwrite64,write,fsync,fdatasync,ftruncate,close,unlink';
  const options = ['-f', '-xx', '-s', '100000', '-e', calls, ...traced, '-o', log];
  const node = [process.execPath, '--import', TSX, WRITER, path, ledger, where];
  spawnSync('strace', [...options, ...node], { stdio: 'ignore' });
  return parse(readFileSync(log, 'latin1'), ledger);
}

function parse(log: string, ledger: string): readonly Call[] {
  const files = new Map<string, string>();
  const calls: Call[] = [];
  const name = (fd = ''): string => files.get(fd) ?? '';
  for (const line of log.split('\n')) {
    const opened = /openat\(AT_FDCWD, "([^"]*)".*\)\s+= (\d+)/.exec(line);
    if (opened !== null) files.set(opened[2] ?? '', bytesOf(opened[1]).toString());
    const [, call, fd, rest = ''] =
      /(pwrite64|write|fsync|fdatasync|ftruncate)\((\d+)(.*)\)\s+= \d+/.exec(line) ?? [];
    if (call === undefined || name(fd) === '') continue;
    const file = name(fd);
    const data = /^, "([^"]*)", \d+(?:, (\d+))?/.exec(rest);
    if (file === ledger) calls.push({ is: 'ack', line: bytesOf(data?.[1]).toString().trim() });
    else if (call === 'pwrite64') {
      calls.push({ is: 'write', file, at: Number(data?.[2]), bytes: bytesOf(data?.[1]) });
    } else if (call === 'ftruncate') calls.push({ is: 'cut', file, at: Number(rest.slice(2)) });
    else if (call !== 'write') calls.push({ is: 'sync', file });
  }
  return calls;
}

function bytesOf(hex = ''): Buffer {
  return Buffer.from(hex.replaceAll('\\x', ''), 'hex');
}

/** What a disk holds that has lost every write without a sync after it. */
class Disk {
  private readonly safe = new Map<string, Buffer>();
  private readonly open = new Map<string, Buffer>();

  apply(call: Call): void {
    if (call.is === 'ack') return;
    const present = this.open.get(call.file) ?? Buffer.alloc(0);
    if (call.is === 'sync') this.safe.set(call.file, present);
    if (call.is === 'cut') {
      const cut = Buffer.alloc(call.at);
      present.copy(cut);
      this.open.set(call.file, cut);
    }
    if (call.is === 'write') {
      const grown = Buffer.alloc(Math.max(present.length, call.at + call.bytes.length));
      present.copy(grown);
      call.bytes.copy(grown, call.at);
      this.open.set(call.file, grown);
    }
  }

  writeTo(folder: string): string {
    const path = join(folder, 'lost.db');
    for (const end of ['', '-wal', '-shm', '.lock']) rmSync(path + end, { force: true });
    for (const [file, bytes] of this.safe) {
      writeFileSync(path + (file.endsWith('-wal') ? '-wal' : ''), bytes);
    }
    return path;
  }
}

describe.skipIf(binary === null)('a power cut right after an acknowledgement', () => {
  it.each(['main', 'thread'])(
    'loses nothing that was acknowledged, whatever was not synced is dropped (%s)',
    async (where) => {
      const folder = mkdtempSync(join(tmpdir(), 'stepwell-power-'));
      try {
        const calls = record(folder, where);
        const acks = calls.filter((call) => call.is === 'ack');
        expect(acks).toHaveLength(48);
        const disk = new Disk();
        for (const call of calls) {
          disk.apply(call);
          if (call.is !== 'ack') continue;
          const [kind, seq] = call.line.split(' ');
          const store = SqliteStore.open(disk.writeTo(folder));
          const head = await store.care.head(executionArn('a'));
          expect(head?.seq, call.line).toBeGreaterThanOrEqual(Number(seq));
          expect(await store.load(executionArn('a'))).toHaveLength(head?.seq ?? 0);
          if (kind === 'doc') {
            expect(await store.documents.get('note', `n${seq}`), call.line).not.toBeNull();
          }
          await store.close();
        }
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );
});
