/** Map Runs as they are stored: of one execution, changed from outside, and the notes of open ones. */
import type { Json } from '../../lib/json.js';
import { everyItem } from '../../lib/pages.js';
import type { DocumentStore } from '../../store/store.js';
import type { MapRun } from '../../wire/map-run.js';
import type { MapRunChange } from '../face.js';
import { loadMapRun, MAP_RUN_KIND, type MapRunBody, OPEN_KIND, type OpenNote } from './document.js';

/** `…:mapRun:<machine>/` of an execution's ARN. */
export function mapRunPrefix(executionArn: string): string {
  const parts = executionArn.split(':');
  const machine = (parts[6] ?? '').split('/', 1)[0];
  return `${parts.slice(0, 5).join(':')}:mapRun:${machine}/`;
}

export async function storedRunsOf(
  documents: DocumentStore,
  executionArn: string,
): Promise<readonly MapRun[]> {
  const prefix = mapRunPrefix(executionArn);
  const runs: MapRun[] = [];
  const all = everyItem((limit, token) => documents.list(MAP_RUN_KIND, { prefix, limit, token }));
  for await (const { body } of all) {
    const run = body as unknown as MapRunBody;
    if (run.executionArn === executionArn) runs.push(shownBody(run));
  }
  return runs;
}

/** What DescribeMapRun shows of a stored Map Run. */
export function shownBody({ driver: _driver, ...shown }: MapRunBody): MapRun {
  return shown;
}

/** Of a Map Run that another process drives, which takes the change over. */
export async function updateStored(
  documents: DocumentStore,
  mapRunArn: string,
  change: MapRunChange,
): Promise<'updated' | 'unknown' | 'over'> {
  for (;;) {
    const stored = await loadMapRun(documents, mapRunArn);
    if (stored === null) return 'unknown';
    const { body, revision } = stored;
    if (body.status !== 'RUNNING') return 'over';
    const changed = { ...body, ...defined(change) } as unknown as Json;
    const put = await documents.put(MAP_RUN_KIND, mapRunArn, changed, revision);
    if (put !== 'conflict') return 'updated';
  }
}

function defined(change: MapRunChange): MapRunChange {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
}

export async function openNotes(
  documents: DocumentStore,
): Promise<readonly { readonly id: string; readonly note: OpenNote }[]> {
  const notes: { readonly id: string; readonly note: OpenNote }[] = [];
  const all = everyItem((limit, token) => documents.list(OPEN_KIND, { limit, token }));
  for await (const { id, body } of all) notes.push({ id, note: body as unknown as OpenNote });
  return notes;
}
