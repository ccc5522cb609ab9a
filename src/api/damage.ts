/** An execution whose journal is damaged is shown as far as it is known: this tells such an error from others. */
import type { ExecutionArn } from '../lib/brand.js';
import { JournalCorrupt } from '../runtime/journal.js';
import type { ApiContext } from './context.js';

export function isDamage(error: unknown): boolean {
  return error instanceof JournalCorrupt;
}

/** Folded from the journal; null when there is none, or none that can be read. */
export async function readableState(api: ApiContext, arn: ExecutionArn) {
  try {
    return await api.engine.state(arn);
  } catch (error) {
    if (isDamage(error)) return null;
    throw error;
  }
}
