/**
 * The outside of a Map Run: where its items come from and where its results go. The composition root
 * lends an implementation (handlers/map-items); a Map Run over the state's own input needs none.
 */
import type { ExecutionState } from '../../core/state.js';
import type { FrameId } from '../../lib/brand.js';
import type { Json, JsonObject } from '../../lib/json.js';

export interface SourceItem {
  readonly value: Json;
  /** `Map.Item.Source`: `S3://bucket/key`, … */
  readonly source: string;
}

export interface ItemSource {
  /** Changes when the data does: a Map Run that goes on after a restart must find the same items. */
  readonly version: string | null;
  /** The items in order; leaving the loop early closes what is open. */
  readonly chunks: AsyncIterable<readonly SourceItem[]>;
}

export interface ReaderRequest {
  readonly resource: string;
  readonly parameters: Json;
  readonly config: JsonObject;
}

export interface ResultFile {
  /** Resolves when more may be written. */
  write(text: string): Promise<void>;
  close(): Promise<{ readonly key: string; readonly bytes: number }>;
}

export interface ResultFolder {
  /** What the manifest calls the place: a bucket, or a folder. */
  readonly destination: string;
  create(name: string): Promise<ResultFile>;
  /** `ResultWriterDetails` of the state's result. */
  details(manifestKey: string): JsonObject;
}

/** Which Map state asks. */
export interface MapPlace {
  readonly parent: ExecutionState;
  readonly frame: FrameId;
  readonly stateName: string;
}

/** Failures are TaskFailures: States.ItemReaderFailed and States.ResultWriterFailed. */
export interface MapItems {
  read(reader: ReaderRequest, signal: AbortSignal, place: MapPlace): Promise<ItemSource>;
  /** A folder of its own for the results of one Map Run. */
  folder(
    writer: { readonly resource: string; readonly parameters: Json },
    mapRunId: string,
    place: MapPlace,
  ): Promise<ResultFolder>;
}
