/**
 * Data capture in the layout of SageMaker Model Monitor: JSON lines below
 * `<home>/serving/capture/<endpoint>/<variant>/yyyy/mm/dd/hh/`, a sample of the requests and answers.
 * What an endpoint keeps is bounded: when it is full capture stops, says so, and serving goes on.
 */
import { join } from 'node:path';
import { isObject, type Json, type JsonObject } from '../lib/json.js';
import { filesBelow, folderBytes, type LineFiles, linesBetween } from './line-files.js';
import { type ServingLog, SILENT } from './log.js';
import type { CaptureSettings } from './settings.js';

export interface CapturedCall {
  readonly endpoint: string;
  readonly variant: string;
  readonly eventId: string;
  readonly inferenceId: string | null;
  readonly at: number;
  readonly input: { readonly contentType: string; readonly data: string };
  readonly output: { readonly contentType: string; readonly data: string };
}

export interface Capture {
  offer(call: CapturedCall, settings: CaptureSettings): void;
  /** Endpoints whose capture stands still because it is full. */
  readonly full: ReadonlySet<string>;
}

export function captureFolder(home: string, endpoint: string): string {
  return join(home, 'serving', 'capture', endpoint);
}

export function openCapture(options: {
  readonly home: string;
  readonly files: LineFiles;
  readonly random?: () => number;
  readonly log?: ServingLog;
}): Capture {
  const { home, files, random = Math.random, log = SILENT } = options;
  const kept = new Map<string, number>();
  const full = new Set<string>();

  /** Counted once from the disk, then along; null while the first count is under way. */
  function bytesOf(endpoint: string): number | null {
    const known = kept.get(endpoint);
    if (known !== undefined) return known < 0 ? null : known;
    kept.set(endpoint, -1);
    folderBytes(captureFolder(home, endpoint)).then(
      (bytes) => kept.set(endpoint, bytes),
      (error: unknown) => {
        kept.delete(endpoint);
        log.error(`Capture of endpoint ${endpoint}: its folder cannot be read`, {
          error: String(error),
        });
      },
    );
    return null;
  }

  return {
    full,
    offer: (call, settings) => {
      if (random() * 100 >= settings.samplingPercentage) return;
      const bytes = bytesOf(call.endpoint) ?? 0;
      if (bytes > settings.maxBytes) {
        if (full.has(call.endpoint)) return;
        full.add(call.endpoint);
        log.error(
          `Capture of endpoint ${call.endpoint} has stopped: it holds ${bytes} bytes of ${settings.maxBytes}`,
        );
        return;
      }
      full.delete(call.endpoint);
      const line = capturedLine(call, settings);
      const folder = join(captureFolder(home, call.endpoint), call.variant);
      if (files.offer(folder, line) && (kept.get(call.endpoint) ?? -1) >= 0) {
        kept.set(call.endpoint, bytes + Buffer.byteLength(line) + 1);
      }
    },
  };
}

function capturedLine(call: CapturedCall, { modes }: CaptureSettings): string {
  const side = (mode: string, { contentType, data }: CapturedCall['input']): JsonObject => {
    const encoding = encodingOf(contentType);
    return {
      observedContentType: contentType,
      mode,
      data: encoding === 'BASE64' ? Buffer.from(data, 'utf8').toString('base64') : data,
      encoding,
    };
  };
  return JSON.stringify({
    captureData: {
      ...(modes.includes('Input') ? { endpointInput: side('INPUT', call.input) } : {}),
      ...(modes.includes('Output') ? { endpointOutput: side('OUTPUT', call.output) } : {}),
    },
    eventMetadata: {
      eventId: call.eventId,
      ...(call.inferenceId === null ? {} : { inferenceId: call.inferenceId }),
      inferenceTime: new Date(call.at).toISOString().replace(/\.\d{3}Z$/, 'Z'),
    },
    eventVersion: '0',
  });
}

/** CSV and JSON as they are; everything else as SageMaker does without a CaptureContentTypeHeader. */
function encodingOf(contentType: string): 'CSV' | 'JSON' | 'BASE64' {
  const type = (contentType.split(';')[0] ?? '').trim().toLowerCase();
  if (type === 'text/csv') return 'CSV';
  if (type === 'application/json' || type === 'application/jsonlines') return 'JSON';
  return 'BASE64';
}

/** One captured call as it is read back. */
export interface CaptureRecord {
  readonly eventId: string;
  readonly inferenceId: string | null;
  readonly variant: string;
  readonly at: number;
  readonly input: { readonly contentType: string; readonly data: string } | null;
  readonly output: { readonly contentType: string; readonly data: string } | null;
}

/** Captured calls of an endpoint in [from, to), by variant; lines that are none are skipped. */
export async function* readCapture(
  folder: string,
  query: { readonly from: number; readonly to: number; readonly variant?: string },
): AsyncGenerator<CaptureRecord> {
  const variants = query.variant === undefined ? await variantsOf(folder) : [query.variant];
  for (const variant of variants) {
    for await (const line of linesBetween(join(folder, variant), query.from, query.to)) {
      const record = recordOf(line, variant);
      if (record !== null && record.at >= query.from && record.at < query.to) yield record;
    }
  }
}

async function variantsOf(folder: string): Promise<string[]> {
  const names = (await filesBelow(folder)).map(
    (path) => path.slice(folder.length + 1).split(/[\\/]/)[0] ?? '',
  );
  return [...new Set(names)];
}

function recordOf(line: string, variant: string): CaptureRecord | null {
  let value: Json;
  try {
    value = JSON.parse(line) as Json;
  } catch {
    return null;
  }
  if (!isObject(value) || !isObject(value.captureData) || !isObject(value.eventMetadata))
    return null;
  const { eventId, inferenceId, inferenceTime } = value.eventMetadata;
  const at = typeof inferenceTime === 'string' ? Date.parse(inferenceTime) : Number.NaN;
  if (typeof eventId !== 'string' || Number.isNaN(at)) return null;
  return {
    eventId,
    inferenceId: typeof inferenceId === 'string' ? inferenceId : null,
    variant,
    at,
    input: sideOf(value.captureData.endpointInput),
    output: sideOf(value.captureData.endpointOutput),
  };
}

function sideOf(side: Json | undefined): CaptureRecord['input'] {
  if (!isObject(side) || typeof side.data !== 'string') return null;
  const data =
    side.encoding === 'BASE64' ? Buffer.from(side.data, 'base64').toString('utf8') : side.data;
  const { observedContentType } = side;
  return { contentType: typeof observedContentType === 'string' ? observedContentType : '', data };
}
