/** `stepwell endpoints`: what serves here, every switch there was, and the way back at 3 a.m. */
import type { Command } from 'commander';
import { loadConfig } from '../../handlers/config/load.js';
import {
  type EndpointRecord,
  type Endpoints,
  endpointsFolder,
  type EndpointSwitch,
  openEndpoints,
  readMetrics,
} from '../../serving/index.js';
import { Problem } from '../problem.js';
import { bold, dim, green, yellow } from '../style.js';
import { userName } from '../user-name.js';
import { emit, print } from '../output.js';

interface Shared {
  readonly config?: string;
  readonly json: boolean;
}

interface RollbackOptions extends Shared {
  readonly to?: string;
  readonly by: string;
  readonly why?: string;
}

/** What `list` counts. */
const WINDOW_SECONDS = 300;

export function addEndpoints(program: Command): void {
  const endpoints = program
    .command('endpoints')
    .description('model endpoints: what they serve, their switches, and going back')
    .addHelpText(
      'after',
      `
Examples:
  stepwell endpoints list
  stepwell endpoints history customer-sentiment
  stepwell endpoints rollback customer-sentiment --why "wrong labels since noon"`,
    );
  const sub = (usage: string, description: string): Command =>
    endpoints
      .command(usage)
      .description(description)
      .exitOverride()
      .option('--config <file>', 'configuration file (default: stepwell.config.json if present)')
      .option('--json', 'print JSON lines', false);
  sub('list', 'every endpoint: variants, shares, and the last five minutes').action(
    (options: Shared) => withEndpoints(options, (found, home) => list(found, home, options.json)),
  );
  sub('history <name>', 'every switch of an endpoint, with who and why').action(
    (name: string, options: Shared) =>
      withEndpoints(options, async (found) => history(await required(found, name), options.json)),
  );
  sub('rollback <name>', 'serve again what was served before; ends an open rollout')
    .option(
      '--to <revision>',
      'which revision (default: the one before, or the open rollout’s baseline)',
    )
    .option('--by <name>', 'who does it', userName())
    .option('--why <text>', 'why')
    .action((name: string, options: RollbackOptions) =>
      withEndpoints(options, (found) => rollback(found, name, options)),
    );
}

async function withEndpoints(
  options: Shared,
  work: (endpoints: Endpoints, home: string) => Promise<void>,
): Promise<void> {
  const config = await loadConfig(options.config ?? null, process.cwd());
  await work(openEndpoints(endpointsFolder(config.stateFolder)), config.stateFolder);
}

async function required(endpoints: Endpoints, name: string): Promise<EndpointRecord> {
  const record = await endpoints.get(name);
  if (record !== null) return record;
  const known = await endpoints.names();
  throw new Problem(`There is no endpoint '${name}'.`, `Known: ${known.join(', ') || 'none'}.`);
}

async function list(endpoints: Endpoints, home: string, json: boolean): Promise<void> {
  const now = Date.now();
  const records = await endpoints.list();
  if (records.length === 0 && !json) print(dim('No endpoint has been deployed here.'));
  for (const record of records) {
    const query = { from: now - WINDOW_SECONDS * 1000, to: now + 1000 };
    const metrics = await readMetrics(home, record.name, query);
    if (json) {
      const { history: _, ...shown } = record;
      emit({ ...shown, metrics: Object.fromEntries(metrics) });
      continue;
    }
    const held = record.rollout ? yellow(`  rollout ${record.rollout.id} is open`) : '';
    print(`${bold(record.name)}  revision ${record.revision}  ${dim(record.updatedAt)}${held}`);
    for (const variant of [...record.variants, ...(record.shadows ?? [])]) {
      const window = metrics.get(variant.name);
      const share = 'weight' in variant ? shareOf(record, variant.weight) : 'shadow';
      const traffic =
        window === undefined
          ? dim('no requests in 5 min')
          : `${window.invocations} requests, errors ${percent(window.errorRate)}, p99 ${window.latencyP99Ms ?? '–'} ms`;
      print(
        `  ${variant.name.padEnd(12)} ${share.padStart(7)}  ${green(modelOf(variant.model))}  ${traffic}`,
      );
    }
  }
}

function shareOf({ variants }: EndpointRecord, weight: number): string {
  const total = variants.reduce((sum, variant) => sum + variant.weight, 0);
  return percent(weight / total);
}

function history(record: EndpointRecord, json: boolean): void {
  for (const step of record.history) {
    if (json) emit(step);
    else
      print(
        `${String(step.revision).padStart(4)}  ${step.at}  ${served(step)}  ${dim(`${step.who}: ${step.why}`)}`,
      );
  }
}

function served({ variants, shadows = [] }: EndpointSwitch): string {
  const shown = variants.map(
    (variant) => `${modelOf(variant.model)} × ${Number(variant.weight.toFixed(2))}`,
  );
  return [...shown, ...shadows.map((shadow) => `${modelOf(shadow.model)} as shadow`)].join(', ');
}

async function rollback(
  endpoints: Endpoints,
  name: string,
  options: RollbackOptions,
): Promise<void> {
  const record = await required(endpoints, name);
  const target = targetOf(record, options.to);
  const next = await endpoints.switchTo(name, {
    who: options.by,
    why: `Rollback to revision ${target.revision}: ${options.why ?? 'at the command line'}`,
    variants: target.variants,
    shadows: target.shadows ?? [],
    settings: target.settings ?? {},
    rollout: null,
  });
  if (options.json) return emit({ name, revision: next.revision, restored: target.revision });
  print(
    `${bold(name)} serves ${served(target)} again, as in revision ${target.revision} (now ${next.revision}).`,
  );
  print(
    dim('A running server follows within a second: see x-stepwell-model-version in its answers.'),
  );
}

function targetOf(record: EndpointRecord, to: string | undefined): EndpointSwitch {
  const revision =
    to === undefined ? (record.rollout?.baseline ?? record.history.at(-2)?.revision) : Number(to);
  const found = record.history.find((step) => step.revision === revision);
  if (found !== undefined) return found;
  throw new Problem(
    `Endpoint '${record.name}' has no revision ${String(to ?? 'before this one')}.`,
    `See stepwell endpoints history ${record.name}.`,
  );
}

function modelOf({
  name,
  version,
  uri,
}: {
  readonly name: string | null;
  readonly version: string | null;
  readonly uri: string;
}): string {
  return name === null ? uri : `${name} ${version ?? ''}`.trim();
}

function percent(share: number | null): string {
  return share === null ? '–' : `${(share * 100).toFixed(1)} %`;
}
