/** `stepwell rebuild`: everything that follows from the journals, written anew and verified. */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { type Rebuilt, rebuild } from '../../care/rebuild.js';
import type { EpochMs } from '../../lib/brand.js';
import { EXIT, Problem } from '../problem.js';
import { type StoreOption, storeSpec, useStore, withStoreOption } from '../store-option.js';
import { green, red, yellow } from '../style.js';

interface RebuildOptions extends StoreOption {
  readonly json: boolean;
}

export function addRebuild(program: Command): void {
  withStoreOption(program.command('rebuild'))
    .description('write rows, timers, outbox and indexes anew from the journals, and verify them')
    .option('--json', 'print the result as JSON', false)
    .addHelpText(
      'after',
      `
Journals are only read; one that is damaged is reported and left as it is.
Exit status: 0 everything is as the journals say, 1 something is damaged or left.
Example:
  stepwell rebuild --store sqlite:.stepwell/stepwell.db`,
    )
    .action(async (options: RebuildOptions) => {
      const now = (): EpochMs => Date.now() as EpochMs;
      refuseAbsent(storeSpec(options));
      const done = await useStore(options, 'write', (store) => rebuild(store, now));
      process.stdout.write(options.json ? `${JSON.stringify(done)}\n` : report(done));
      const bad = done.damaged.length + done.left.length > 0;
      process.exitCode = bad ? EXIT.failed : EXIT.succeeded;
    });
}

/** Opening a file that is not there would make an empty store, and call it verified. */
function refuseAbsent(spec: string): void {
  const file = /^sqlite:(.*)$/.exec(spec)?.[1];
  if (file !== undefined && !existsSync(file)) throw new Problem(`There is no store at ${file}.`);
}

function report({ examined, mended, damaged, strays, left }: Rebuilt): string {
  const lines = [
    `${examined} journals read, ${mended.length} executions mended, ${strays.length} strays dealt with`,
    ...mended.map(({ arn, what }) => `${yellow('mended')}  ${arn}: ${what.join(', ')}`),
    ...strays.map(({ kind, what }) => `${yellow('stray')}   ${kind} ${what}`),
    ...damaged.map(({ arn, reason }) => `${red('damaged')} ${arn}: ${reason}`),
    ...left.map((what) => `${red('left')}    ${what}`),
    damaged.length + left.length === 0 ? green('Verified: the store is as its journals say.') : '',
  ];
  return `${lines.filter((line) => line !== '').join('\n')}\n`;
}
