/** `stepwell doctor`: what is wrong with a store, and with the machine it lies on. */
import { access, constants, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { type Diagnosis, diagnose } from '../../care/doctor.js';
import { loadConfig } from '../../handlers/config/load.js';
import type { EpochMs } from '../../lib/brand.js';
import { EXIT } from '../problem.js';
import { storeSpec, type StoreOption, useStore, withStoreOption } from '../store-option.js';
import { bold, dim, green, red, yellow } from '../style.js';
import { print } from '../output.js';

interface DoctorCommandOptions extends StoreOption {
  readonly config?: string;
  readonly json: boolean;
  readonly fix: boolean;
  readonly deep: boolean;
}

/** Below this the next long journal may not fit. */
const LITTLE_SPACE_BYTES = 512 * 1024 * 1024;
const MARKS = { ok: green('✓'), warning: yellow('!'), error: red('✗') } as const;

export function addDoctor(program: Command): void {
  withStoreOption(program.command('doctor'))
    .description('find what is stuck, orphaned, quarantined or damaged in a store')
    .option('--config <file>', 'configuration file (default: stepwell.config.json if present)')
    .option('--deep', 'verify the journals of ended executions, too', false)
    .option(
      '--fix',
      'write anew what follows from the journals, remove what belongs to nothing',
      false,
    )
    .option('--json', 'print one finding a line', false)
    .addHelpText(
      'after',
      `
Exit status: 0 all is well (or warnings only), 1 an error is left, 2 the store cannot be opened.
A running server may be examined; --fix on a sqlite store needs it to be stopped.
Examples:
  stepwell doctor
  stepwell doctor --store redis://127.0.0.1:6379 --deep --json | jq 'select(.level != "ok")'`,
    )
    .action(async (options: DoctorCommandOptions) => {
      process.exitCode = await doctor(options);
    });
}

async function doctor(options: DoctorCommandOptions): Promise<number> {
  const counts = { ok: 0, warning: 0, error: 0 };
  const tell = (found: Diagnosis): void => {
    counts[found.fixed ? 'ok' : found.level] += 1;
    print(options.json ? JSON.stringify(found) : shown(found));
  };
  const access = options.fix ? 'write' : 'read';
  await useStore(options, access, async (store) => {
    if (!options.json) print(`${bold('Store')} ${dim(store.description)}`);
    const found = diagnose(store, {
      now: () => Date.now() as EpochMs,
      fix: options.fix,
      deep: options.deep,
    });
    for await (const one of found) tell(one);
  });
  for (const one of await surroundings(options)) tell(one);
  if (!options.json) print(conclusion(counts));
  return counts.error > 0 ? EXIT.failed : EXIT.succeeded;
}

function shown(found: Diagnosis): string {
  const mark = found.fixed ? green('✓') : MARKS[found.level];
  const arn = found.arn === undefined ? '' : `\n    ${found.arn}`;
  const fixed = found.fixed ? green(' fixed') : '';
  const mend = found.mend === null ? '' : `\n    ${dim(`→ ${found.mend}`)}`;
  return `${mark} ${dim(found.check.padEnd(11))} ${found.message}${fixed}${arn}${mend}`;
}

function conclusion({ warning, error }: { warning: number; error: number }): string {
  if (error > 0) return red(`${error} ${error === 1 ? 'error' : 'errors'}, ${warning} warnings`);
  if (warning > 0) return yellow(`${warning} ${warning === 1 ? 'warning' : 'warnings'}`);
  return green('All is well.');
}

/** Disk space and folders beside the store. */
async function surroundings(options: DoctorCommandOptions): Promise<readonly Diagnosis[]> {
  const config = await loadConfig(options.config ?? null, process.cwd());
  const spec = storeSpec(options);
  const file = spec.startsWith('sqlite:') ? dirname(resolve(spec.slice('sqlite:'.length))) : null;
  return [
    ...(file === null ? [] : [await space('disk', file)]),
    await folder('artifacts', config.artifacts),
  ];
}

async function space(check: string, path: string): Promise<Diagnosis> {
  const { bavail, bsize } = await statfs(path);
  const free = bavail * bsize;
  const message = `${(free / 1024 ** 3).toFixed(1)} GiB are free in ${path}.`;
  if (free >= LITTLE_SPACE_BYTES) return { level: 'ok', check, message, mend: null };
  return {
    level: 'error',
    check,
    message,
    mend: 'Free some space or shorten the retention: a full disk pauses every execution.',
  };
}

async function folder(check: string, path: string): Promise<Diagnosis> {
  try {
    await access(path, constants.R_OK | constants.W_OK);
    return { level: 'ok', check, message: `${path} can be read and written.`, mend: null };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return { level: 'ok', check, message: `${path} will be made when it is needed.`, mend: null };
    }
    const message = `${path} cannot be read and written.`;
    return { level: 'error', check, message, mend: 'Give it to the user that runs Stepwell.' };
  }
}
