/**
 * What happened at the endpoints, second by second: one line a second and variant, in files that any
 * process of the same home may read, so that alarms and monitors need no connection to the server.
 * Latencies are kept as counts in buckets that grow by 5 %: a percentile is at most 5 % too high.
 */
import { appendFile, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isArray, isObject, type Json } from '../lib/json.js';
import { METRIC_HOURS } from './limits.js';

export type Outcome = 'ok' | 'modelError' | 'timeout' | 'throttled' | 'unavailable';

export interface Sample {
  readonly endpoint: string;
  readonly variant: string;
  readonly version: string | null;
  readonly outcome: Outcome;
  readonly latencyMs: number;
  /** The request was answered by the fallback variant instead. */
  readonly fellBack?: boolean;
}

export interface Comparison {
  readonly endpoint: string;
  readonly variant: string;
  readonly version: string | null;
  readonly compared: number;
  readonly agreed: number;
  /** Latency of the copy and of the answer that the client got. */
  readonly latencyMs: number;
  readonly otherLatencyMs: number;
  readonly failed: boolean;
}

/** Sums over a window of time. Latencies are in milliseconds; null without a sample. */
export interface MetricWindow {
  readonly invocations: number;
  readonly ok: number;
  readonly modelErrors: number;
  readonly timeouts: number;
  readonly throttled: number;
  readonly unavailable: number;
  readonly fallbacks: number;
  /** Model errors, timeouts and unavailable by invocations; null without invocations. */
  readonly errorRate: number | null;
  readonly latencyP50Ms: number | null;
  readonly latencyP95Ms: number | null;
  readonly latencyP99Ms: number | null;
  readonly compared: number;
  readonly agreed: number;
  readonly agreement: number | null;
  /** Copies (shadow or comparison) that failed, and the latency of those that did not. */
  readonly copies: number;
  readonly copyFailures: number;
  readonly copyLatencyP95Ms: number | null;
}

export interface MetricQuery {
  readonly from: number;
  readonly to: number;
  readonly version?: string;
}

export interface Metrics {
  record(sample: Sample): void;
  compare(comparison: Comparison): void;
  flush(): Promise<void>;
}

interface Counts {
  at: number;
  variant: string;
  version: string | null;
  ok: number;
  modelError: number;
  timeout: number;
  throttled: number;
  unavailable: number;
  fallbacks: number;
  compared: number;
  agreed: number;
  copies: number;
  copyFailures: number;
  latency: Map<number, number>;
  copyLatency: Map<number, number>;
}

const GROWTH = Math.log(1.05);
const SMALLEST_MS = 0.01;

function bucketOf(ms: number): number {
  return ms <= SMALLEST_MS ? 0 : Math.ceil(Math.log(ms / SMALLEST_MS) / GROWTH);
}
function upperEdgeMs(bucket: number): number {
  return SMALLEST_MS * Math.exp(bucket * GROWTH);
}

/** The folder of one endpoint's metric files below the product's home folder. */
export function metricsFolder(home: string, endpoint: string): string {
  return join(home, 'serving', 'metrics', endpoint);
}

export function openMetrics(home: string, now: () => number = Date.now): Metrics {
  const open = new Map<string, Map<string, Counts>>();
  let flushing: Promise<void> = Promise.resolve();

  function countsOf(endpoint: string, variant: string, version: string | null): Counts {
    const at = Math.floor(now() / 1000) * 1000;
    const key = `${at}\n${variant}\n${version ?? ''}`;
    const ofEndpoint = open.get(endpoint) ?? new Map<string, Counts>();
    if (ofEndpoint.size === 0) open.set(endpoint, ofEndpoint);
    const known = ofEndpoint.get(key);
    if (known !== undefined) return known;
    const fresh = emptyCounts(at, variant, version);
    ofEndpoint.set(key, fresh);
    return fresh;
  }

  async function write(): Promise<void> {
    const full = [...open];
    open.clear();
    for (const [endpoint, counts] of full) await append(metricsFolder(home, endpoint), counts);
  }

  return {
    record: ({ endpoint, variant, version, outcome, latencyMs, fellBack }) => {
      const counts = countsOf(endpoint, variant, version);
      counts[outcome]++;
      if (fellBack === true) counts.fallbacks++;
      if (outcome === 'ok') add(counts.latency, bucketOf(latencyMs));
    },
    compare: ({ endpoint, variant, version, compared, agreed, latencyMs, failed }) => {
      const counts = countsOf(endpoint, variant, version);
      counts.copies++;
      counts.compared += compared;
      counts.agreed += agreed;
      if (failed) counts.copyFailures++;
      else add(counts.copyLatency, bucketOf(latencyMs));
    },
    flush: () => {
      flushing = flushing.then(write, write);
      return flushing;
    },
  };
}

function emptyCounts(at: number, variant: string, version: string | null): Counts {
  return {
    at,
    variant,
    version,
    ok: 0,
    modelError: 0,
    timeout: 0,
    throttled: 0,
    unavailable: 0,
    fallbacks: 0,
    compared: 0,
    agreed: 0,
    copies: 0,
    copyFailures: 0,
    latency: new Map(),
    copyLatency: new Map(),
  };
}

function add(buckets: Map<number, number>, bucket: number): void {
  buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1);
}

async function append(folder: string, counts: ReadonlyMap<string, Counts>): Promise<void> {
  await mkdir(folder, { recursive: true });
  const byHour = new Map<string, string[]>();
  for (const item of counts.values()) {
    const hour = hourName(item.at);
    const line = JSON.stringify({
      ...item,
      latency: [...item.latency],
      copyLatency: [...item.copyLatency],
    });
    byHour.set(hour, [...(byHour.get(hour) ?? []), line]);
  }
  for (const [hour, lines] of byHour) {
    await appendFile(join(folder, `${hour}.${process.pid}.jsonl`), `${lines.join('\n')}\n`);
    await forgetOld(folder, hour);
  }
}

function hourName(at: number): string {
  return new Date(at).toISOString().slice(0, 13);
}

async function forgetOld(folder: string, hour: string): Promise<void> {
  const oldest = hourName(Date.parse(`${hour}:00:00Z`) - METRIC_HOURS * 3_600_000);
  for (const name of await readdir(folder)) {
    if (name.slice(0, 13) < oldest) await rm(join(folder, name), { force: true });
  }
}

/** Sums for each variant over whole seconds in [from, to). */
export async function readMetrics(
  home: string,
  endpoint: string,
  query: MetricQuery,
): Promise<ReadonlyMap<string, MetricWindow>> {
  const sums = new Map<string, Counts>();
  for (const item of await countsBetween(metricsFolder(home, endpoint), query)) {
    if (query.version !== undefined && item.version !== query.version) continue;
    const sum = sums.get(item.variant) ?? emptyCounts(item.at, item.variant, item.version);
    addCounts(sum, item);
    sums.set(item.variant, sum);
  }
  return new Map([...sums].map(([variant, counts]) => [variant, windowOf(counts)]));
}

export const EMPTY_WINDOW: MetricWindow = windowOf(emptyCounts(0, '', null));

function addCounts(sum: Counts, item: Counts): void {
  for (const key of COUNTED) sum[key] += item[key];
  for (const [bucket, count] of item.latency) {
    sum.latency.set(bucket, (sum.latency.get(bucket) ?? 0) + count);
  }
  for (const [bucket, count] of item.copyLatency) {
    sum.copyLatency.set(bucket, (sum.copyLatency.get(bucket) ?? 0) + count);
  }
}

const COUNTED = [
  'ok',
  'modelError',
  'timeout',
  'throttled',
  'unavailable',
  'fallbacks',
  'compared',
  'agreed',
  'copies',
  'copyFailures',
] as const;

function windowOf(counts: Counts): MetricWindow {
  const { ok, modelError, timeout, throttled, unavailable } = counts;
  const invocations = ok + modelError + timeout + throttled + unavailable;
  const failed = modelError + timeout + unavailable;
  return {
    invocations,
    ok,
    modelErrors: modelError,
    timeouts: timeout,
    throttled,
    unavailable,
    fallbacks: counts.fallbacks,
    errorRate: invocations === 0 ? null : failed / invocations,
    latencyP50Ms: percentile(counts.latency, 0.5),
    latencyP95Ms: percentile(counts.latency, 0.95),
    latencyP99Ms: percentile(counts.latency, 0.99),
    compared: counts.compared,
    agreed: counts.agreed,
    agreement: counts.compared === 0 ? null : counts.agreed / counts.compared,
    copies: counts.copies,
    copyFailures: counts.copyFailures,
    copyLatencyP95Ms: percentile(counts.copyLatency, 0.95),
  };
}

/** Nearest rank over the buckets' upper edges. */
function percentile(buckets: ReadonlyMap<number, number>, share: number): number | null {
  const sorted = [...buckets].sort((a, b) => a[0] - b[0]);
  const total = sorted.reduce((sum, [, count]) => sum + count, 0);
  if (total === 0) return null;
  let left = Math.ceil(share * total);
  for (const [bucket, count] of sorted) {
    left -= count;
    if (left <= 0) return Number(upperEdgeMs(bucket).toPrecision(4));
  }
  return null;
}

async function countsBetween(folder: string, { from, to }: MetricQuery): Promise<Counts[]> {
  const names = await readdir(folder).catch(() => [] as string[]);
  const [first, last] = [hourName(Math.max(0, from)), hourName(to)];
  const wanted = names.filter((name) => name.slice(0, 13) >= first && name.slice(0, 13) <= last);
  const found: Counts[] = [];
  for (const name of wanted) {
    const text = await readFile(join(folder, name), 'utf8').catch(() => '');
    for (const line of text.split('\n')) {
      const counts = parsed(line);
      if (counts !== null && counts.at >= from - 999 && counts.at < to) found.push(counts);
    }
  }
  return found;
}

/** A line that its writer did not finish is no line. */
function parsed(line: string): Counts | null {
  if (line === '') return null;
  try {
    const value = JSON.parse(line) as Json;
    if (!isObject(value) || !isArray(value.latency) || !isArray(value.copyLatency)) return null;
    const pairs = (list: readonly Json[]): Map<number, number> =>
      new Map(list as unknown as [number, number][]);
    const { latency, copyLatency, ...counts } = value;
    return {
      ...(counts as unknown as Counts),
      latency: pairs(latency),
      copyLatency: pairs(copyLatency),
    };
  } catch {
    return null;
  }
}
