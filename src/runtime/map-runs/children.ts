/**
 * The inputs of a Map Run's children, one after another: items from the state's input or a reader,
 * through ItemSelector, into batches. Nothing is held but the batch being filled, and the same items
 * give the same children, so a resumed Map Run can skip what was started before.
 */
import { FrameScope } from '../../core/context.js';
import type { MapRunRequest } from '../../core/fact.js';
import type { MapRunPlan } from '../../core/machine.js';
import { createBatcher } from '../../core/map-run.js';
import { STATE_DATA } from '../../core/states/map.js';
import type { Frame } from '../../core/state.js';
import type { Turn } from '../../core/turn.js';
import { TaskFailure } from '../../handlers/handler.js';
import {
  fromEntries,
  getOwn,
  isArray,
  isObject,
  type Json,
  type JsonObject,
} from '../../lib/json.js';
import type { MapItems, MapPlace } from './io.js';

export interface ChildInput {
  readonly index: number;
  /** How many items went into it. */
  readonly items: number;
  readonly input: Json;
}

/** What ItemSelector sees: the Map state's frame as it was when the Map Run began. */
export interface SelectorView {
  readonly turn: Turn;
  readonly frame: Frame;
  /** The state's effective input. */
  readonly input: Json;
}

export interface ChildSource {
  readonly request: MapRunRequest;
  readonly plan: MapRunPlan;
  readonly view: SelectorView;
  readonly payloadBytes: number;
  readonly io: MapItems | null;
  readonly place: MapPlace;
  readonly signal: AbortSignal;
  /** Index of the first child, and how many items the children before it took. */
  readonly from: { readonly children: number; readonly items: number };
  /** Items of children that exist already, by index: they are passed over. */
  readonly existing: ReadonlyMap<number, number>;
  /** Told once the source is open; throws when it is not the one of before the restart. */
  onOpen(version: string | null): void;
}

interface Item {
  readonly value: Json;
  readonly key: string | null;
  readonly source: string;
}

export const ITEM_READER_FAILED = 'States.ItemReaderFailed';

export async function* childInputs(source: ChildSource): AsyncGenerator<ChildInput> {
  const { existing, from, request } = source;
  const batcher = createBatcher(request.batch, source.payloadBytes);
  let index = from.children;
  let toSkip = 0;
  const skipExisting = (): void => {
    for (let items = existing.get(index); items !== undefined; items = existing.get(index)) {
      toSkip += items;
      index++;
    }
  };
  skipExisting();
  let position = 0;
  for await (const chunk of itemChunks(source)) {
    for (const item of chunk) {
      const at = position++;
      if (at < from.items) continue;
      if (toSkip > 0) {
        toSkip--;
        continue;
      }
      const batch = batcher.add(await select(source, item, at));
      if (batch === null) continue;
      yield { index: index++, ...batch };
      skipExisting();
    }
  }
  const last = batcher.flush();
  if (last !== null) yield { index, ...last };
}

async function select(source: ChildSource, item: Item, index: number): Promise<Json> {
  const { plan, view } = source;
  const value = item.key === null ? item.value : { Key: item.key, Value: item.value };
  if (plan.select === null) return value;
  const mapItem = fromEntries([
    ['Index', index],
    ['Value', item.value],
    ...(item.key === null ? [] : ([['Key', item.key]] as const)),
    ['Source', item.source],
  ]);
  const scope = new FrameScope(view.turn, view.frame, view.input, { retryable: true, mapItem });
  return plan.select(scope);
}

async function* itemChunks(source: ChildSource): AsyncGenerator<readonly Item[]> {
  const { request, io, signal } = source;
  if (request.reader === null) {
    source.onOpen(null);
    yield inlineItems(request.items);
    return;
  }
  const { maxItems, ...reader } = request.reader;
  if (maxItems !== null && maxItems < 0) {
    throw new TaskFailure(ITEM_READER_FAILED, 'field MaxItems must be positive');
  }
  if (io === null) {
    const reason = `This engine was started without access to ${reader.resource}.`;
    throw new TaskFailure(ITEM_READER_FAILED, reason);
  }
  const opened = await io.read(reader, signal, source.place);
  source.onOpen(opened.version);
  // Recorded: MaxItems 0 is no limit.
  let left = maxItems === null || maxItems === 0 ? Number.POSITIVE_INFINITY : maxItems;
  for await (const chunk of opened.chunks) {
    const wanted = chunk.length <= left ? chunk : chunk.slice(0, left);
    left -= wanted.length;
    yield wanted.map((item) => ({ ...item, key: null }));
    if (left <= 0) return;
  }
}

function inlineItems(items: Json): Item[] {
  if (isArray(items)) return items.map((value) => ({ value, key: null, source: STATE_DATA }));
  if (!isObject(items)) return [];
  return Object.keys(items).map((key) => ({
    value: getOwn(items, key) as Json,
    key,
    source: STATE_DATA,
  }));
}

/** How many items the children of this request will take, when that is known beforehand. */
export function knownItems(request: MapRunRequest): number | null {
  if (request.reader !== null) return null;
  const { items } = request;
  if (isArray(items)) return items.length;
  return isObject(items) ? Object.keys(items as JsonObject).length : 0;
}

/** Items in the input of a child that was started before. */
export function itemsOfInput(request: MapRunRequest, input: Json): number {
  if (request.batch === null) return 1;
  const items = isObject(input) ? getOwn(input, 'Items') : undefined;
  return isArray(items) ? items.length : 1;
}
