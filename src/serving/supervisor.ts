/**
 * Keeps the children that the endpoint records ask for. A switched endpoint gets its new children
 * first; only when all of them are ready do requests go there, and the old ones finish what they
 * have. If the new ones cannot start, the old ones go on serving and the view says why.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isAbsolute } from 'node:path';
import {
  chooseVariant,
  type EndpointRecord,
  type Endpoints,
  type ServedModel,
  type Variant,
} from './endpoints.js';
import { invalid, modelError, ServingError } from './errors.js';
import { INVOCATION_TIMEOUT_MS, RESTART_MOST_MS } from './limits.js';
import { type ServingLog, SILENT } from './log.js';
import type { Prediction } from './messages.js';
import { keepReplicas, type Replicas } from './replicas.js';
import {
  PredictionFailed,
  PredictionTimedOut,
  type ProcessOptions,
  startServingProcess,
} from './serving-process.js';

/** One answered request; capture, shadow and monitoring attach here and never delay an answer. */
export interface Invocation {
  readonly endpoint: string;
  readonly variant: string;
  readonly model: ServedModel;
  readonly inferenceId: string | null;
  readonly texts: readonly string[];
  readonly labels: readonly string[];
  readonly predictions: readonly Prediction[];
  readonly latencyMs: number;
}
export type InvocationObserver = (invocation: Invocation) => void | Promise<void>;

export interface SupervisorOptions
  extends Pick<ProcessOptions, 'loader' | 'threads' | 'readyTimeoutMs'> {
  readonly endpoints: Endpoints;
  /** Local folder of a model; the default knows absolute paths, file:// and the recorded path. */
  readonly locate?: (model: ServedModel) => Promise<string>;
  readonly log?: ServingLog;
  readonly observers?: readonly InvocationObserver[];
  readonly invocationTimeoutMs?: number;
  readonly restartFirstMs?: number;
  readonly random?: () => number;
}

export interface VariantView {
  readonly name: string;
  readonly weight: number;
  readonly model: {
    readonly name: string | null;
    readonly version: string | null;
    readonly uri: string;
  };
  readonly desiredInstances: number;
  readonly readyInstances: number;
  readonly restarts: number;
  readonly lastFailure: string | null;
  readonly pids: readonly number[];
}

export interface EndpointView {
  readonly name: string;
  readonly arn: string;
  /** Creating: no child is ready yet; Updating: a switch waits for its new children. */
  readonly status: 'InService' | 'Creating' | 'Updating';
  readonly revision: number;
  readonly updatedAt: string;
  readonly variants: readonly VariantView[];
  readonly invocations: number;
  readonly errors: number;
  readonly failure: string | null;
}

export interface InvokeOptions {
  readonly targetVariant?: string | null;
  readonly inferenceId?: string | null;
  readonly signal?: AbortSignal;
}

export interface Supervisor {
  /** Brings the children in line with the records; also called by the server's watch. */
  sync(): Promise<void>;
  views(): readonly EndpointView[];
  view(name: string): EndpointView | null;
  invoke(name: string, texts: readonly string[], options?: InvokeOptions): Promise<Invocation>;
  close(): Promise<void>;
  kill(): void;
}

interface Served {
  record: EndpointRecord;
  replicas: Map<string, { readonly key: string; readonly replicas: Replicas }>;
  invocations: number;
  errors: number;
  failure: string | null;
  /** Revision that could not be started, and when to try it again. */
  refused: { readonly revision: number; readonly retryAt: number } | null;
  updating: boolean;
}

export function supervise(options: SupervisorOptions): Supervisor {
  const { endpoints, log = SILENT, random = Math.random } = options;
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
      for (const { replicas } of entry.replicas.values()) void retire(replicas);
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
      served.set(
        name,
        firstServed(record, (variant) => start(record, variant)),
      );
      return log.info(`Endpoint ${name} is starting`, { revision: record.revision });
    }
    if (entry.record.revision === record.revision) return;
    if (entry.refused?.revision === record.revision && Date.now() < entry.refused.retryAt) return;
    await reload(entry, record);
  }

  async function reload(entry: Served, record: EndpointRecord): Promise<void> {
    const next: Served['replicas'] = new Map();
    const fresh: Replicas[] = [];
    for (const variant of record.variants) {
      const kept = [...entry.replicas.values()].find((item) => item.key === keyOf(variant));
      const replicas = kept?.replicas ?? start(record, variant);
      if (kept === undefined) fresh.push(replicas);
      next.set(variant.name, { key: keyOf(variant), replicas });
    }
    entry.updating = true;
    try {
      await Promise.all(fresh.map((replicas) => replicas.ready));
    } catch (error) {
      for (const replicas of fresh) {
        replicas.kill();
        groups.delete(replicas);
      }
      entry.failure = `Revision ${record.revision} did not start: ${String((error as Error).message)}`;
      entry.refused = { revision: record.revision, retryAt: Date.now() + RESTART_MOST_MS };
      return log.error(`Endpoint ${record.name}: ${entry.failure}`, { revision: record.revision });
    } finally {
      entry.updating = false;
    }
    const before = [...entry.replicas.values()];
    entry.record = record;
    entry.replicas = next;
    entry.failure = null;
    entry.refused = null;
    const used = new Set([...next.values()].map((item) => item.replicas));
    for (const { replicas } of before) if (!used.has(replicas)) void retire(replicas);
    log.info(`Endpoint ${record.name} now serves ${describe(record)}`, {
      revision: record.revision,
    });
  }

  function start(record: EndpointRecord, variant: Variant): Replicas {
    const { loader, threads, readyTimeoutMs, restartFirstMs } = options;
    const locate = options.locate ?? locateModel;
    const replicas = keepReplicas({
      count: variant.instanceCount,
      start: async (signal) =>
        startServingProcess({
          modelDir: await locate(variant.model),
          signal,
          onComplaint: (text) =>
            log.warn(`Endpoint ${record.name}, ${variant.name}: ${text.trim().slice(0, 2000)}`),
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
    return replicas;
  }

  async function invoke(
    name: string,
    texts: readonly string[],
    { targetVariant = null, inferenceId = null, signal }: InvokeOptions = {},
  ): Promise<Invocation> {
    const entry = served.get(name);
    if (entry === undefined) throw invalid(`Endpoint ${name} not found.`);
    const variant = chooseVariant(entry.record.variants, targetVariant, random);
    const replicas = variant === null ? undefined : entry.replicas.get(variant.name)?.replicas;
    if (variant === null || replicas === undefined) {
      throw invalid(`Variant ${String(targetVariant)} of endpoint ${name} not found.`);
    }
    entry.invocations++;
    const startedAt = performance.now();
    try {
      const predictions = await replicas.predict(texts, {
        timeoutMs: options.invocationTimeoutMs ?? INVOCATION_TIMEOUT_MS,
        ...(signal === undefined ? {} : { signal }),
      });
      const labels = replicas.live()[0]?.labels ?? [];
      const latencyMs = performance.now() - startedAt;
      const { model } = variant;
      const invocation = {
        endpoint: name,
        variant: variant.name,
        model,
        inferenceId,
        texts,
        labels,
        predictions,
        latencyMs,
      };
      observe(invocation);
      return invocation;
    } catch (error) {
      entry.errors++;
      throw asServingError(error, variant.name);
    }
  }

  function observe(invocation: Invocation): void {
    for (const observer of options.observers ?? []) {
      setImmediate(() => {
        Promise.resolve()
          .then(() => observer(invocation))
          .catch((error: unknown) => log.error('An observer failed', { error: String(error) }));
      });
    }
  }

  return {
    sync,
    views: () => [...served.values()].map(viewOf).sort((a, b) => a.name.localeCompare(b.name)),
    view: (name) => {
      const entry = served.get(name);
      return entry === undefined ? null : viewOf(entry);
    },
    invoke,
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

function firstServed(record: EndpointRecord, start: (variant: Variant) => Replicas): Served {
  const replicas: Served['replicas'] = new Map();
  for (const variant of record.variants) {
    replicas.set(variant.name, { key: keyOf(variant), replicas: start(variant) });
  }
  return {
    record,
    replicas,
    invocations: 0,
    errors: 0,
    failure: null,
    refused: null,
    updating: false,
  };
}

/** Variants with the same key can be served by the same children. */
function keyOf(variant: Variant): string {
  return JSON.stringify([variant.name, variant.instanceCount, variant.model]);
}

function viewOf(entry: Served): EndpointView {
  const { record } = entry;
  const variants = record.variants.map((variant): VariantView => {
    const replicas = entry.replicas.get(variant.name)?.replicas;
    const live = replicas?.live() ?? [];
    const { name, version, uri } = variant.model;
    return {
      name: variant.name,
      weight: variant.weight,
      model: { name, version, uri },
      desiredInstances: variant.instanceCount,
      readyInstances: live.length,
      restarts: replicas?.restarts ?? 0,
      lastFailure: replicas?.lastFailure ?? null,
      pids: live.map((process) => process.pid),
    };
  });
  const up = variants.every((variant) => variant.readyInstances > 0);
  return {
    name: record.name,
    arn: record.arn,
    status: entry.updating ? 'Updating' : up ? 'InService' : 'Creating',
    revision: record.revision,
    updatedAt: record.updatedAt,
    variants,
    invocations: entry.invocations,
    errors: entry.errors,
    failure: entry.failure,
  };
}

function describe(record: EndpointRecord): string {
  return record.variants
    .map(({ name, model }) => `${name}: ${model.name ?? model.uri} ${model.version ?? ''}`.trim())
    .join(', ');
}

function asServingError(error: unknown, variant: string): unknown {
  if (error instanceof ServingError) return error;
  if (error instanceof PredictionFailed) return modelError(variant, 500, error.message);
  // SageMaker reports a container that did not answer in time with the status 0.
  if (error instanceof PredictionTimedOut) return modelError(variant, 0, error.message);
  return error;
}

/** Where a model lies without an artifact store: its own path or URL, else the recorded one. */
async function locateModel(model: ServedModel): Promise<string> {
  if (model.uri.startsWith('file://')) return fileURLToPath(model.uri);
  const path = isAbsolute(model.uri) ? model.uri : model.path;
  if (path !== '' && existsSync(path)) return path;
  throw new Error(`The model ${model.uri} is not on this machine.`);
}
