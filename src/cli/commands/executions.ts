/** `stepwell executions | describe | history | stop`: looking at what the store keeps. */
import type { Command } from 'commander';
import type { Fact } from '../../core/fact.js';
import type { ExecutionRow, ExecutionStatus, Store } from '../../store/store.js';
import { projectHistory } from '../../wire/history.js';
import { assemble } from '../assemble.js';
import { findExecution, readExecution, withStore } from '../kept.js';
import { emit, print } from '../output.js';
import { EXIT, Problem } from '../problem.js';
import { type Beside, besideOf, beyondAws, damageOf, sizeOf, waitingOf } from '../status.js';
import { askServer, hereOrAtServer } from '../running-server.js';
import { STORE_OPTION } from '../store-option.js';
import { bold, cyan, dim, duration, green, red, yellow } from '../style.js';

interface LookOptions {
  readonly store?: string;
  readonly json?: boolean;
}

const STATUSES: readonly ExecutionStatus[] = [
  'RUNNING',
  'SUCCEEDED',
  'FAILED',
  'TIMED_OUT',
  'ABORTED',
];

export function addExecutions(program: Command): void {
  const look = (name: string, description: string, examples: string): Command =>
    program
      .command(name)
      .description(description)
      .option(...STORE_OPTION)
      .option('--json', 'print JSON', false)
      .addHelpText('after', `\nExamples:${examples}`);

  look(
    'executions',
    'list executions, newest first',
    `
  stepwell executions --status FAILED --limit 10
  stepwell executions --store redis://127.0.0.1:6379 --json | jq -r .name`,
  )
    .option('--status <status>', `only these: ${STATUSES.join(', ')}`)
    .option('--limit <n>', 'at most this many', '50')
    .action(async (options: LookOptions & { status?: string; limit: string }) => {
      await withStore(options, (store) => listExecutions(store, options));
    });
  look(
    'describe',
    'status, input and result of one execution',
    `
  stepwell describe run-1a2b3c4d5e`,
  )
    .argument('<execution>', 'name or ARN')
    .action(async (id: string, options: LookOptions) => {
      await withStore(options, (store) => describe(store, id, options));
    });
  look(
    'history',
    'events of one execution, as GetExecutionHistory tells them',
    `
  stepwell history run-1a2b3c4d5e
  stepwell history run-1a2b3c4d5e --json | jq -c 'select(.type | endswith("Failed"))'`,
  )
    .argument('<execution>', 'name or ARN')
    .action(async (id: string, options: LookOptions) => {
      await withStore(options, async (store) =>
        history((await readExecution(store, id)).facts, options),
      );
    });
  look(
    'stop',
    'abort a running execution',
    `
  stepwell stop run-1a2b3c4d5e --error Wrong.Input --cause 'the file of yesterday'`,
  )
    .argument('<execution>', 'name or ARN')
    .option('--error <name>', 'error name to record')
    .option('--cause <text>', 'cause to record')
    .action(async (id: string, options: LookOptions & { error?: string; cause?: string }) => {
      await stop(id, options);
    });
}

async function listExecutions(
  store: Store,
  options: LookOptions & { status?: string; limit: string },
): Promise<void> {
  const status = STATUSES.find((known) => known === options.status);
  if (options.status !== undefined && status === undefined) {
    throw new Problem(
      `--status '${options.status}' is unknown.`,
      `Use one of ${STATUSES.join(', ')}.`,
    );
  }
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new Problem(`--limit '${options.limit}' is not a number from 1 to 1000.`);
  }
  const { items } = await store.list(status === undefined ? {} : { status }, limit, null);
  if (options.json) {
    for (const row of items) emit(row);
    return;
  }
  if (items.length === 0) print('No executions yet.');
  for (const row of items) {
    const beside = row.status === 'RUNNING' ? await besideOf(store, row.arn) : null;
    print(rowLine(row, beside));
  }
}

function rowLine(row: ExecutionRow, beside: Beside | null): string {
  const took = dim(duration((row.stoppedAt ?? Date.now()) - row.startedAt));
  const events = typeof row.details.eventCount === 'number' ? row.details.eventCount : '?';
  const machine = row.stateMachineArn.split(':').at(-1) ?? '';
  const started = new Date(row.startedAt).toISOString();
  return `${mark(row.status)} ${bold(row.name)}  ${machine}  ${dim(started)} ${took} ${dim(`${events} events`)}${besideText(beside)}`;
}

function besideText(beside: Beside | null): string {
  if (beside === null) return '';
  if (beside.quarantine !== null) return `  ${red('quarantined')}`;
  const [next] = beside.timers;
  if (next === undefined) return '';
  const left = Date.parse(next.dueAt) - Date.now();
  const when = left < 0 ? yellow(`late ${duration(-left)}`) : dim(`in ${duration(left)}`);
  return `  ${dim(`${next.key.split(':', 1)[0]} timer`)} ${when}`;
}

function mark(status: ExecutionStatus): string {
  const text = status.padEnd(9);
  if (status === 'SUCCEEDED') return green(text);
  if (status === 'RUNNING') return cyan(text);
  return status === 'ABORTED' ? yellow(text) : red(text);
}

async function describe(store: Store, id: string, options: LookOptions): Promise<void> {
  const row = await store.row(await findExecution(store, id));
  const damage = row === null ? null : await damageOf(store, row);
  if (row !== null && damage !== null) {
    describeDamaged(row, damage, await besideOf(store, row.arn), options);
    return;
  }
  const { arn, facts, state } = await readExecution(store, id);
  const { identity, outcome } = state;
  const size = await sizeOf(store, arn, facts, state);
  const { timers, quarantine } = await besideOf(store, arn);
  const beyond = beyondAws(size);
  const shown = {
    executionArn: identity.arn,
    stateMachineArn: identity.stateMachineArn,
    name: identity.name,
    status: state.status,
    ...(quarantine === null ? {} : { quarantine }),
    startDate: new Date(state.startedAt).toISOString(),
    stopDate: state.stoppedAt === null ? null : new Date(state.stoppedAt).toISOString(),
    lastEventDate: new Date(state.lastAt).toISOString(),
    ...(state.status === 'RUNNING' ? { waitingFor: waitingOf(state), timers } : {}),
    events: state.eventCount,
    size,
    ...(beyond === null ? {} : { beyondAws: beyond }),
    input: state.input,
    ...(outcome === null ? {} : outcome.ok ? { output: outcome.output } : outcome.failure),
    ...(state.forkedFrom === null ? {} : { forkedFrom: state.forkedFrom.origin }),
  };
  print(JSON.stringify(shown, null, options.json ? 0 : 2));
}

/** The row still tells what it was. */
function describeDamaged(
  row: ExecutionRow,
  damage: string,
  beside: Beside,
  options: LookOptions,
): void {
  const { arn, stateMachineArn, name, status, startedAt, stoppedAt } = row;
  const shown = {
    executionArn: arn,
    stateMachineArn,
    name,
    status,
    damaged: damage,
    ...(beside.quarantine === null ? {} : { quarantine: beside.quarantine }),
    startDate: new Date(startedAt).toISOString(),
    stopDate: stoppedAt === null ? null : new Date(stoppedAt).toISOString(),
    timers: beside.timers,
  };
  print(JSON.stringify(shown, null, options.json ? 0 : 2));
  process.exitCode = EXIT.failed;
}

function history(facts: readonly Fact[], options: LookOptions): void {
  for (const event of projectHistory(facts)) {
    const { details, timestamp, ...head } = event;
    const at = new Date(timestamp).toISOString();
    if (options.json) {
      const line = {
        ...head,
        timestamp: at,
        ...(details ? { [details.name]: details.value } : {}),
      };
      emit(line);
      continue;
    }
    const value = details === null ? '' : shorten(JSON.stringify(details.value));
    const id = String(event.id).padStart(4);
    print(`${dim(at)} ${id} ${bold(event.type)} ${dim(value)}`);
  }
}

function shorten(text: string): string {
  return text.length > 160 ? `${text.slice(0, 157)}...` : text;
}

/** Here, or by the server that drives the store. */
async function stop(
  id: string,
  options: LookOptions & { error?: string; cause?: string },
): Promise<void> {
  const stopped = await hereOrAtServer(
    () => stopHere(id, options),
    (url) => stopAt(url, id, options),
  );
  if (stopped) return print(`${yellow('ABORTED')} ${id}`);
  process.stderr.write(`${id} is over already.\n`);
  process.exitCode = EXIT.failed;
}

interface Reason {
  readonly error?: string;
  readonly cause?: string;
}

/** False when it is over. */
async function stopHere(id: string, options: LookOptions & Reason): Promise<boolean> {
  const { store, error, cause } = options;
  const parts = await assemble({ ...(store === undefined ? {} : { store }), json: true });
  try {
    const arn = await findExecution(parts.store, id);
    const engine = await parts.openEngine([]);
    try {
      return (await engine.stop(arn, { error: error ?? null, cause: cause ?? null })) !== null;
    } finally {
      await engine.close();
    }
  } finally {
    await parts.close();
  }
}

async function stopAt(url: string, id: string, options: LookOptions & Reason): Promise<boolean> {
  const row = await withStore(options, async (store) => store.row(await findExecution(store, id)));
  if (row === null || row.status !== 'RUNNING') return false;
  const { error, cause } = options;
  await askServer(url, `/v1/executions/${encodeURIComponent(row.arn)}/stop`, {
    ...(error === undefined ? {} : { error }),
    ...(cause === undefined ? {} : { cause }),
  });
  return true;
}
