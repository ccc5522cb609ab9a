/**
 * What the children of a Map Run gave, in item order: as the state's own result while it fits the
 * payload limit, or as files with a manifest. The children's journals are the source; one after
 * another is read and written, so the memory needed does not grow with their number.
 */
import type { MapRunRequest } from '../../core/fact.js';
import { uuidOfMapRun } from '../../core/map-run.js';
import type { ExecutionState } from '../../core/state.js';
import { fromEntries, getOwn, isArray, type Json, type JsonObject } from '../../lib/json.js';
import type { ChildInput } from './children.js';
import type { ResultFile, ResultFolder } from './io.js';

/** AWS: files of results stay below 5 GB. */
const MAX_FILE_BYTES = 5_000_000_000;

export type Children = AsyncIterable<ExecutionState>;

type Transformation = 'NONE' | 'COMPACT' | 'FLATTEN';

export interface ResultShape {
  readonly transformation: Transformation;
  readonly lines: boolean;
}

/** Exported results are complete records, a state's own result is the outputs alone (AWS). */
export function shapeOf(writer: MapRunRequest['writer']): ResultShape {
  const config: JsonObject = writer?.config ?? {};
  const exported = writer !== null && writer.resource !== null;
  const transformation = getOwn(config, 'Transformation') ?? (exported ? 'NONE' : 'COMPACT');
  return {
    transformation: transformation as Transformation,
    lines: getOwn(config, 'OutputType') === 'JSONL',
  };
}

/** The state's own result as JSON text, or null when it is larger than `limit` bytes. */
export async function inlineResult(
  children: Children,
  shape: ResultShape,
  limit: number,
): Promise<string | null> {
  const texts: string[] = [];
  let bytes = 2;
  for await (const child of children) {
    if (child.status !== 'SUCCEEDED') continue;
    for (const text of shaped(child, shape.transformation)) {
      bytes += Buffer.byteLength(text) + (texts.length === 0 ? 0 : 1);
      if (bytes > limit) return null;
      texts.push(text);
    }
  }
  return `[${texts.join(',')}]`;
}

function shaped(child: ExecutionState, transformation: Transformation): readonly string[] {
  const output = outputOf(child);
  switch (transformation) {
    case 'NONE':
      return [JSON.stringify(recordOf(child))];
    case 'COMPACT':
      return [JSON.stringify(output)];
    case 'FLATTEN':
      return isArray(output)
        ? output.map((item) => JSON.stringify(item))
        : [JSON.stringify(output)];
  }
}

export function outputOf(child: ExecutionState): Json {
  return child.outcome?.ok ? child.outcome.output : null;
}

/** One child as AWS exports it: members in alphabetical order, inputs and outputs as text. */
function recordOf(child: ExecutionState): JsonObject {
  const { identity, outcome, status } = child;
  const failure = outcome !== null && !outcome.ok ? outcome.failure : null;
  const members: [string, Json][] = [];
  if (failure !== null && failure.cause !== null) members.push(['Cause', failure.cause]);
  if (failure !== null && failure.error !== null) members.push(['Error', failure.error]);
  members.push(
    ['ExecutionArn', identity.arn],
    ['Input', JSON.stringify(child.input)],
    ['InputDetails', { Included: true }],
    ['Name', identity.name],
  );
  if (outcome?.ok) {
    members.push(['Output', JSON.stringify(outcome.output)], ['OutputDetails', { Included: true }]);
  }
  members.push(['RedriveCount', child.redriveCount]);
  if (status === 'SUCCEEDED') {
    members.push(
      ['RedriveStatus', 'NOT_REDRIVABLE'],
      ['RedriveStatusReason', 'Execution is SUCCEEDED and cannot be redriven'],
    );
  } else members.push(['RedriveStatus', 'REDRIVABLE_BY_MAP_RUN']);
  members.push(
    ['StartDate', new Date(child.startedAt).toISOString()],
    ['StateMachineArn', identity.stateMachineArn],
    ['Status', status],
  );
  if (child.stoppedAt !== null) members.push(['StopDate', new Date(child.stoppedAt).toISOString()]);
  return fromEntries(members);
}

export interface Export {
  readonly folder: ResultFolder;
  readonly mapRunArn: string;
  readonly shape: ResultShape;
  readonly children: Children;
  /** Items that no child was started for. */
  readonly pending: AsyncIterable<ChildInput>;
  readonly maxFileBytes?: number;
}

/** Writes all files and the manifest; answers with the state's result. */
export async function exportResults(request: Export): Promise<JsonObject> {
  const { folder, shape, mapRunArn } = request;
  const file = (kind: string): Numbered =>
    numbered(folder, kind, shape.lines, request.maxFileBytes ?? MAX_FILE_BYTES);
  const succeeded = file('SUCCEEDED');
  const failed = file('FAILED');
  const pending = file('PENDING');
  for await (const child of request.children) {
    if (child.status !== 'SUCCEEDED') await failed.add(JSON.stringify(recordOf(child)));
    else for (const text of shaped(child, shape.transformation)) await succeeded.add(text);
  }
  for await (const { input } of request.pending) {
    await pending.add(JSON.stringify({ Input: JSON.stringify(input), Status: 'PENDING' }));
  }
  const manifest = {
    DestinationBucket: folder.destination,
    MapRunArn: mapRunArn,
    ResultFiles: {
      FAILED: await failed.close(),
      PENDING: await pending.close(),
      SUCCEEDED: await succeeded.close(),
    },
  };
  const target = await folder.create('manifest.json');
  await target.write(JSON.stringify(manifest));
  const { key } = await target.close();
  return { MapRunArn: mapRunArn, ResultWriterDetails: folder.details(key) };
}

interface Numbered {
  add(text: string): Promise<void>;
  close(): Promise<readonly JsonObject[]>;
}

/** `<kind>_0.json`, `<kind>_1.json`, …: a new one when the last is full, none without entries. */
function numbered(folder: ResultFolder, kind: string, lines: boolean, maxBytes: number): Numbered {
  const done: JsonObject[] = [];
  let open: ResultFile | null = null;
  let bytes = 0;
  const finish = async (): Promise<void> => {
    if (open === null) return;
    if (!lines) await open.write(']');
    const { key, bytes: size } = await open.close();
    done.push({ Key: key, Size: size });
    open = null;
  };
  return {
    add: async (text) => {
      const size = Buffer.byteLength(text) + 2;
      if (open !== null && bytes + size > maxBytes) await finish();
      if (open === null) {
        open = await folder.create(`${kind}_${done.length}.${lines ? 'jsonl' : 'json'}`);
        bytes = size;
        return open.write(lines ? `${text}\n` : `[${text}`);
      }
      bytes += size;
      return open.write(lines ? `${text}\n` : `,${text}`);
    },
    close: async () => {
      await finish();
      return done;
    },
  };
}

export function folderName(mapRunArn: string): string {
  return uuidOfMapRun(mapRunArn);
}
