/**
 * What a Redis server really promises: read from the server itself at start, after every reconnect
 * and now and then. A server that evicts keys, keeps nothing on disk or cannot be written to is
 * refused, unless the user has said `unsafe=1`.
 */
import type { Redis } from 'ioredis';
import type { WaitRule } from './redis-url.js';
import type { Finding } from './care.js';

export interface ServerReport {
  readonly version: string;
  readonly replica: boolean;
  readonly replicas: number;
  readonly evictionPolicy: string;
  /** When the append-only file is synced; null when there is none. */
  readonly appendFsync: 'always' | 'everysec' | 'no' | 'unknown' | null;
  /** Snapshot rules such as `3600 1 300 100`; empty: none are taken. */
  readonly snapshots: string;
  readonly usedMemory: number;
  /** Bytes after which writes are refused; 0: no bound. */
  readonly maxMemory: number;
  /** Writes to disk that failed lately, e.g. `snapshot`. */
  readonly failing: readonly string[];
}

/** Reads INFO, and CONFIG where the server lets us (managed ones often do not). */
export async function inspectServer(server: Redis): Promise<ServerReport> {
  const info = parseInfo(await server.info());
  const [policy, fsync, save] = await Promise.all(
    ['maxmemory-policy', 'appendfsync', 'save'].map((name) => setting(server, name)),
  );
  const keepsLog = info.get('aof_enabled') === '1';
  return {
    version: info.get('redis_version') ?? '0',
    replica: info.get('role') === 'slave',
    replicas: Number(info.get('connected_slaves') ?? 0),
    evictionPolicy: policy ?? info.get('maxmemory_policy') ?? 'unknown',
    appendFsync: keepsLog ? toFsync(fsync) : null,
    snapshots: save ?? '',
    usedMemory: Number(info.get('used_memory') ?? 0),
    maxMemory: Number(info.get('maxmemory') ?? 0),
    failing: [
      ...(info.get('rdb_last_bgsave_status') === 'err' ? ['snapshot'] : []),
      ...(info.get('aof_last_write_status') === 'err' ? ['append-only file'] : []),
      ...(info.get('aof_last_bgrewrite_status') === 'err' ? ['rewrite of the log'] : []),
    ],
  };
}

async function setting(server: Redis, name: string): Promise<string | null> {
  try {
    const [, value] = (await server.config('GET', name)) as string[];
    return value ?? null;
  } catch (error) {
    const denied = error instanceof Error && /NOPERM|unknown command/i.test(error.message);
    if (denied) return null;
    throw error;
  }
}

function toFsync(value: string | null | undefined): ServerReport['appendFsync'] {
  return value === 'always' || value === 'everysec' || value === 'no' ? value : 'unknown';
}

function parseInfo(text: string): ReadonlyMap<string, string> {
  const lines = text.split('\r\n').map((line) => line.split(':'));
  return new Map(lines.map(([key = '', ...value]) => [key, value.join(':')]));
}

/** Why the server cannot carry a store whatever the user says; empty when it can. */
export function obstacles(report: ServerReport): readonly string[] {
  const found: string[] = [];
  const [major = 0, minor = 0] = report.version.split('.').map(Number);
  if (major < 6 || (major === 6 && minor < 2)) {
    found.push(`it is Redis ${report.version}, and the store needs 6.2 or newer`);
  }
  if (report.replica) found.push('it is a replica, which cannot be written to');
  return found;
}

/** Why the server may lose acknowledged work; `unsafe=1` accepts all of it. */
export function dangers(report: ServerReport): readonly string[] {
  const found: string[] = [];
  if (report.evictionPolicy !== 'noeviction') {
    found.push(
      `maxmemory-policy is ${report.evictionPolicy}, which deletes journals when memory is short` +
        ' (set it to noeviction)',
    );
  }
  if (report.appendFsync === null && report.snapshots === '') {
    found.push(
      'it keeps nothing on disk (set appendonly yes and appendfsync always, or at least save)',
    );
  }
  return found;
}

/** What a crash can lose, from the weakest of the servers. */
export function lossWindow(reports: readonly ServerReport[]): string {
  const weakest = [...reports].sort((a, b) => rank(a) - rank(b))[0];
  if (weakest === undefined) return 'nothing is known of its persistence';
  const replicated = reports.some((report) => report.replicas > 0);
  return (
    windowOf(weakest) +
    (replicated ? '; a failover can lose the last acknowledged commits' : '') +
    (dangers(weakest).length > 0 ? `; UNSAFE: ${dangers(weakest).join('; ')}` : '')
  );
}

/** The servers' state for `stepwell doctor`. */
export function findingsOf(reports: readonly ServerReport[]): readonly Finding[] {
  const lossy = reports.flatMap(dangers);
  const failing = reports.flatMap((report) => report.failing);
  const full = reports.filter((one) => one.maxMemory > 0 && one.usedMemory > 0.9 * one.maxMemory);
  return [
    {
      level: lossy.length > 0 ? 'error' : 'ok',
      check: 'durability',
      message: `${lossWindow(reports)}.`,
      mend: lossy.length > 0 ? 'Change the settings of the server; it may lose journals.' : null,
    },
    {
      level: failing.length > 0 ? 'error' : 'ok',
      check: 'disk-writes',
      message:
        failing.length > 0
          ? `The server cannot write to its disk: ${[...new Set(failing)].join(', ')}.`
          : 'The server writes to its disk.',
      mend: failing.length > 0 ? 'Look at the log and the disk of the server.' : null,
    },
    {
      level: full.length > 0 ? 'warning' : 'ok',
      check: 'memory',
      message: `The servers use ${mebibytes(reports, 'usedMemory')} MiB of ${boundOf(reports)}.`,
      mend:
        full.length > 0 ? 'Raise maxmemory or shorten the retention: writes stop when full.' : null,
    },
  ];
}

function mebibytes(reports: readonly ServerReport[], of: 'usedMemory' | 'maxMemory'): string {
  return (reports.reduce((sum, report) => sum + report[of], 0) / 1024 / 1024).toFixed(1);
}

function boundOf(reports: readonly ServerReport[]): string {
  const bound = reports.every((report) => report.maxMemory > 0);
  return bound ? `${mebibytes(reports, 'maxMemory')} MiB` : 'an unbounded memory';
}

function rank(report: ServerReport): number {
  if (dangers(report).length > 0) return 0;
  if (report.appendFsync === null) return 1;
  return { unknown: 2, no: 2, everysec: 3, always: 4 }[report.appendFsync];
}

function windowOf(report: ServerReport): string {
  switch (report.appendFsync) {
    case 'always':
      return 'appendfsync always: a crash loses nothing that was acknowledged';
    case 'everysec':
      return 'appendfsync everysec: a killed server loses nothing, a power cut about the last second';
    case 'no':
      return 'appendfsync no: a killed server loses nothing, a power cut about the last 30 seconds';
    case 'unknown':
      return 'append-only file, but the server does not say when it is synced';
    case null:
      return report.snapshots === ''
        ? 'nothing on disk: a crash of the server loses everything'
        : `snapshots only (save ${report.snapshots}): a crash loses everything since the last one`;
  }
}

/** Why the server cannot confirm commits as the address asks. */
export function waitObstacles(rule: WaitRule, report: ServerReport): readonly string[] {
  if (!rule.localDisk && rule.replicaDisks === 0) return [];
  const [major = 0, minor = 0] = report.version.split('.').map(Number);
  if (major < 7 || (major === 7 && minor < 2)) {
    return [`it is Redis ${report.version}, and waitaof needs 7.2 or newer (wait=1 does not)`];
  }
  return report.appendFsync === null ? ['waitaof needs appendonly yes'] : [];
}

/** What the confirmations add to the loss window. */
export function waitWindow(rule: WaitRule, reports: readonly ServerReport[]): string {
  const { replicas, localDisk, replicaDisks } = rule;
  const parts = [
    ...(replicas > 0 ? [`${replicas} replica${replicas > 1 ? 's' : ''}`] : []),
    ...(localDisk ? ['its own disk'] : []),
    ...(replicaDisks > 0 ? [`the disks of ${replicaDisks}`] : []),
  ];
  if (parts.length === 0) return '';
  const there = Math.min(...reports.map((report) => report.replicas));
  const short = there < Math.max(replicas, replicaDisks) ? `, and now it has ${there}` : '';
  return `; each commit waits for ${parts.join(' and ')}${short}`;
}
