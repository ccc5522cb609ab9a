/**
 * Lineage as OpenLineage RunEvents (spec 2-0-2): what a task read and what it made. One START and one
 * terminal event a run, however often a lost worker's attempt is run again: a marker file per run and
 * side decides who may write. The file is JSON Lines, an event a line.
 */
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../../lib/digest.js';
import type { Json, JsonObject } from '../../lib/json.js';

export type EventType = 'START' | 'COMPLETE' | 'FAIL' | 'ABORT';

export interface DatasetRef {
  readonly namespace: string;
  readonly name: string;
}

export interface RunEvent {
  readonly eventTime: string;
  readonly producer: string;
  readonly schemaURL: string;
  readonly eventType: EventType;
  readonly run: { readonly runId: string; readonly facets: JsonObject };
  readonly job: DatasetRef & { readonly facets: JsonObject };
  readonly inputs: readonly DatasetRef[];
  readonly outputs: readonly DatasetRef[];
}

export interface LineageRun {
  /** The same for every re-run of one attempt. */
  readonly key: string;
  readonly job: string;
  readonly execution: string;
  readonly state: string;
  readonly resource: string;
}

export interface Lineage {
  /** Writes the event and returns it; null when this run has had it already. */
  emit(
    type: EventType,
    run: LineageRun,
    data: {
      readonly inputs: readonly string[];
      readonly outputs: readonly string[];
      readonly error?: string;
    },
  ): Promise<RunEvent | null>;
  events(): Promise<readonly RunEvent[]>;
}

const PRODUCER = 'https://github.com/stepwell/stepwell';
const SPEC = 'https://openlineage.io/spec';

export function openLineage(options: {
  readonly folder: string;
  readonly namespace: string;
  readonly now?: () => number;
}): Lineage {
  const { folder, namespace, now = Date.now } = options;
  const file = join(folder, 'events.jsonl');
  return {
    async emit(type, run, { inputs, outputs, error }) {
      const runId = uuidOf(run.key);
      await mkdir(join(folder, 'runs'), { recursive: true });
      const side = type === 'START' ? 'start' : 'end';
      const isFirst = await first(join(folder, 'runs', `${runId}.${side}`));
      if (!isFirst) return null;
      const event: RunEvent = {
        eventTime: new Date(now()).toISOString(),
        producer: PRODUCER,
        schemaURL: `${SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent`,
        eventType: type,
        run: { runId, facets: runFacets(run, error) },
        job: { namespace, name: run.job, facets: jobFacets(run) },
        inputs: inputs.map(datasetOf),
        outputs: outputs.map(datasetOf),
      };
      await appendFile(file, `${JSON.stringify(event)}\n`);
      return event;
    },
    async events() {
      const text = await readFile(file, 'utf8').catch(() => '');
      return text.split('\n').flatMap(parsed);
    },
  };
}

/** True for whoever comes first. */
async function first(marker: string): Promise<boolean> {
  try {
    await writeFile(marker, '', { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** A crash may leave half a line; what is whole is kept. */
function parsed(line: string): readonly RunEvent[] {
  if (line.trim() === '') return [];
  try {
    return [JSON.parse(line) as RunEvent];
  } catch {
    return [];
  }
}

/** A version 8 UUID (RFC 9562) of a key. */
export function uuidOf(key: string): string {
  const hex = sha256(`openlineage\n${key}`);
  const variant = ((Number.parseInt(hex[16] as string, 16) & 3) | 8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}

/** `artifact://sha256/ab…` is the artifact ab…; anything else is a file of this machine. */
function datasetOf(address: string): DatasetRef {
  const hash = /^artifact:\/\/sha256\/(.+)$/.exec(address)?.[1];
  if (hash !== undefined) return { namespace: 'artifact://sha256', name: hash };
  return { namespace: 'file', name: address.replace(/^file:\/\//, '') };
}

export function addressOf({ namespace, name }: DatasetRef): string {
  return namespace === 'file' ? name : `${namespace}/${name}`;
}

function facet(schema: string, fields: JsonObject): JsonObject {
  return { _producer: PRODUCER, _schemaURL: `${SPEC}/facets/1-0-0/${schema}`, ...fields };
}

function runFacets(
  { execution, state, resource }: LineageRun,
  error: string | undefined,
): JsonObject {
  const own: Json = {
    _producer: PRODUCER,
    _schemaURL: `${SPEC}/2-0-2/OpenLineage.json#/$defs/RunFacet`,
    execution,
    state,
    resource,
  };
  if (error === undefined) return { stepwell: own };
  const message = facet('ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet', {
    message: error.slice(0, 2_000),
    programmingLanguage: 'ASL',
  });
  return { stepwell: own, errorMessage: message };
}

function jobFacets({ resource }: LineageRun): JsonObject {
  const fields = { processingType: 'BATCH', integration: 'STEPWELL', jobType: resource };
  return { jobType: facet('JobTypeJobFacet.json#/$defs/JobTypeJobFacet', fields) };
}
