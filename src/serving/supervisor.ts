/**
 * Keeps the children that the endpoint records ask for. A switched endpoint gets its new children
 * first; only when all of them are ready do requests go there, and the old ones finish what they
 * have. If the new ones cannot start, the old ones go on serving and the view says why.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isAbsolute } from 'node:path';
import type { EndpointRecord, Endpoints, ServedModel, Variant } from './endpoints.js';
import { desiredInstances } from './autoscale.js';
import { invalid } from './errors.js';
import { type Invocation, type InvokeOptions, invokeServed, settleLoad } from './invocation.js';
import { HEALTH_TIMEOUT_MS, RESTART_MOST_MS } from './limits.js';
import { type ServingLog, SILENT } from './log.js';
import type { Metrics } from './metrics.js';
import { keepReplicas, type Replicas } from './replicas.js';
import {
  describe,
  type EndpointView,
  type Group,
  keyOf,
  type Served,
  servedEndpoint,
  viewOf,
  wantedVariants,
} from './served.js';
import { type ProcessOptions, startServingProcess } from './serving-process.js';
import { settingsOf } from './settings.js';

export type InvocationObserver = (invocation: Invocation) => void | Promise<void>;

export interface SupervisorOptions
  extends Pick<ProcessOptions, 'loader' | 'threads' | 'readyTimeoutMs'> {
  readonly endpoints: Endpoints;
  readonly metrics: Metrics;
  /** Endpoints whose capture stands still because it is full. */
  readonly captureFull?: ReadonlySet<string>;
  /** Local folder of a model; the default knows absolute paths, file:// and the recorded path. */
  readonly locate?: (model: ServedModel) => Promise<string>;
  readonly log?: ServingLog;
  readonly observers?: readonly InvocationObserver[];
  readonly invocationTimeoutMs?: number;
  readonly restartFirstMs?: number;
  readonly random?: () => number;
}

export interface Supervisor {
  /** Brings the children in line with the records; also called by the server's watch. */
  sync(): Promise<void>;
  views(): readonly EndpointView[];
  view(name: string): EndpointView | null;
  invoke(name: string, texts: readonly string[], options?: InvokeOptions): Promise<Invocation>;
  /** The record in force; null when there is no such endpoint. */
  record(name: string): EndpointRecord | null;
  /** Labels that the endpoint's models know; empty until one is up. */
  labels(name: string): readonly string[];
  /** Brings the number of children in line with the load; called by the server's timer. */
  scale(): void;
  /** Replaces idle children that do not answer; called by the server's timer. */
  checkHealth(): Promise<void>;
  close(): Promise<void>;
  kill(): void;
}

export function supervise(options: SupervisorOptions): Supervisor {
  const { endpoints, log = SILENT, random } = options;
  const served = new Map<string, Served>();
  /** Every group of children that has not ended, those that are being replaced too. */
  const groups = new Set<Replicas>();
  const busy = new Map<string, Promise<void>>();
  let closed = false;

  async function sync(): Promise<void> {
    const names = await endpoints.names();
    for (const [name, entry] of served) {
      if (names.includes(name)) continue;
      served.delete(name);
      for (const { replicas } of entry.groups.values()) void retire(replicas);
    }
    await Promise.all(names.map(syncOnce));
  }

  /** One look at a time for each endpoint: a slow switch of one never holds up the others. */
  function syncOnce(name: string): Promise<void> {
    const running = busy.get(name);
    if (running !== undefined) return running;
    const work = syncOne(name).finally(() => busy.delete(name));
    busy.set(name, work);
    return work;
  }

  async function retire(replicas: Replicas): Promise<void> {
    await replicas.close();
    groups.delete(replicas);
  }

  async function syncOne(name: string): Promise<void> {
    let record: EndpointRecord | null;
    try {
      record = await endpoints.get(name);
    } catch (error) {
      return log.error(`Endpoint ${name}: its record cannot be read`, { error: String(error) });
    }
    if (record === null || closed) return;
    const entry = served.get(name);
    if (entry === undefined) {
      const first = wantedVariants(record).map(
        (variant) => [variant.name, start(record, variant)] as const,
      );
      served.set(name, servedEndpoint(record, new Map(first)));
      return log.info(`Endpoint ${name} is starting`, { revision: record.revision });
    }
    if (entry.record.revision === record.revision) return;
    if (entry.refused?.revision === record.revision && Date.now() < entry.refused.retryAt) return;
    await reload(entry, record);
  }

  async function reload(entry: Served, record: EndpointRecord): Promise<void> {
    const { next, fresh } = plan(entry, record);
    entry.updating = true;
    try {
      // A candidate without weight yet (a shadow) may come up later; it must not hold up the others.
      await Promise.race([
        Promise.all(fresh.map(({ replicas }) => replicas.ready)),
        superseded(record, () => entry.updating),
      ]);
    } catch (error) {
      for (const { replicas } of fresh) {
        replicas.kill();
        groups.delete(replicas);
      }
      if (error === SUPERSEDED) return;
      entry.failure = `Revision ${record.revision} did not start: ${String((error as Error).message)}`;
      entry.refused = { revision: record.revision, retryAt: Date.now() + RESTART_MOST_MS };
      return log.error(`Endpoint ${record.name}: ${entry.failure}`, { revision: record.revision });
    } finally {
      entry.updating = false;
    }
    const before = [...entry.groups.values()];
    entry.record = record;
    entry.groups = next;
    entry.failure = null;
    entry.refused = null;
    const used = new Set([...next.values()].map((item) => item.replicas));
    for (const { replicas } of before) if (!used.has(replicas)) void retire(replicas);
    log.info(`Endpoint ${record.name} now serves ${describe(record)}`, {
      revision: record.revision,
    });
  }

  /** Which children stay, also under another variant name, and which are started. */
  function plan(
    entry: Served,
    record: EndpointRecord,
  ): { readonly next: Map<string, Group>; readonly fresh: readonly Group[] } {
    const left = new Map(entry.groups);
    const next = new Map<string, Group>();
    const fresh: Group[] = [];
    const variants = wantedVariants(record);
    for (const byName of [true, false]) {
      for (const variant of variants) {
        if (next.has(variant.name)) continue;
        const key = keyOf(record, variant);
        const found = [...left].find(
          ([name, group]) => group.key === key && (!byName || name === variant.name),
        );
        if (found === undefined) continue;
        left.delete(found[0]);
        next.set(variant.name, found[1]);
      }
    }
    for (const variant of variants) {
      if (next.has(variant.name)) continue;
      const group = start(record, variant);
      fresh.push(group);
      next.set(variant.name, group);
    }
    return { next, fresh };
  }

  /** Rejects when the record has moved on: a rollback must not wait for a candidate that cannot start. */
  async function superseded(record: EndpointRecord, waiting: () => boolean): Promise<never> {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, SUPERSEDED_EVERY_MS).unref());
      if (!waiting()) return new Promise<never>(() => undefined);
      const now = await endpoints.get(record.name).catch(() => record);
      if (now?.revision !== record.revision) throw SUPERSEDED;
    }
  }

  function start(record: EndpointRecord, variant: Variant): Group {
    const { loader, threads, readyTimeoutMs, restartFirstMs } = options;
    const locate = options.locate ?? locateModel;
    const replicas = keepReplicas({
      count: firstCount(variant),
      start: async (signal) =>
        startServingProcess({
          modelDir: await locate(variant.model),
          signal,
          onComplaint: (text) =>
            log.warn(`Endpoint ${record.name}, ${variant.name}: ${text.trim().slice(0, 2000)}`),
          batching: settingsOf(record.settings).batching,
          ...(loader === undefined ? {} : { loader }),
          ...(threads === undefined ? {} : { threads }),
          ...(readyTimeoutMs === undefined ? {} : { readyTimeoutMs }),
        }),
      onLost: (reason, pauseMs) =>
        log.warn(`Endpoint ${record.name}, ${variant.name}: an instance was lost`, {
          reason,
          pauseMs,
        }),
      ...(restartFirstMs === undefined ? {} : { restartFirstMs }),
    });
    groups.add(replicas);
    const now = performance.now();
    return {
      key: keyOf(record, variant),
      replicas,
      load: { inFlight: 0, inFlightMs: 0, changedAt: now, requests: 0, latencies: [] },
      measuredAt: now,
      scaledAt: Number.NEGATIVE_INFINITY,
    };
  }

  function scale(): void {
    for (const { record, groups: ofEndpoint } of served.values()) {
      for (const variant of record.variants) {
        const group = ofEndpoint.get(variant.name);
        if (group !== undefined) scaleGroup(record, variant, group, log);
      }
    }
  }

  async function checkHealth(): Promise<void> {
    await Promise.all([...groups].map((replicas) => replicas.checkHealth(HEALTH_TIMEOUT_MS)));
  }

  async function invoke(
    name: string,
    texts: readonly string[],
    invokeOptions: InvokeOptions = {},
  ): Promise<Invocation> {
    const entry = served.get(name);
    if (entry === undefined) throw invalid(`Endpoint ${name} not found.`);
    const invocation = await invokeServed(entry, texts, invokeOptions, {
      metrics: options.metrics,
      random,
      timeoutMs: options.invocationTimeoutMs,
    });
    for (const observer of options.observers ?? []) {
      setImmediate(() => {
        Promise.resolve()
          .then(() => observer(invocation))
          .catch((error: unknown) => log.error('An observer failed', { error: String(error) }));
      });
    }
    return invocation;
  }

  const shown = (entry: Served): EndpointView =>
    viewOf(entry, options.captureFull?.has(entry.record.name) ?? false);

  return {
    sync,
    views: () => [...served.values()].map(shown).sort((a, b) => a.name.localeCompare(b.name)),
    view: (name) => {
      const entry = served.get(name);
      return entry === undefined ? null : shown(entry);
    },
    invoke,
    record: (name) => served.get(name)?.record ?? null,
    labels: (name) => {
      const ofEndpoint = [...(served.get(name)?.groups.values() ?? [])];
      return ofEndpoint.flatMap(({ replicas }) => replicas.live())[0]?.labels ?? [];
    },
    scale,
    checkHealth,
    close: async () => {
      closed = true;
      await Promise.all([...groups].map((replicas) => replicas.close()));
    },
    kill: () => {
      closed = true;
      for (const replicas of groups) replicas.kill();
    },
  };
}

const SUPERSEDED_EVERY_MS = 100;
const SUPERSEDED = new Error('The endpoint was switched again.');

function firstCount({ instanceCount, scaling }: Variant): number {
  if (scaling === undefined) return instanceCount;
  return Math.min(scaling.maxInstances, Math.max(scaling.minInstances, instanceCount));
}

/** Measures the load since the last look and resizes the group when the policy wants it. */
function scaleGroup(
  record: EndpointRecord,
  { name, scaling }: Variant,
  group: Group,
  log: ServingLog,
): void {
  const { load, replicas } = group;
  settleLoad(load);
  const now = performance.now();
  const intervalMs = Math.max(1, now - group.measuredAt);
  const { inFlightMs, requests } = load;
  const latencies = load.latencies.sort((a, b) => a - b);
  group.measuredAt = now;
  load.inFlightMs = 0;
  load.requests = 0;
  load.latencies = [];
  if (scaling === undefined) return;
  const current = replicas.desired;
  const metric = {
    ConcurrencyPerInstance: inFlightMs / intervalMs / current,
    InvocationsPerInstance: (requests * 60_000) / intervalMs / current,
    LatencyP95Ms: latencies[Math.ceil(latencies.length * 0.95) - 1] ?? null,
  }[scaling.metric];
  const lastScaledAt = group.scaledAt;
  const wanted = desiredInstances({ scaling, current, metric, now, lastScaledAt });
  if (wanted === current) return;
  group.scaledAt = now;
  replicas.resize(wanted);
  log.info(`Endpoint ${record.name}, ${name}: ${current} to ${wanted} instances`, {
    metric: scaling.metric,
    value: metric,
    target: scaling.targetValue,
  });
}

/** Where a model lies without an artifact store: its own path or URL, else the recorded one. */
async function locateModel(model: ServedModel): Promise<string> {
  if (model.uri.startsWith('file://')) return fileURLToPath(model.uri);
  const path = isAbsolute(model.uri) ? model.uri : model.path;
  if (path !== '' && existsSync(path)) return path;
  throw new Error(`The model ${model.uri} is not on this machine.`);
}
