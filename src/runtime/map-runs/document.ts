/**
 * The stored form of a Map Run: one document of kind `map-run`, changed by compare-and-set. Its upper
 * part is what DescribeMapRun shows (wire/map-run.ts), `driver` is what a restart needs. A second
 * document, `map-run-open`, exists for as long as the Map Run does: it is what a start looks for.
 */
import type { Failure } from '../../core/fact.js';
import type { Cursor, MapRunSettings, Progress, Tally } from '../../core/map-run.js';
import { emptyCursor } from '../../core/map-run.js';
import type { EpochMs, FrameId, Seq } from '../../lib/brand.js';
import type { Json } from '../../lib/json.js';
import type { DocumentStore } from '../../store/store.js';
import type { MapRun, MapRunCounts } from '../../wire/map-run.js';

export const MAP_RUN_KIND = 'map-run';
export const OPEN_KIND = 'map-run-open';

export interface DriverNotes {
  readonly settings: MapRunSettings;
  readonly cursor: Cursor;
  /** Version of the data that is being read; null before the source was opened. */
  readonly dataVersion: string | null;
  /** Why it failed, once it is over. */
  readonly failure: Failure | null;
  /** The state's result when it lies in files, once it is over. */
  readonly output: Json;
}

export type MapRunBody = MapRun & { readonly driver: DriverNotes };

export interface OpenNote {
  readonly executionArn: string;
  readonly frame: FrameId;
  readonly by: Seq;
}

export interface Stored {
  readonly body: MapRunBody;
  readonly revision: number;
}

export async function loadMapRun(documents: DocumentStore, arn: string): Promise<Stored | null> {
  const document = await documents.get(MAP_RUN_KIND, arn);
  if (document === null) return null;
  return { body: document.body as unknown as MapRunBody, revision: document.revision };
}

export interface NewMapRun {
  readonly arn: string;
  readonly executionArn: string;
  readonly stateMachineArn: string;
  readonly startedAt: EpochMs;
  readonly settings: MapRunSettings;
}

export function newBody(run: NewMapRun): MapRunBody {
  const { settings, ...identity } = run;
  const cursor = emptyCursor();
  return {
    ...identity,
    status: 'RUNNING',
    stoppedAt: null,
    ...shownSettings(settings),
    itemCounts: countsOf(cursor.itemTally, 0, null, 0),
    executionCounts: countsOf(cursor.childTally, 0, null, 0),
    redriveCount: 0,
    redrivenAt: null,
    driver: { settings, cursor, dataVersion: null, failure: null, output: null },
  };
}

export function shownSettings(
  settings: MapRunSettings,
): Pick<MapRun, 'maxConcurrency' | 'toleratedFailureCount' | 'toleratedFailurePercentage'> {
  return {
    maxConcurrency: settings.maxConcurrency,
    toleratedFailureCount: settings.toleratedCount ?? 0,
    toleratedFailurePercentage: settings.toleratedPercentage ?? 0,
  };
}

/** Settings that someone else has written into the document since `before`. */
export function mergedSettings(
  settings: MapRunSettings,
  before: ReturnType<typeof shownSettings>,
  now: MapRun,
): MapRunSettings {
  return {
    maxConcurrency:
      now.maxConcurrency === before.maxConcurrency ? settings.maxConcurrency : now.maxConcurrency,
    toleratedCount:
      now.toleratedFailureCount === before.toleratedFailureCount
        ? settings.toleratedCount
        : now.toleratedFailureCount,
    toleratedPercentage:
      now.toleratedFailurePercentage === before.toleratedFailurePercentage
        ? settings.toleratedPercentage
        : now.toleratedFailurePercentage,
  };
}

export function shownCounts(
  progress: Progress,
  resultsWritten: number,
): Pick<MapRun, 'itemCounts' | 'executionCounts'> {
  const { runningItems, runningChildren, totalItems, totalChildren } = progress;
  return {
    itemCounts: countsOf(progress.itemTally, runningItems, totalItems, resultsWritten),
    executionCounts: countsOf(progress.childTally, runningChildren, totalChildren, resultsWritten),
  };
}

/** While the source is still being read, what has been read is all there is. */
function countsOf(
  tally: Tally,
  running: number,
  total: number | null,
  resultsWritten: number,
): MapRunCounts {
  const { succeeded, failed, timedOut, aborted } = tally;
  const started = succeeded + failed + timedOut + aborted + running;
  const all = Math.max(total ?? started, started);
  return {
    pending: all - started,
    running,
    succeeded,
    failed,
    timedOut,
    aborted,
    total: all,
    resultsWritten,
    failuresNotRedrivable: 0,
    pendingRedrive: 0,
  };
}
