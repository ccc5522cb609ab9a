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
    itemCounts: countsOf(cursor.itemTally, NOTHING_OPEN),
    executionCounts: countsOf(cursor.childTally, NOTHING_OPEN),
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
  return {
    itemCounts: countsOf(progress.itemTally, {
      running: progress.runningItems,
      pendingRedrive: progress.pendingRedriveItems,
      total: progress.totalItems,
      resultsWritten,
    }),
    executionCounts: countsOf(progress.childTally, {
      running: progress.runningChildren,
      pendingRedrive: progress.pendingRedriveChildren,
      total: progress.totalChildren,
      resultsWritten,
    }),
  };
}

interface Open {
  readonly running: number;
  readonly pendingRedrive: number;
  /** Null while the source is still being read: what has been read is all there is. */
  readonly total: number | null;
  readonly resultsWritten: number;
}

const NOTHING_OPEN: Open = { running: 0, pendingRedrive: 0, total: null, resultsWritten: 0 };

function countsOf(tally: Tally, open: Open): MapRunCounts {
  const { succeeded, failed, timedOut, aborted } = tally;
  const { running, pendingRedrive, resultsWritten } = open;
  const known = succeeded + failed + timedOut + aborted + running + pendingRedrive;
  const all = Math.max(open.total ?? known, known);
  return {
    pending: all - known,
    running,
    succeeded,
    failed,
    timedOut,
    aborted,
    total: all,
    resultsWritten,
    failuresNotRedrivable: 0,
    pendingRedrive,
  };
}
