/** `stepwell backup | restore | export | import`: stores and executions as files. */
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import type { Command } from 'commander';
import { ARCHIVE_VERSION, ArchiveDamaged, readArchive, writeArchive } from '../../care/archive.js';
import { backupLines, type Counts, empty, isEmpty, restoreLines } from '../../care/backup.js';
import { exportOf, importFrom } from '../../care/journal-file.js';
import type { EpochMs } from '../../lib/brand.js';
import type { JsonObject } from '../../lib/json.js';
import { JournalCorrupt } from '../../runtime/journal.js';
import { findExecution } from '../kept.js';
import { emit, print } from '../output.js';
import { EXIT, Problem } from '../problem.js';
import { storeSpec, type StoreOption, useStore, withStoreOption } from '../store-option.js';
import { dim, green, red, yellow } from '../style.js';
import { VERSION } from '../version.js';

interface FileOptions extends StoreOption {
  readonly json: boolean;
  readonly overwrite?: boolean;
  readonly resume?: boolean;
  readonly output?: string;
}

export function addBackup(program: Command): void {
  const command = (name: string, description: string): Command =>
    withStoreOption(program.command(name))
      .description(description)
      .option('--json', 'print the result as JSON', false);
  command('backup', 'write a whole store into one file, while a server runs')
    .argument('<file>', 'file to write (gzipped JSON lines)')
    .option('--overwrite', 'replace the file if it exists', false)
    .addHelpText('after', BACKUP_HELP)
    .action(async (file: string, options: FileOptions) => {
      process.exitCode = await backup(file, options);
    });
  command('restore', 'put a backup into an empty store of any kind')
    .argument('<file>', 'file written by stepwell backup')
    .option('--overwrite', 'replace what the store holds (a sqlite file is kept aside)', false)
    .addHelpText('after', RESTORE_HELP)
    .action(async (file: string, options: FileOptions) => {
      process.exitCode = await restore(file, options);
    });
  command('export', 'write the journal of one execution as JSON lines')
    .argument('<execution>', 'name or ARN')
    .option('-o, --output <file>', 'file to write (default: standard output)')
    .addHelpText('after', EXPORT_HELP)
    .action(async (id: string, options: FileOptions) => exportExecution(id, options));
  command('import', 'put an exported execution into a store')
    .argument('<file>', 'file written by stepwell export')
    .option('--resume', 'import an execution that is not over: it goes on here', false)
    .addHelpText('after', IMPORT_HELP)
    .action(async (file: string, options: FileOptions) => {
      process.exitCode = await importExecution(file, options);
    });
}

const EXPORT_HELP = `
The first line says what the file is, the others are facts as they are stored.
Example:
  stepwell export run-1a2b3c4d5e -o run.jsonl`;

const IMPORT_HELP = `
Exit status: 0 imported, 2 nothing was done.
Examples:
  stepwell import run.jsonl --store sqlite:elsewhere.db
  stepwell import run.jsonl --resume      not over: it goes on with the next start of the engine`;

const BACKUP_HELP = `
The file holds every journal and document and the key of task tokens: keep it as secret as the store.
A sqlite store is read at one instant; on Redis each execution is, and the order is one that restores.
Model files and data sets (artifacts) are not in it.
Example:
  stepwell backup nightly.stepwell.gz && stepwell restore nightly.stepwell.gz --store sqlite:drill.db`;

const RESTORE_HELP = `
The file is verified before anything is written. Stop the servers of the store first.
Exit status: 0 restored, 1 some executions were damaged already in the backup, 2 nothing was done.
Examples:
  stepwell restore nightly.stepwell.gz
  stepwell restore nightly.stepwell.gz --store redis://127.0.0.1:6379`;

async function backup(file: string, options: FileOptions): Promise<number> {
  if (existsSync(file) && !options.overwrite) {
    throw new Problem(`${file} exists already.`, 'Choose another name, or say --overwrite.');
  }
  const counts: Counts = { executions: 0, documents: 0, damaged: [] };
  const header = {
    stepwell: 'backup',
    version: ARCHIVE_VERSION,
    writtenBy: VERSION,
    at: new Date().toISOString(),
    store: storeSpec(options).split(':')[0] ?? '',
  };
  await useStore(options, 'read', (store) =>
    store.care.frozen((still) =>
      writeDurably(file, writeArchive(header, backupLines(still, counts)), createGzip()),
    ),
  );
  return report(options, `Written to ${file}`, counts);
}

/** Written beside, synced and renamed: a file of this name is always a whole one. */
async function writeDurably(
  file: string,
  text: AsyncIterable<string>,
  through: Transform | null,
): Promise<void> {
  const part = `${file}.part`;
  try {
    // The key of task tokens is in it: nobody else may read it.
    const target = createWriteStream(part, { mode: 0o600 });
    const source = Readable.from(text);
    await (through === null ? pipeline(source, target) : pipeline(source, through, target));
    const handle = await open(part, 'r+');
    await handle.sync();
    await handle.close();
    await rename(part, file);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

async function restore(file: string, options: FileOptions): Promise<number> {
  const lines = (): AsyncIterable<JsonObject> => linesOf(file, 'backup', true);
  await verified(lines());
  const aside = await keepAside(options);
  const counts = await useStore(options, 'write', async (store) => {
    if (!(await isEmpty(store))) {
      if (!options.overwrite) {
        throw new Problem(
          `The store ${storeSpec(options)} is not empty.`,
          'Restore into another one, or say --overwrite to replace what it holds.',
        );
      }
      await empty(store);
    }
    return restoreLines(store, lines(), Date.now() as EpochMs);
  });
  if (aside !== null && !options.json) process.stdout.write(dim(`The old file is ${aside}\n`));
  return report(options, `Restored into ${storeSpec(options)}`, counts);
}

/** A sqlite file that is to be replaced is renamed, never emptied. */
async function keepAside(options: FileOptions): Promise<string | null> {
  const spec = storeSpec(options);
  const path = spec.startsWith('sqlite:') ? resolve(spec.slice('sqlite:'.length)) : null;
  if (path === null || !options.overwrite || !existsSync(path)) return null;
  // Opening for writing fails while a server drives the file, and folds its log into it.
  await useStore(options, 'write', async () => undefined);
  const aside = `${path}.replaced-${new Date().toISOString().replaceAll(/[:.]/g, '')}`;
  await rename(path, aside);
  for (const end of ['-wal', '-shm']) await rm(`${path}${end}`, { force: true });
  return aside;
}

async function exportExecution(id: string, options: FileOptions): Promise<void> {
  await useStore(options, 'read', async (store) => {
    const arn = await findExecution(store, id);
    await store.care.frozen(async (still) => {
      const { header, lines } = await exportOf(still, arn);
      const text = writeArchive(header as unknown as JsonObject, lines);
      if (options.output !== undefined) return writeDurably(options.output, text, null);
      for await (const line of text) process.stdout.write(line);
    });
  }).catch(refuseDamage);
}

async function importExecution(file: string, options: FileOptions): Promise<number> {
  await verified(linesOf(file, 'execution', false));
  const { arn, state, result } = await useStore(options, 'write', (store) =>
    importFrom(store, linesOf(file, 'execution', false), {
      now: Date.now() as EpochMs,
      mayRun: options.resume ?? false,
    }),
  ).catch(refuseDamage);
  if (result === 'exists') throw new Problem(`The store has an execution ${arn} already.`);
  if (result === 'running') {
    throw new Problem(
      `${arn} was still running when it was exported.`,
      'Where it came from it may go on: stop it there, then import it with --resume.',
    );
  }
  const shown = { executionArn: arn, status: state.status, events: state.eventCount };
  process.stdout.write(
    options.json
      ? `${JSON.stringify(shown)}\n`
      : `${green('Imported')} ${arn} ${dim(`${state.status}, ${state.eventCount} events`)}\n`,
  );
  return EXIT.succeeded;
}

async function* linesOf(
  file: string,
  kind: 'backup' | 'execution',
  zipped: boolean,
): AsyncGenerator<JsonObject> {
  const source = createReadStream(file);
  try {
    if (zipped) {
      const text = source.pipe(createGunzip());
      source.on('error', (error) => text.destroy(error));
      yield* readArchive(text, kind);
    } else yield* readArchive(source, kind);
  } catch (error) {
    refuseDamage(error);
  } finally {
    source.destroy();
  }
}

async function verified(lines: AsyncIterable<JsonObject>): Promise<void> {
  for await (const _ of lines);
}

/** Files come from outside: what is wrong with one is the caller's to know, with status 2. */
function refuseDamage(error: unknown): never {
  if (error instanceof ArchiveDamaged || error instanceof JournalCorrupt) {
    throw new Problem(error.message);
  }
  const { code } = error as NodeJS.ErrnoException;
  if (code?.startsWith('Z_') || code === 'ENOENT' || code === 'EISDIR' || code === 'EACCES') {
    throw new Problem(`The file cannot be read: ${(error as Error).message}.`);
  }
  throw error;
}

function report(options: FileOptions, what: string, counts: Counts): number {
  const { executions, documents, damaged } = counts;
  if (options.json) emit(counts);
  else {
    const shown = `${executions} executions, ${documents} documents`;
    print(`${green(what)}  ${dim(shown)}`);
    for (const { arn, reason } of damaged) {
      print(`${red('damaged')} ${arn}: ${reason}`);
    }
    if (damaged.length > 0) process.stdout.write(yellow('Damaged executions are not restored.\n'));
  }
  return damaged.length > 0 ? EXIT.failed : EXIT.succeeded;
}
