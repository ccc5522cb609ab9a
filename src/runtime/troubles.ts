/** What goes wrong while executions are driven: a bug stops one execution, never the process. */
import type { Logger } from '../handlers/handler.js';
import { InvariantError } from '../lib/assert.js';
import type { ExecutionArn } from '../lib/brand.js';
import type { JsonObject } from '../lib/json.js';
import { JournalCorrupt } from './journal.js';
import { ExecutionQuarantined } from './quarantine.js';

/** Our own bug or a damaged journal: trying again would end the same way. */
export function isFault(error: unknown): error is InvariantError | JournalCorrupt {
  return error instanceof InvariantError || error instanceof JournalCorrupt;
}

export class Troubles {
  constructor(private readonly log: Logger) {}

  /** A bug or a damaged journal stops one execution, never the process. */
  quarantine(arn: ExecutionArn, error: unknown): void {
    if (error instanceof ExecutionQuarantined) return;
    const reason = isFault(error)
      ? 'The execution is quarantined: its journal is kept and it is not driven any further.'
      : 'The execution could not be driven; it is tried again with the next stimulus or start.';
    this.report(reason, error, { arn });
  }

  report(message: string, error: unknown, fields: JsonObject = {}): void {
    const shown = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.log.error(message, { ...fields, error: shown });
  }
}
