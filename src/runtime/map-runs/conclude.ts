/**
 * The end of one Map Run: its outcome is made of the children, written into the document, and brought
 * to the parent. The results come before the document: a restart in between writes the results again.
 */
import type { Failure, Outcome } from '../../core/fact.js';
import type { ExecutionArn } from '../../lib/brand.js';
import { OPEN_KIND } from './document.js';
import { inline, isExported, NOT_GIVEN, outcomeOf } from './outcome.js';
import type { Parts } from './parts.js';

/** Why a Map Run ended before all of its children did what they should. */
export type Ending =
  | { readonly status: 'FAILED'; readonly failure: Failure }
  | { readonly status: 'ABORTED' };

/** Null when the engine closes meanwhile. */
export async function conclude(
  { world, order, patience, ledger, roster }: Parts,
  ending: Ending | null,
  outputs: ReadonlyMap<number, string> | null,
  checkVersion: (version: string | null) => void,
): Promise<Outcome | null> {
  const failure = ending?.status === 'FAILED' ? ending.failure : NOT_GIVEN;
  const outcome = await outcomeOf({
    world,
    order,
    patience,
    children: roster.nextIndex,
    items: roster.itemsTaken,
    outputs,
    failure: ending === null ? null : failure,
    checkVersion,
  });
  if (patience.isOver) return null;
  ledger.stopSaving();
  const inFiles = outcome.ok && isExported(order);
  if (inFiles) ledger.resultsWritten = roster.progress.childTally.succeeded;
  const { body } = ledger;
  ledger.body = {
    ...body,
    status: outcome.ok ? 'SUCCEEDED' : (ending?.status ?? 'FAILED'),
    stoppedAt: world.clock.now(),
    driver: {
      ...body.driver,
      failure: outcome.ok ? null : outcome.failure,
      output: inFiles ? outcome.output : null,
    },
  };
  await ledger.save();
  return outcome;
}

/** Brings the outcome to the parent; null: of a Map Run that was over before this start. */
export async function deliver(parts: Parts, known: Outcome | null): Promise<void> {
  const { ledger, order, patience, world } = parts;
  const outcome = known ?? (await rebuiltOutcome(parts));
  if (patience.isOver) return;
  const aborted = ledger.body.status === 'ABORTED';
  await patience.insist(() =>
    world.ended({
      arn: order.parent.identity.arn as ExecutionArn,
      frame: order.frame,
      by: order.by,
      outcome,
      aborted,
    }),
  );
  if (patience.isOver) return;
  await patience.insist(() => world.store.documents.remove(OPEN_KIND, order.request.mapRunArn));
}

async function rebuiltOutcome({ world, order, patience, ledger }: Parts): Promise<Outcome> {
  const { driver, executionCounts, status } = ledger.body;
  if (status !== 'SUCCEEDED') return { ok: false, failure: driver.failure ?? NOT_GIVEN };
  if (isExported(order)) return { ok: true, output: driver.output };
  return inline({ world, order, patience, children: executionCounts.total, outputs: null });
}
