/** `stepwell cost`: what a run would cost on AWS as Standard and as Express, and what would make it cheaper. */
import { existsSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import type { Fact } from '../../core/fact.js';
import type { JsonObject } from '../../lib/json.js';
import { loadJournal } from '../../runtime/journal.js';
import type { Store } from '../../store/store.js';
import { adviceOn, expressObstacles } from '../../simulate/cost/advice.js';
import { type Estimate, estimate } from '../../simulate/cost/estimate.js';
import { PRICES, type Prices, readPrices } from '../../simulate/cost/prices.js';
import { type Usage, usageOf } from '../../simulate/cost/usage.js';
import { readDocument } from '../../simulate/documents.js';
import { plausibleInput } from '../../simulate/mocks/defaults.js';
import { ownJournals, simulate } from '../../simulate/simulate.js';
import { checkMachine, readInput, readMachine } from '../input.js';
import { readExecution, withStore } from '../kept.js';
import { loadMocks } from '../mock-files.js';
import { emit, print } from '../output.js';
import { EXIT, Problem } from '../problem.js';
import { STORE_OPTION } from '../store-option.js';
import { bold, dim, duration, yellow } from '../style.js';
import { parseSeed, plannedResponders } from './simulate.js';

interface CostCommand {
  readonly input?: string;
  readonly mocks?: string;
  readonly runsPerMonth: number;
  readonly memory: number;
  readonly duration?: number;
  readonly prices?: string;
  readonly seed: number;
  readonly store?: string;
  readonly json: boolean;
}

const EXAMPLES = `
Examples:
  stepwell cost order.asl.json --runs-per-month 100000
  stepwell cost order.asl.json --input @order.json --mocks order.mocks.yaml     with answers that take time
  stepwell cost order.asl.json --memory 128 --duration 900                      as Express: 128 MB for 0.9 s
  stepwell cost run-1a2b3c4d5e                                                  an execution that has run here
  stepwell cost order.asl.json --prices eu.json       {"standard": {"perThousandTransitions": 0.0297}}
  stepwell simulate order.asl.json --scale 10000      which limit breaks first, and the cost of that
Only Step Functions itself is counted, not what it calls. docs/exploring.md names the prices and their date.`;

export function addCost(program: Command): void {
  program
    .command('cost')
    .argument(
      '<machine-or-execution>',
      'file with the ASL definition, or name or ARN of an execution',
    )
    .description('what a run would cost on AWS, as Standard and as Express')
    .option('--input <json>', "input: JSON, '@file' or '-'; made up when absent")
    .option('--mocks <file>', 'mocks of the simulated run; made-up answers take no time')
    .option('--runs-per-month <n>', 'executions a month', parseAmount, 10_000)
    .option('--memory <mb>', 'memory of an Express execution', parseAmount, 64)
    .option(
      '--duration <ms>',
      "duration of an Express execution (default: the run's own)",
      parseAmount,
    )
    .option('--prices <file>', 'another price table, whole or in part')
    .option('--seed <number>', 'seed of the simulated run', parseSeed, 0)
    .option(...STORE_OPTION)
    .option('--json', 'print one line a state and a result line', false)
    .addHelpText('after', EXAMPLES)
    .action(async (id: string, options: CostCommand) => {
      process.exitCode = await run(id, options);
    });
}

function parseAmount(text: string): number {
  const amount = Number(text);
  if (text.trim() !== '' && Number.isFinite(amount) && amount >= 0) return amount;
  throw new InvalidArgumentError('Use a number from 0.');
}

interface Billed {
  readonly definition: JsonObject;
  readonly usage: Usage;
  readonly status: string;
  readonly isMadeUp: boolean;
}

async function run(id: string, options: CostCommand): Promise<number> {
  const prices = options.prices === undefined ? PRICES : await pricesFrom(options.prices);
  const isFile = existsSync(id) || /\.json$/.test(id);
  const billed = isFile ? await simulated(id, options) : await kept(id, options);
  const { definition, usage } = billed;
  const amounts = estimate(usage, {
    prices,
    runsPerMonth: options.runsPerMonth,
    memoryMb: options.memory,
    durationMs: options.duration ?? null,
  });
  const obstacles = expressObstacles(definition, options.duration ?? usage.durationMs);
  // How long made-up answers would take is not known, so neither is the price as Express.
  const isTimed = !billed.isMadeUp || options.duration !== undefined;
  const advice = adviceOn(definition, usage, amounts, { obstacles, isTimed });
  if (options.json) {
    for (const one of usage.byState) emit({ type: 'state', ...one });
    const { byState: _byState, ...totals } = usage;
    const table = { version: prices.version, region: prices.region, currency: prices.currency };
    emit({
      type: 'result',
      status: billed.status,
      usage: totals,
      ...amounts,
      obstacles,
      advice,
      prices: table,
    });
  } else tell(billed, amounts, { obstacles, advice, prices, options });
  return EXIT.succeeded;
}

async function pricesFrom(path: string): Promise<Prices> {
  const value = await readDocument(path, 'price table');
  try {
    return readPrices(value);
  } catch (error) {
    throw new Problem(`${path} is not a price table: ${(error as Error).message}`);
  }
}

async function simulated(path: string, options: CostCommand): Promise<Billed> {
  const machine = await readMachine(path);
  checkMachine(machine, { type: 'STANDARD', strict: false });
  const definition = JSON.parse(machine.text) as JsonObject;
  const choice = { mocks: options.mocks, testCase: undefined, validate: 'NONE' as const };
  const mocks = await loadMocks(choice, machine);
  const input =
    options.input === undefined ? plausibleInput(definition) : await readInput(options.input);
  const run = await simulate({
    definition: machine.text,
    input,
    seed: options.seed,
    stateMachineName: machine.name,
    ...plannedResponders(mocks, new Map(), definition, 'plausible'),
  });
  const isMadeUp = run.calls.some(({ by }) => by === 'default');
  return { definition, usage: usageOf(ownJournals(run)), status: run.status, isMadeUp };
}

function kept(id: string, options: CostCommand): Promise<Billed> {
  return withStore(options, async (store) => {
    const { definition, facts, state } = await readExecution(store, id);
    const journals = [facts, ...(await childrenOf(store, facts))];
    return { definition, usage: usageOf(journals), status: state.status, isMadeUp: false };
  });
}

/** Journals of the children of an execution's Map Runs. */
async function childrenOf(
  store: Store,
  facts: readonly Fact[],
): Promise<readonly (readonly Fact[])[]> {
  const found: (readonly Fact[])[] = [];
  for (const fact of facts) {
    if (fact.type !== 'MapRunStarted') continue;
    let token: string | null = null;
    do {
      const filter = { mapRunArn: fact.request.mapRunArn };
      const page: Awaited<ReturnType<Store['list']>> = await store.list(filter, 1000, token);
      for (const row of page.items) found.push((await loadJournal(store, row.arn))?.facts ?? []);
      token = page.next;
    } while (token !== null);
  }
  return found;
}

interface Said {
  readonly obstacles: readonly string[];
  readonly advice: readonly string[];
  readonly prices: Prices;
  readonly options: CostCommand;
}

const SHOWN = 30;

function tell(
  billed: Billed,
  amounts: Estimate,
  { advice, obstacles, options, prices }: Said,
): void {
  const { express, standard } = amounts;
  const { usage } = billed;
  const runs = options.runsPerMonth.toLocaleString('en-US');
  print(
    bold(
      `${standard.transitionsPerRun} transitions, ${duration(usage.durationMs)} (${billed.status})`,
    ),
  );
  const sorted = [...usage.byState].sort((a, b) => b.entered + b.retries - a.entered - a.retries);
  for (const { entered, retries, state } of sorted.slice(0, SHOWN)) {
    print(
      `  ${String(entered + retries).padStart(7)}  ${state}${retries === 0 ? '' : dim(` (${retries} retries)`)}`,
    );
  }
  if (sorted.length > SHOWN) print(dim(`           … ${sorted.length - SHOWN} more states`));
  if (usage.childStarts > 0)
    print(`  ${String(usage.childStarts).padStart(7)}  starts of children of Map Runs`);
  print('');
  print(
    `Standard  ${money(standard.perRun, prices)} a run, ${money(standard.perMonth, prices)} for ${runs} runs a month`,
  );
  print(
    dim(
      `          ${money(standard.perMonthWithoutFreeTier, prices)} without the free tier of ${prices.standard.freeTransitionsPerMonth} transitions`,
    ),
  );
  if (obstacles.length > 0) {
    print(`Express   not possible: ${obstacles[0]}`);
    for (const one of obstacles.slice(1, 6)) print(`                        ${one}`);
  } else {
    print(
      `Express   ${money(express.perRun, prices)} a run, ${money(express.perMonth, prices)} for ${runs} runs a month`,
    );
    print(
      dim(
        `          1 request and ${express.billedMs} ms of ${options.memory} MB (--duration, --memory)`,
      ),
    );
  }
  for (const one of advice) print(`\n${yellow('advice')} ${one}`);
  if (billed.isMadeUp && options.duration === undefined) {
    print(
      dim(
        '\nMade-up answers take no time: give --mocks with "after", or --duration, for the price as Express.',
      ),
    );
  }
  print(
    dim(
      `\nPrices of ${prices.version}, ${prices.region}; Step Functions alone, without what it calls.`,
    ),
  );
}

function money(amount: number, { currency }: Prices): string {
  const digits = amount >= 1 || amount === 0 ? 2 : Math.min(10, 2 - Math.floor(Math.log10(amount)));
  return `${amount.toFixed(digits)} ${currency}`;
}
