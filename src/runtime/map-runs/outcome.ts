/** How a Map Run ends: its result in the state or in files, or the reason why there is none. */
import type { Failure, Outcome } from '../../core/fact.js';
import { resultTooLarge } from '../../core/failure.js';
import { childIdentity } from '../../core/map-run.js';
import type { ExecutionState } from '../../core/state.js';
import { TaskFailure } from '../../handlers/handler.js';
import type { ExecutionArn } from '../../lib/brand.js';
import type { Json } from '../../lib/json.js';
import { type ChildInput, childInputs, ITEM_READER_FAILED } from './children.js';
import type { Order } from './order.js';
import type { Patience } from './patience.js';
import { exportResults, folderName, inlineResult, shapeOf } from './results.js';
import type { World } from './world.js';

/** Our reason: children read ahead while results are written. */
const READ_AHEAD = 16;
const RESULT_WRITER_FAILED = 'States.ResultWriterFailed';

export const NOT_GIVEN: Failure = { error: null, cause: null };

export interface Finished {
  readonly world: World;
  readonly order: Order;
  readonly patience: Patience;
  /** Children that were started, and the items they took. */
  readonly children: number;
  readonly items: number;
  /** Outputs by index, when they were all held; null: read them from the children. */
  readonly outputs: ReadonlyMap<number, string> | null;
  readonly failure: Failure | null;
  checkVersion(version: string | null): void;
}

export function isExported({ request }: Order): boolean {
  return request.writer !== null && request.writer.resource !== null;
}

export async function outcomeOf(run: Finished): Promise<Outcome> {
  if (run.failure === null) return isExported(run.order) ? exported(run) : inline(run);
  // What has been done is exported all the same; a writer that fails does not hide the reason.
  if (isExported(run.order)) await exported(run);
  return { ok: false, failure: run.failure };
}

/** The result as the state's own. */
export async function inline(
  run: Pick<Finished, 'world' | 'order' | 'patience' | 'children' | 'outputs'>,
): Promise<Outcome> {
  const { world, order, outputs } = run;
  const text =
    outputs === null
      ? await inlineResult(childrenOf(run), shapeOf(order.request.writer), world.payloadBytes)
      : joined(outputs);
  if (text === null || Buffer.byteLength(text) > world.payloadBytes) {
    return { ok: false, failure: resultTooLarge(order.stateName).failure };
  }
  return { ok: true, output: JSON.parse(text) as Json };
}

function joined(outputs: ReadonlyMap<number, string>): string {
  const inOrder = [...outputs].sort(([a], [b]) => a - b).map(([, text]) => text);
  return `[${inOrder.join(',')}]`;
}

async function exported(run: Finished): Promise<Outcome> {
  const { world, order } = run;
  const { mapRunArn, writer } = order.request;
  try {
    if (world.io === null || writer === null || writer.resource === null) {
      const reason = `This engine was started without access to ${writer?.resource}.`;
      throw new TaskFailure(RESULT_WRITER_FAILED, reason);
    }
    const target = { resource: writer.resource, parameters: writer.parameters };
    const output = await exportResults({
      folder: await world.io.folder(target, folderName(mapRunArn), order),
      mapRunArn,
      shape: shapeOf(writer),
      children: childrenOf(run),
      pending: pendingOf(run),
    });
    return { ok: true, output };
  } catch (error) {
    if (run.patience.isOver) return { ok: false, failure: NOT_GIVEN };
    if (error instanceof TaskFailure) {
      return { ok: false, failure: { error: error.error, cause: error.reason } };
    }
    world.report('Results of a Map Run could not be written.', error, { arn: mapRunArn });
    const cause = error instanceof Error ? error.message : String(error);
    return { ok: false, failure: { error: RESULT_WRITER_FAILED, cause } };
  }
}

/** All children in order, read ahead a little. */
async function* childrenOf(
  run: Pick<Finished, 'world' | 'order' | 'patience' | 'children'>,
): AsyncGenerator<ExecutionState> {
  const { world, order, patience, children } = run;
  const ahead: Promise<ExecutionState | null | undefined>[] = [];
  let asked = 0;
  for (let index = 0; index < children; index++) {
    while (asked < children && ahead.length < READ_AHEAD) {
      const { arn } = childIdentity(order.parent.identity, order.request, asked++);
      ahead.push(patience.insist(() => world.state(arn as ExecutionArn)));
    }
    const state = await ahead.shift();
    // Better no results than a part of them: the next start writes them.
    if (patience.isOver) throw new Error('The engine is shutting down.');
    if (state !== null && state !== undefined) yield state;
  }
}

/** Items that were never given to a child; none when the source could not be read. */
async function* pendingOf(run: Finished): AsyncGenerator<ChildInput> {
  if (run.failure === null || run.failure.error === ITEM_READER_FAILED) return;
  const { request, plan, view } = run.order;
  const { payloadBytes, io } = run.world;
  yield* childInputs({
    request,
    plan,
    view,
    payloadBytes,
    io,
    place: run.order,
    signal: new AbortController().signal,
    from: { children: run.children, items: run.items },
    existing: new Map(),
    onOpen: run.checkVersion,
  });
}
