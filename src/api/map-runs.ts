/** Map Runs as the API needs them: documents of kind `map-run`, written by the runtime. */
import type { DocumentStore, Page } from '../store/store.js';
import type { MapRun } from '../wire/map-run.js';
import type { Json } from '../lib/json.js';

export const MAP_RUN_KIND = 'map-run';

export interface MapRunChange {
  readonly maxConcurrency?: number | undefined;
  readonly toleratedFailurePercentage?: number | undefined;
  readonly toleratedFailureCount?: number | undefined;
}

export interface MapRuns {
  get(mapRunArn: string): Promise<MapRun | null>;
  /** Of one execution, oldest first. */
  list(executionArn: string, limit: number, token: string | null): Promise<Page<MapRun>>;
  /** Applies to children that start from now on; `over` when the run is not RUNNING. */
  update(mapRunArn: string, change: MapRunChange): Promise<'updated' | 'unknown' | 'over'>;
}

/** Most documents read to find the Map Runs of one execution. */
const SCAN_PAGE = 500;

/** Reads and writes the documents directly; a runtime that keeps its runs elsewhere replaces it. */
export function documentMapRuns(documents: DocumentStore): MapRuns {
  const get = async (arn: string): Promise<MapRun | null> => {
    const document = await documents.get(MAP_RUN_KIND, arn);
    return document === null ? null : (document.body as unknown as MapRun);
  };
  return {
    get,
    list: async (executionArn, limit, token) => {
      const all = await runsOf(documents, executionArn);
      const from = token === null ? 0 : all.findIndex((run) => run.arn === token) + 1;
      const items = all.slice(from, from + limit);
      const more = from + limit < all.length;
      return { items, next: more ? (items.at(-1)?.arn ?? null) : null };
    },
    update: async (arn, change) => {
      for (;;) {
        const document = await documents.get(MAP_RUN_KIND, arn);
        if (document === null) return 'unknown';
        const run = document.body as unknown as MapRun;
        if (run.status !== 'RUNNING') return 'over';
        const body = { ...run, ...defined(change) } as unknown as Json;
        const put = await documents.put(MAP_RUN_KIND, arn, body, document.revision);
        if (put !== 'conflict') return 'updated';
      }
    },
  };
}

async function runsOf(documents: DocumentStore, executionArn: string): Promise<readonly MapRun[]> {
  const [head, , machine] = executionArn.split(/:(execution):/);
  const prefix = `${head}:mapRun:${machine?.split(':')[0]}/`;
  const runs: MapRun[] = [];
  let token: string | null = null;
  do {
    const page: Awaited<ReturnType<DocumentStore['list']>> = await documents.list(MAP_RUN_KIND, {
      prefix,
      limit: SCAN_PAGE,
      token,
    });
    for (const document of page.items) {
      const run = document.body as unknown as MapRun;
      if (run.executionArn === executionArn) runs.push(run);
    }
    token = page.next;
  } while (token !== null);
  return runs.sort((a, b) => a.startedAt - b.startedAt);
}

function defined(change: MapRunChange): MapRunChange {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
}
