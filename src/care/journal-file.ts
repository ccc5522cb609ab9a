/** Export and import of one execution: its journal, and the definition it was recorded with. */
import { fold } from '../core/evolve.js';
import type { ExecutionState } from '../core/state.js';
import type { EpochMs, ExecutionArn } from '../lib/brand.js';
import type { JsonObject } from '../lib/json.js';
import { verifyJournal } from '../runtime/journal.js';
import { Machines, revisionOf } from '../runtime/machines.js';
import type { JournalCommit, Store } from '../store/store.js';
import { ARCHIVE_VERSION, ArchiveDamaged, type ArchiveLine } from './archive.js';
import { archiveItems, executionLines } from './backup.js';
import { derive } from './derive.js';

export interface ExportHeader {
  readonly stepwell: 'execution';
  readonly version: number;
  readonly execution: ExecutionArn;
  readonly status: string;
  readonly revision: string;
  /** The state machine as it was when the execution began; null when the store has lost it. */
  readonly definition: string | null;
  readonly type: 'STANDARD' | 'EXPRESS';
}

/** Throws JournalCorrupt when the journal is not sound: what is exported can be imported. */
export async function exportOf(
  store: Store,
  arn: ExecutionArn,
): Promise<{ readonly header: ExportHeader; readonly lines: AsyncIterable<ArchiveLine> }> {
  const journal = verifyJournal(arn, await store.load(arn));
  const state = journal === null ? null : fold(journal.facts);
  if (state === null) throw new Error(`There is no execution ${arn}.`);
  const revision = await new Machines(store.documents).revision(state.revision);
  const header: ExportHeader = {
    stepwell: 'execution',
    version: ARCHIVE_VERSION,
    execution: arn,
    status: state.status,
    revision: state.revision,
    definition: revision?.definition ?? null,
    type: state.identity.type,
  };
  return {
    header,
    lines: executionLines(store, arn, { executions: 0, documents: 0, damaged: [] }),
  };
}

export interface Imported {
  readonly arn: ExecutionArn;
  readonly state: ExecutionState;
  /** `running`: it is not over, and nothing was written because `mayRun` is false. */
  readonly result: 'restored' | 'exists' | 'running';
}

/**
 * Verifies everything before anything is written: the file, the definition against its hash, the
 * chain against its digests, the journal against the name it claims.
 */
export async function importFrom(
  store: Store,
  lines: AsyncIterable<JsonObject>,
  options: { readonly now: EpochMs; readonly mayRun: boolean },
): Promise<Imported> {
  const { header, journal } = await read(lines);
  const arn = header.execution;
  const loaded = verifyJournal(arn, journal);
  const state = loaded === null ? null : fold(loaded.facts);
  if (loaded === null || state === null) throw new ArchiveDamaged('it holds no journal');
  const { definition, type } = header;
  if (definition === null) throw new ArchiveDamaged('it holds no definition');
  const revision = revisionOf(definition, type);
  if (revision.id !== state.revision) {
    throw new ArchiveDamaged('its definition is not the one the execution ran');
  }
  if (state.status === 'RUNNING' && !options.mayRun) return { arn, state, result: 'running' };
  await new Machines(store.documents).save(revision);
  const result = await store.care.restore(journal, derive(loaded.facts, options.now));
  return { arn, state, result };
}

async function read(
  lines: AsyncIterable<JsonObject>,
): Promise<{ header: ExportHeader; journal: readonly JournalCommit[] }> {
  const seen: JsonObject[] = [];
  async function* noted(): AsyncGenerator<JsonObject> {
    for await (const line of lines) {
      if (seen.length === 0) seen.push(line);
      yield line;
    }
  }
  const header = () => seen[0] as unknown as ExportHeader | undefined;
  let journal: readonly JournalCommit[] | null = null;
  for await (const item of archiveItems(noted())) {
    if ('kind' in item || journal !== null || item.head.execution !== header()?.execution) {
      throw new ArchiveDamaged('it holds something else than one execution');
    }
    journal = item.journal;
  }
  const first = header();
  if (first === undefined || journal === null) throw new ArchiveDamaged('it holds no execution');
  return { header: first, journal };
}
