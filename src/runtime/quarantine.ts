/**
 * Executions that are not driven any more: their journal is damaged, or our own code fails on them twice
 * at the same place. The mark is a document, so that it outlives a restart and every worker sees it; the
 * journal stays as it is. Others go on. `stepwell quarantine release` takes the mark away.
 */
import type { EpochMs, ExecutionArn } from '../lib/brand.js';
import type { Json } from '../lib/json.js';
import { everyItem } from '../lib/pages.js';
import type { DocumentStore } from '../store/store.js';

export const QUARANTINE_KIND = 'quarantine';
/** A stack is for people; more of it says nothing. */
const MAX_ERROR_CHARACTERS = 8_000;

export interface QuarantineNote {
  readonly since: string;
  /** `journal`: what is stored is not what an engine wrote. `engine`: a fault of ours. */
  readonly reason: 'journal' | 'engine';
  readonly message: string;
  /** With the stack. */
  readonly error: string;
  /** Last fact before the fault; null when the journal cannot be read. */
  readonly seq: number | null;
}

/** Asked to drive an execution that is quarantined. */
export class ExecutionQuarantined extends Error {
  override readonly name = 'ExecutionQuarantined';
  constructor(arn: string) {
    super(`${arn} is quarantined: it is not driven. \`stepwell describe\` says why.`);
  }
}

export class Quarantine {
  /** What this process knows of; the documents decide. */
  private readonly known = new Set<ExecutionArn>();

  constructor(private readonly documents: DocumentStore) {}

  /** Reads the marks of earlier runs. */
  async recover(): Promise<void> {
    const marks = everyItem((limit, token) =>
      this.documents.list(QUARANTINE_KIND, { limit, token }),
    );
    for await (const { id } of marks) this.known.add(id as ExecutionArn);
  }

  /** Costs nothing: whether `holds` has to be asked. */
  suspects(arn: ExecutionArn): boolean {
    return this.known.has(arn);
  }

  async holds(arn: ExecutionArn): Promise<boolean> {
    if (!this.known.has(arn)) return false;
    if ((await quarantineNote(this.documents, arn)) !== null) return true;
    this.known.delete(arn);
    return false;
  }

  /** False when it was held already. */
  async hold(
    arn: ExecutionArn,
    error: Error,
    details: Pick<QuarantineNote, 'reason' | 'seq'> & { readonly now: EpochMs },
  ): Promise<boolean> {
    this.known.add(arn);
    const note: QuarantineNote = {
      since: new Date(details.now).toISOString(),
      reason: details.reason,
      message: error.message,
      error: (error.stack ?? error.message).slice(0, MAX_ERROR_CHARACTERS),
      seq: details.seq,
    };
    const put = await this.documents.put(QUARANTINE_KIND, arn, note as unknown as Json, null);
    return put !== 'conflict';
  }

  async release(arn: ExecutionArn): Promise<boolean> {
    this.known.delete(arn);
    return this.documents.remove(QUARANTINE_KIND, arn);
  }
}

export async function quarantineNote(
  documents: DocumentStore,
  arn: ExecutionArn,
): Promise<QuarantineNote | null> {
  const found = await documents.get(QUARANTINE_KIND, arn);
  return found === null ? null : (found.body as unknown as QuarantineNote);
}
