/** `stepwell data`: look into a dataset before a machine does. */
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Command } from 'commander';
import { createArtifactStore } from '../../handlers/artifacts.js';
import { loadConfig } from '../../handlers/config/load.js';
import { DataFailure } from '../../ml/data/data-failure.js';
import { datasetRows } from '../../ml/data/dataset.js';
import { exportSteps } from '../../ml/lineage/dvc-export.js';
import { openLineage } from '../../ml/lineage/events.js';
import { stepsOf } from '../../ml/lineage/graph.js';
import { profileSvg } from '../../ml/profile/picture.js';
import { type ColumnProfile, type Profile, profile } from '../../ml/profile/profile.js';
import { proposeSuite } from '../../ml/profile/propose.js';
import { sparkline } from '../../ml/tracking/curve.js';
import { Problem } from '../problem.js';
import { bold, cyan, dim, yellow } from '../style.js';
import { emit, print } from '../output.js';

interface Options {
  readonly json: boolean;
  readonly suite?: string;
  readonly svg?: string;
}

const EXAMPLES = `
Examples:
  stepwell data profile data/customer_feedback.csv
  stepwell data profile data/customer_feedback.csv --suite suite.json --svg histograms.svg
  stepwell data dvc run-5a2c39588a --to exported     (what an execution read and made, for DVC)`;

export function addData(program: Command): void {
  const data = program
    .command('data')
    .description('look into a dataset: types, gaps, histograms, proposed expectations; DVC files')
    .addHelpText('after', EXAMPLES);
  data
    .command('dvc <execution>')
    .description('write what an execution read and made as DVC files')
    .requiredOption('--to <folder>', 'a folder for dvc.yaml, dvc.lock, data/ and .dvc/cache')
    .option('--config <file>', 'configuration file (default: stepwell.config.json if present)')
    .exitOverride()
    .action(exportDvc);
  data
    .command('profile <file>')
    .description('profile a CSV, JSON Lines, JSON or Parquet file')
    .option('--suite <file>', 'write the proposed Great Expectations suite there')
    .option('--svg <file>', 'write the histograms there')
    .option('--json', 'print the profile as one line of JSON', false)
    .exitOverride()
    .action(async (file: string, options: Options) => {
      const found = await profiled(file);
      const suite = proposeSuite(found, basename(file).replace(/\..*$/, ''));
      if (options.suite !== undefined)
        await write(options.suite, `${JSON.stringify(suite, null, 2)}\n`);
      if (options.svg !== undefined) await write(options.svg, profileSvg(found));
      if (options.json) emit(found);
      else show(file, found, (suite.expectations as readonly unknown[]).length, options);
    });
}

async function exportDvc(execution: string, options: DvcOptions): Promise<void> {
  const config = await loadConfig(options.config ?? null, process.cwd());
  const { namespace } = config.lineage;
  const lineage = openLineage({ folder: join(config.stateFolder, 'lineage'), namespace });
  const steps = stepsOf(await lineage.events()).filter(
    (step) => step.execution === execution || step.execution.endsWith(`:${execution}`),
  );
  if (steps.length === 0) throw new Problem(`No lineage of the execution "${execution}".`, null);
  const artifacts = createArtifactStore(config.artifacts);
  const made = await exportSteps(steps, options.to, (uri) => artifacts.path(uri));
  print(
    `${options.to}: dvc.yaml and dvc.lock with ${made.stages} stages, ${made.files} paths in .dvc/cache`,
  );
  for (const uri of made.missing) print(yellow(`  not there any more: ${uri}`));
}

interface DvcOptions {
  readonly config?: string;
  readonly to: string;
}

async function profiled(file: string): Promise<Profile> {
  try {
    return await profile(datasetRows({ path: file, address: file }, new AbortController().signal));
  } catch (error) {
    if (error instanceof DataFailure) throw new Problem(error.reason, null);
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new Problem(`There is no file ${file}.`, null);
    throw error;
  }
}

async function write(path: string, content: string): Promise<void> {
  await writeFile(path, content).catch((error: Error) => {
    throw new Problem(`${path}: ${error.message}`, null);
  });
}

function show(file: string, found: Profile, expectations: number, options: Options): void {
  const rows = `${found.rows} rows${found.sampled ? ' read, there are more' : ''}`;
  print(`${bold(file)}  ${rows}, ${found.columns.length} columns`);
  const width = Math.max(...found.columns.map((column) => column.name.length), 0);
  for (const column of found.columns) {
    const gap = column.missing === 0 ? dim('complete') : yellow(`${column.missing} missing`);
    print(
      `  ${bold(column.name.padEnd(width))}  ${column.kind.padEnd(8)}  ${gap}  ${detail(column)}`,
    );
  }
  const where = options.suite === undefined ? '--suite <file> writes them' : options.suite;
  print(dim(`${expectations} expectations proposed (${where})`));
}

function detail({ numbers, lengths, top, distinct }: ColumnProfile): string {
  const curve = (bins: readonly { readonly count: number }[]) =>
    cyan(sparkline(bins.map((bin) => bin.count)));
  if (numbers !== null)
    return `${number(numbers.min)} … ${number(numbers.max)}  ${curve(numbers.histogram)}`;
  if (distinct <= top.length)
    return top.map(({ value, count }) => `${value} ${dim(String(count))}`).join(', ');
  if (lengths === null) return `${distinct} different`;
  return `${distinct} different, ${lengths.min} … ${lengths.max} characters  ${curve(lengths.histogram)}`;
}

function number(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toPrecision(5);
}
