/** `stepwell runs`: recorded trainings and evaluations, their curves, and several side by side. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { loadConfig } from '../../handlers/config/load.js';
import type { JsonObject } from '../../lib/json.js';
import { sparkline } from '../../ml/tracking/curve.js';
import { numberText } from '../../ml/tracking/numbers.js';
import { openRuns, type Run, type RunInfo, type RunStore } from '../../ml/tracking/run-store.js';
import { Problem } from '../problem.js';
import { bold, cyan, dim, duration, green, red, yellow } from '../style.js';
import { emit, print } from '../output.js';

interface Shared {
  readonly config?: string;
  readonly json: boolean;
}

const EXAMPLES = `
Examples:
  stepwell runs list --experiment ml-training
  stepwell runs show 3f2a
  stepwell runs compare 3f2a 91bc

The files are MLflow's: mlflow ui --backend-store-uri .stepwell/mlruns`;

const ID_SHOWN = 8;

export function addRuns(program: Command): void {
  const runs = program
    .command('runs')
    .description('recorded trainings and evaluations: parameters, metrics by step, side by side')
    .addHelpText('after', EXAMPLES);
  const sub = (usage: string, description: string): Command => {
    const command = runs.command(usage).description(description).exitOverride();
    return command
      .option('--config <file>', 'configuration file (default: stepwell.config.json if present)')
      .option('--json', 'print JSON lines', false);
  };
  sub('list', 'all runs, newest first')
    .option('--experiment <name>', 'of one machine only')
    .action(async (options: Shared & { readonly experiment?: string }) => {
      const all = await (await storeOf(options)).list();
      const { experiment } = options;
      list(
        all.filter((run) => experiment === undefined || run.experiment === experiment),
        options.json,
      );
    });
  sub('show <run>', 'one run; the start of its id is enough').action(
    async (id: string, options: Shared) =>
      show(await found(await storeOf(options), id), options.json),
  );
  sub('compare <runs...>', 'several runs side by side, what differs first').action(
    async (ids: string[], options: Shared) => {
      const store = await storeOf(options);
      if (ids.length < 2)
        throw new Problem('Give at least two runs to compare.', 'stepwell runs list');
      const runsFound: Run[] = [];
      for (const id of ids) runsFound.push(await found(store, id));
      compare(runsFound, options.json);
    },
  );
}

async function storeOf(options: Shared): Promise<RunStore> {
  const config = await loadConfig(options.config ?? null, process.cwd());
  return openRuns(join(config.stateFolder, 'mlruns'));
}

async function found(store: RunStore, id: string): Promise<Run> {
  const run = await store.find(id).catch((error) => {
    throw error instanceof RangeError ? new Problem(error.message, 'Give more of the id.') : error;
  });
  if (run !== null) return run;
  throw new Problem(`There is no run "${id}".`, 'stepwell runs list shows them.');
}

function list(runs: readonly RunInfo[], json: boolean): void {
  if (json) {
    for (const run of runs) emit(run);
    return;
  }
  if (runs.length === 0) return print('No runs yet: ml:fine-tune and ml:evaluate record theirs.');
  for (const run of runs) {
    const took = run.endTime === null ? '' : duration(run.endTime - run.startTime);
    const started = new Date(run.startTime).toISOString().slice(0, 19).replace('T', ' ');
    print(
      `${cyan(run.runId.slice(0, ID_SHOWN))}  ${coloured(run)}  ${dim(started)}  ${took.padStart(9)}  ` +
        `${bold(run.experiment)}  ${run.name}`,
    );
  }
}

function coloured({ status }: RunInfo): string {
  const paint = status === 'FINISHED' ? green : status === 'RUNNING' ? yellow : red;
  return paint(status.padEnd(8));
}

function plain(run: Run): JsonObject {
  const { params, tags, metrics, artifacts, ...info } = run;
  const points = [...metrics].map(([name, values]) => [
    name,
    values.map(({ timestamp, value, step }) => ({ timestamp, value: numberText(value), step })),
  ]);
  return {
    ...info,
    params: Object.fromEntries(params),
    tags: Object.fromEntries(tags),
    metrics: Object.fromEntries(points) as JsonObject,
    artifacts,
  };
}

function show(run: Run, json: boolean): void {
  if (json) return emit(plain(run));
  print(`${bold(run.name)}  ${coloured(run).trim()}  ${dim(run.runId)}`);
  const error = run.tags.get('stepwell.error');
  if (error !== undefined) print(red(error));
  section('metrics');
  for (const name of run.metrics.keys())
    print(`  ${name.padEnd(widest([...run.metrics.keys()]))}  ${metricLine(run, name)}`);
  section('parameters');
  for (const [name, value] of run.params)
    print(`  ${name.padEnd(widest([...run.params.keys()]))}  ${value}`);
  section('tags');
  for (const [name, value] of run.tags)
    print(dim(`  ${name.padEnd(widest([...run.tags.keys()]))}  ${value}`));
}

function section(title: string): void {
  print(`\n${bold(title)}`);
}

function metricLine(run: Run, name: string): string {
  const values = (run.metrics.get(name) ?? []).map((point) => point.value);
  const last = shown(values.at(-1));
  return values.length < 2
    ? last
    : `${last.padEnd(12)} ${cyan(sparkline(values))} ${dim(`${values.length} steps`)}`;
}

function shown(value: number | undefined): string {
  if (value === undefined) return '-';
  return Number.isInteger(value) || !Number.isFinite(value)
    ? numberText(value)
    : value.toPrecision(5);
}

function compare(runs: readonly Run[], json: boolean): void {
  if (json) {
    for (const run of runs) emit(plain(run));
    return;
  }
  const heads = runs.map((run) => run.runId.slice(0, ID_SHOWN));
  const metrics = names(runs.map((run) => run.metrics));
  table('metrics (last value)', metrics, heads, (name, i) => {
    const run = runs[i] as Run;
    return shown(run.metrics.get(name)?.at(-1)?.value);
  });
  const params = names(runs.map((run) => run.params));
  const value = (name: string, i: number) => runs[i]?.params.get(name) ?? '-';
  const differs = (name: string) => new Set(runs.map((_, i) => value(name, i))).size > 1;
  table('parameters that differ', params.filter(differs), heads, value);
  const same = params.filter((name) => !differs(name));
  if (same.length > 0) print(dim(`\n${same.length} parameters are the same: ${same.join(', ')}`));
  const curves = metrics.filter((name) =>
    runs.some((run) => (run.metrics.get(name)?.length ?? 0) > 2),
  );
  for (const name of curves) {
    section(name);
    for (const [i, run] of runs.entries()) print(`  ${heads[i]}  ${metricLine(run, name)}`);
  }
}

function table(
  title: string,
  rows: readonly string[],
  heads: readonly string[],
  cell: (name: string, column: number) => string,
): void {
  if (rows.length === 0) return;
  const width = widest(rows);
  const cells = rows.map((name) => heads.map((_, i) => clipped(cell(name, i))));
  const widths = heads.map((head, i) => widest([head, ...cells.map((line) => line[i] ?? '')]));
  section(title);
  print(
    `  ${''.padEnd(width)}  ${heads.map((head, i) => cyan(head.padStart(widths[i] ?? 0))).join('  ')}`,
  );
  rows.forEach((name, row) => {
    const line = (cells[row] ?? []).map((text, i) => text.padStart(widths[i] ?? 0)).join('  ');
    print(`  ${name.padEnd(width)}  ${line}`);
  });
}

const CELL_MAX = 32;

/** The end of a long value says more than its start: addresses differ there. */
function clipped(text: string): string {
  return text.length <= CELL_MAX ? text : `…${text.slice(1 - CELL_MAX)}`;
}

function names(maps: readonly ReadonlyMap<string, unknown>[]): readonly string[] {
  return [...new Set(maps.flatMap((map) => [...map.keys()]))].sort();
}

function widest(texts: readonly string[]): number {
  return texts.reduce((most, text) => Math.max(most, text.length), 0);
}
