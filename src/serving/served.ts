/** What runs for one endpoint, and how it is shown. */
import type { EndpointRecord, Variant } from './endpoints.js';
import type { Replicas } from './replicas.js';
import { settingsOf } from './settings.js';

/** The children of one variant, with what scaling needs to know about them. */
export interface Group {
  readonly key: string;
  readonly replicas: Replicas;
  /** Sum of requests in flight over the looks of an interval, requests, latencies of the answers. */
  readonly load: {
    inFlight: number;
    inFlightMs: number;
    changedAt: number;
    requests: number;
    latencies: number[];
  };
  measuredAt: number;
  scaledAt: number;
}

export interface Served {
  record: EndpointRecord;
  /** Variants and shadow variants by name. */
  groups: Map<string, Group>;
  inFlight: number;
  invocations: number;
  errors: number;
  failure: string | null;
  /** Revision that could not be started, and when to try it again. */
  refused: { readonly revision: number; readonly retryAt: number } | null;
  updating: boolean;
}

export function servedEndpoint(record: EndpointRecord, groups: Map<string, Group>): Served {
  return {
    record,
    groups,
    inFlight: 0,
    invocations: 0,
    errors: 0,
    failure: null,
    refused: null,
    updating: false,
  };
}

/** Every model that the record wants children for: variants, and shadows as variants without weight. */
export function wantedVariants(record: EndpointRecord): readonly Variant[] {
  const shadows = (record.shadows ?? []).map(({ name, instanceCount, model }) => ({
    name,
    weight: 0,
    instanceCount,
    model,
  }));
  return [...record.variants, ...shadows];
}

export interface VariantView {
  readonly name: string;
  readonly weight: number;
  readonly shadow: boolean;
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
  readonly inFlight: number;
  /** The rollout that holds the endpoint. */
  readonly rollout: string | null;
  /** Capture has stopped because the endpoint keeps as much as it may. */
  readonly captureFull: boolean;
}

/**
 * Variants with the same key can be served by the same children. A scaled variant's number of children
 * is the scaler's: a switch that leaves the model alone leaves them alone too.
 */
export function keyOf(record: EndpointRecord, { instanceCount, model, scaling }: Variant): string {
  const { batching } = settingsOf(record.settings);
  return JSON.stringify([scaling === undefined ? instanceCount : scaling, model, batching]);
}

export function viewOf(entry: Served, captureFull: boolean): EndpointView {
  const { record } = entry;
  const variants = wantedVariants(record).map((variant): VariantView => {
    const replicas = entry.groups.get(variant.name)?.replicas;
    const live = replicas?.live() ?? [];
    const { name, version, uri } = variant.model;
    return {
      name: variant.name,
      weight: variant.weight,
      model: { name, version, uri },
      shadow: !record.variants.includes(variant),
      desiredInstances: replicas?.desired ?? variant.instanceCount,
      readyInstances: live.length,
      restarts: replicas?.restarts ?? 0,
      lastFailure: replicas?.lastFailure ?? null,
      pids: live.map((process) => process.pid),
    };
  });
  const up = variants.every((variant) => variant.shadow || variant.readyInstances > 0);
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
    inFlight: entry.inFlight,
    rollout: record.rollout?.id ?? null,
    captureFull,
  };
}

export function describe(record: EndpointRecord): string {
  return record.variants
    .map(({ name, model }) => `${name}: ${model.name ?? model.uri} ${model.version ?? ''}`.trim())
    .join(', ');
}
