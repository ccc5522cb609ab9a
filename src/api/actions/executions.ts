/** Executions: start, look at, list, stop, redrive. */
import type { ExecutionArn } from '../../lib/brand.js';
import { deepEqual } from '../../lib/json.js';
import type { ExecutionFilter, ExecutionRow, Page } from '../../store/store.js';
import { machineArn } from '../../wire/arn.js';
import { epochSeconds } from '../../wire/dates.js';
import {
  describeExecution,
  describeRow,
  describeSyncExecution,
  historyEvent,
  listExecution,
  redriveStatus,
} from '../../wire/describe.js';
import {
  ApiError,
  executionAlreadyExists,
  executionDoesNotExist,
  invalid,
  machineTypeNotSupported,
  resourceNotFound,
} from '../../wire/errors.js';
import type { Input } from '../../wire/operations.js';
import { expectArn, expectMachineArn, isVersionQualifier } from '../arns.js';
import type { ApiContext } from '../context.js';
import { isDamage } from '../damage.js';
import { readPage, slicePage } from '../paging.js';
import { resolveMachine } from '../resolve.js';
import { startRequest } from '../starting.js';
import type { Actions } from './action.js';

export const executionActions: Actions<
  | 'StartExecution'
  | 'StartSyncExecution'
  | 'DescribeExecution'
  | 'GetExecutionHistory'
  | 'ListExecutions'
  | 'StopExecution'
  | 'RedriveExecution'
> = {
  StartExecution: async (api, input) => {
    const request = await startRequest(api, input, null);
    const { arn } = request.identity;
    const started = await api.engine.start(request);
    const { state } = started;
    if (started.is === 'exists') {
      const isSame = state.status === 'RUNNING' && deepEqual(state.input, request.input);
      if (!isSame) throw executionAlreadyExists(arn);
    }
    return { executionArn: arn, startDate: epochSeconds(state.startedAt) };
  },

  StartSyncExecution: async (api, input, call) => {
    const request = await startRequest(api, input, 'EXPRESS');
    const started = await api.engine.start(request);
    const state =
      started.state.status === 'RUNNING'
        ? await api.engine.ended(request.identity.arn as ExecutionArn, call.signal)
        : started.state;
    return describeSyncExecution(state, input.includedData !== 'METADATA_ONLY');
  },

  DescribeExecution: async (api, input) => {
    const state = await standardState(api, input.executionArn).catch(async (error) => {
      // The journal is quarantined; its row still tells what it was.
      const row = isDamage(error) ? await api.engine.row(input.executionArn as ExecutionArn) : null;
      if (row === null) throw error;
      return row;
    });
    if (!('frames' in state)) return describeRow(state);
    return describeExecution(state, api.now(), input.includedData !== 'METADATA_ONLY');
  },

  GetExecutionHistory: async (api, input) => {
    expectArn(input.executionArn, 'execution');
    const arn = input.executionArn as ExecutionArn;
    const newestFirst = input.reverseOrder ?? false;
    const filter = ['GetExecutionHistory', input.executionArn, newestFirst];
    const page = await readPage(api, input, filter, async (limit, cursor) => {
      // Newest first, new events appear before the page: the cursor is the last id that was shown.
      const from = cursor === null ? null : Number(cursor) + (newestFirst ? -1 : 1);
      const found = await api.engine.historyPage(arn, { from, limit, newestFirst });
      if (found === null) throw executionDoesNotExist(arn);
      const { events: items, total } = found;
      const last = items.at(-1)?.id ?? 0;
      const more = newestFirst ? last > 1 : last > 0 && last < total;
      return { items, next: more ? String(last) : null };
    });
    const includeData = input.includeExecutionData ?? true;
    return {
      events: page.items.map((event) => historyEvent(event, includeData)),
      nextToken: page.nextToken,
    };
  },

  ListExecutions: async (api, input) => {
    if (input.statusFilter === 'PENDING_REDRIVE') return listPendingRedrive(api, input);
    const filter = await executionFilter(api, input);
    const page = await readPage(
      api,
      input,
      ['ListExecutions', { ...filter }],
      async (limit, cursor): Promise<Page<ExecutionRow>> => api.engine.list(filter, limit, cursor),
    );
    return { executions: page.items.map(listExecution), nextToken: page.nextToken };
  },

  StopExecution: async (api, input) => {
    expectArn(input.executionArn, 'execution');
    const arn = input.executionArn as ExecutionArn;
    const failure = { error: input.error ?? null, cause: input.cause ?? null };
    const stopped = await api.engine.stop(arn, failure);
    if (stopped !== null) return { stopDate: epochSeconds(stopped) };
    const state = await standardState(api, arn);
    return { stopDate: epochSeconds(state.stoppedAt ?? state.lastAt) };
  },

  RedriveExecution: async (api, input) => {
    const state = await standardState(api, input.executionArn);
    const repeated = await repeatedRedrive(api, input);
    if (repeated !== null) return { redriveDate: epochSeconds(repeated) };
    const { redriveStatus: status, redriveStatusReason } = redriveStatus(state, api.now());
    if (status !== 'REDRIVABLE') {
      throw new ApiError(
        'ExecutionNotRedrivable',
        redriveStatusReason ?? 'Execution can be redriven by its Map Run only',
      );
    }
    const redrivenAt = await api.engine.redrive(input.executionArn as ExecutionArn);
    await rememberRedrive(api, input, redrivenAt);
    return { redriveDate: epochSeconds(redrivenAt) };
  },
};

/** Express executions are no resources of this API: AWS refuses their ARNs here. */
async function standardState(api: ApiContext, arn: string) {
  expectArn(arn, 'execution');
  const state = await api.engine.state(arn as ExecutionArn);
  if (state === null) throw executionDoesNotExist(arn);
  return state;
}

async function executionFilter(
  api: ApiContext,
  input: Input<'ListExecutions'>,
): Promise<ExecutionFilter> {
  const { stateMachineArn, mapRunArn, statusFilter, redriveFilter } = input;
  if ((stateMachineArn === undefined) === (mapRunArn === undefined)) {
    throw invalid('Must provide either a State Machine ARN or a Map Run ARN');
  }
  const narrow = {
    ...(statusFilter === undefined || statusFilter === 'PENDING_REDRIVE'
      ? {}
      : { status: statusFilter }),
    ...(redriveFilter === undefined ? {} : { redriven: redriveFilter === 'REDRIVEN' }),
  };
  if (mapRunArn === undefined) {
    return { ...(await machineFilter(api, stateMachineArn as string)), ...narrow };
  }
  expectArn(mapRunArn, 'mapRun');
  if ((await api.mapRuns.get(mapRunArn)) === null) throw resourceNotFound(mapRunArn);
  return { mapRunArn, ...narrow };
}

/** Children that failed before their Map Run was redriven; the store has them as they ended. */
async function listPendingRedrive(api: ApiContext, input: Input<'ListExecutions'>) {
  const { mapRunArn } = input;
  if (mapRunArn === undefined) {
    throw invalid('The PENDING_REDRIVE status filter is only supported with a Map Run ARN');
  }
  const filter = ['ListExecutions', { ...(await executionFilter(api, input)), pending: true }];
  const page = await readPage(api, input, filter, async (limit, cursor) =>
    slicePage(api.mapRuns.pendingRedrive(mapRunArn), limit, cursor),
  );
  const rows = await Promise.all(page.items.map((arn) => api.engine.row(arn)));
  return {
    executions: rows
      .filter((row) => row !== null)
      .map((row) => ({ ...listExecution(row), status: 'PENDING_REDRIVE' })),
    nextToken: page.nextToken,
  };
}

async function machineFilter(api: ApiContext, text: string): Promise<ExecutionFilter> {
  const arn = expectMachineArn(text);
  const { machine } = await resolveMachine(api, arn);
  if (machine.type === 'EXPRESS') throw machineTypeNotSupported();
  const stateMachineArn = machineArn(arn.scope, arn.name);
  if (arn.qualifier === null) return { stateMachineArn };
  return isVersionQualifier(arn.qualifier)
    ? { stateMachineArn, stateMachineVersionArn: text }
    : { stateMachineArn, stateMachineAliasArn: text };
}

/** AWS: a client token is remembered for 15 minutes, the last 10 of an execution. */
const TOKEN_MS = 15 * 60 * 1000;
const TOKENS_KEPT = 10;

async function repeatedRedrive(api: ApiContext, input: Input<'RedriveExecution'>) {
  if (input.clientToken === undefined) return null;
  const known = await api.redriveTokens.get(input.executionArn);
  const same = known?.used.find((one) => one.token === input.clientToken);
  return same !== undefined && api.now() - same.redrivenAt < TOKEN_MS ? same.redrivenAt : null;
}

async function rememberRedrive(
  api: ApiContext,
  input: Input<'RedriveExecution'>,
  redrivenAt: Awaited<ReturnType<ApiContext['engine']['redrive']>>,
): Promise<void> {
  const token = input.clientToken;
  if (token === undefined) return;
  await api.redriveTokens.change(input.executionArn, (present) => ({
    used: [{ token, redrivenAt }, ...(present?.used ?? [])].slice(0, TOKENS_KEPT),
  }));
}
