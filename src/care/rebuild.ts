/**
 * `stepwell rebuild`: rows, timers, outbox and indexes written anew from the journals alone, then
 * verified. A journal that is damaged is never blessed: it stays as it is and is reported.
 */
import type { EpochMs, ExecutionArn } from '../lib/brand.js';
import type { Stray } from '../store/care.js';
import type { Store } from '../store/store.js';
import { type Examined, examine } from './examine.js';
import { everyItem } from '../lib/pages.js';

const ATTEMPTS = 5;

export interface Rebuilt {
  readonly examined: number;
  /** Executions whose derived data differed, and how. */
  readonly mended: readonly { readonly arn: ExecutionArn; readonly what: readonly string[] }[];
  readonly damaged: readonly { readonly arn: ExecutionArn; readonly reason: string }[];
  /** Entries that belonged to nothing and are gone, and journals that got their row back. */
  readonly strays: readonly Stray[];
  /** What the verification afterwards still finds; empty when all is well. */
  readonly left: readonly string[];
}

export async function rebuild(
  store: Store,
  now: () => EpochMs,
  onProgress: (examined: number) => void = () => undefined,
): Promise<Rebuilt> {
  const strays = [...(await store.care.strays(true))];
  const mended: { arn: ExecutionArn; what: readonly string[] }[] = [];
  const damaged: { arn: ExecutionArn; reason: string }[] = [];
  let examined = 0;
  const journals = everyItem((limit, token) => store.care.journals(limit, token));
  for await (const arn of journals) {
    const found = await mend(store, arn, now);
    if (found.is === 'differs') mended.push({ arn, what: found.what });
    if (found.is === 'damaged') damaged.push({ arn, reason: found.reason });
    examined += 1;
    onProgress(examined);
  }
  // Index entries that a lost list had are written by now; what is left over belongs to nothing.
  strays.push(...(await store.care.strays(true)));
  return { examined, mended, damaged, strays, left: await verify(store, now, damaged) };
}

/**
 * Writes anew everything derived, differing or not: an index entry may be lost although the row is
 * right. The answer says what was found before.
 */
export async function mend(store: Store, arn: ExecutionArn, now: () => EpochMs): Promise<Examined> {
  let first: Examined | null = null;
  for (let attempt = 1; ; attempt++) {
    const found = await examine(store, arn, now());
    first ??= found;
    if (found.is === 'gone' || found.is === 'damaged' || attempt > ATTEMPTS) return first;
    const { facts, digest } = found.journal;
    const last = facts[facts.length - 1];
    if (last === undefined) return first;
    const done = await store.care.rederive(
      arn,
      found.head,
      { seq: last.seq, digest },
      found.derived,
    );
    if (done === 'done') return first;
  }
}

async function verify(
  store: Store,
  now: () => EpochMs,
  damaged: readonly { readonly arn: ExecutionArn }[],
): Promise<string[]> {
  const known = new Set(damaged.map(({ arn }) => arn));
  const left: string[] = [];
  const rows = new Set<ExecutionArn>();
  for await (const row of everyItem((limit, token) => store.list({}, limit, token))) {
    rows.add(row.arn);
  }
  const journals = everyItem((limit, token) => store.care.journals(limit, token));
  for await (const arn of journals) {
    if (known.has(arn)) continue;
    const found = await examine(store, arn, now());
    if (found.is === 'differs') left.push(`${arn}: ${found.what.join(', ')}`);
    if (found.is === 'damaged') left.push(`${arn}: ${found.reason}`);
    if (found.is !== 'gone' && !rows.has(arn)) left.push(`${arn} is not listed`);
  }
  const strays = await store.care.strays(false);
  left.push(...strays.map(({ kind, what }) => `${kind} ${what}`));
  return left;
}
