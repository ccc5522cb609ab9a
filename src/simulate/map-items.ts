/**
 * Items and result files of Map Runs in the simulated world: the reader's items are an array in an
 * answer, the writer's files are kept in memory and named as on AWS.
 */
import { TaskFailure } from '../handlers/handler.js';
import { parseResource } from '../core/resource.js';
import type { ExecutionArn } from '../lib/brand.js';
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../lib/json.js';
import type { MapItems, MapPlace, ResultFolder } from '../runtime/map-runs/io.js';
import type { Call, CallRecord } from './call.js';
import type { Ledger } from './ledger.js';
import { pause, resultOf } from './performer.js';
import type { VirtualClock } from './virtual-clock.js';

export interface SimulatedItems {
  readonly ledger: Ledger;
  readonly clock: VirtualClock;
  answer(call: Omit<Call, 'invocation' | 'at'>): Promise<CallRecord>;
}

const READER_FAILED = 'States.ItemReaderFailed';

export function simulatedMapItems(world: SimulatedItems): MapItems {
  const ask = async (
    kind: 'item-reader' | 'result-writer',
    request: { readonly resource: string; readonly parameters: Json },
    place: MapPlace,
    signal: AbortSignal,
  ): Promise<Json> => {
    const { identity } = place.parent;
    const record = await world.answer({
      kind,
      state: place.stateName,
      resource: parseResource(request.resource),
      input: request.parameters,
      attempt: 0,
      scopes: await world.ledger.scopesAround(place.parent, place.frame),
      executionArn: identity.arn as ExecutionArn,
      stateMachineName: identity.stateMachineName,
    });
    await pause(world.clock, record.answer, signal, () => undefined);
    record.endedAt = world.clock.now();
    return resultOf(record.answer);
  };
  return {
    read: async (reader, signal, place) => {
      const items = await ask('item-reader', reader, place, signal);
      if (!isArray(items)) {
        throw new TaskFailure(READER_FAILED, 'The mock of an ItemReader must return an array.');
      }
      const source = sourceOf(reader.parameters);
      return { version: null, chunks: once(items.map((value) => ({ value, source }))) };
    },
    folder: async (writer, mapRunId, place) => {
      await ask('result-writer', writer, place, new AbortController().signal);
      return memoryFolder(writer.parameters, mapRunId);
    },
  };
}

async function* once<T>(chunk: T): AsyncGenerator<T> {
  yield chunk;
}

function sourceOf(parameters: Json): string {
  const text = (key: string): string => {
    const value = isObject(parameters) ? getOwn(parameters, key) : undefined;
    return typeof value === 'string' ? value : '';
  };
  return `S3://${text('Bucket')}/${text('Key') || text('Prefix')}`;
}

/** Files that are only counted: what they would hold is in the children's journals. */
function memoryFolder(parameters: Json, mapRunId: string): ResultFolder {
  const member = (key: string): string => {
    const value = isObject(parameters) ? getOwn(parameters, key) : undefined;
    return typeof value === 'string' ? value : '';
  };
  const prefix = member('Prefix').replace(/\/$/, '');
  const root = prefix === '' ? mapRunId : `${prefix}/${mapRunId}`;
  return {
    destination: member('Bucket'),
    create: async (name) => {
      let bytes = 0;
      return {
        write: async (text) => {
          bytes += Buffer.byteLength(text);
        },
        close: async () => ({ key: `${root}/${name}`, bytes }),
      };
    },
    details: (manifestKey): JsonObject => ({ Bucket: member('Bucket'), Key: manifestKey }),
  };
}
