/** REST routes of executions. */
import type { ExecutionArn } from '../../lib/brand.js';
import { getOwn, type JsonObject } from '../../lib/json.js';
import { executionArn } from '../../wire/arn.js';
import { conflict, executionDoesNotExist } from '../../wire/errors.js';
import type { Input } from '../../wire/operations.js';
import type { ApiContext } from '../context.js';
import { readableState } from '../damage.js';
import { streamEvents } from './events.js';
import { machineArnOf, pageInput, PAGE_QUERY } from './names.js';
import type { RestRequest, Route } from './route.js';

/** A bare name is looked for in at most this many machines. */
const MAX_MACHINES_SEARCHED = 1000;

export const WHICH = {
  stateMachine: 'Name of the state machine, when the execution is given by name.',
};

export const executionRoutes: readonly Route[] = [
  {
    method: 'post',
    path: '/v1/state-machines/{name}/executions',
    id: 'startExecution',
    summary: 'Start an execution. A name makes it idempotent.',
    body: {
      type: 'object',
      properties: {
        name: { type: 'string', maxLength: 80 },
        input: { description: 'Any JSON; {} when absent.' },
        qualifier: { type: 'string', description: 'Number of a version or name of an alias.' },
        traceHeader: { type: 'string', maxLength: 256 },
      },
    },
    success: [201, 'The execution has started, durably.'],
    handle: async (api, request) => {
      const { body } = request;
      const qualifier = getOwn(body, 'qualifier');
      const machine = machineArnOf(api, request.parameters.name as string);
      const given = getOwn(body, 'input');
      const members = {
        stateMachineArn: qualifier === undefined ? machine : `${machine}:${String(qualifier)}`,
        name: getOwn(body, 'name'),
        input: given === undefined ? undefined : JSON.stringify(given),
        traceHeader: getOwn(body, 'traceHeader'),
      };
      const started = await request.run('StartExecution', members as Input<'StartExecution'>);
      const arn = started.executionArn as string;
      return { status: 201, body: started, location: `/v1/executions/${encodeURIComponent(arn)}` };
    },
  },
  {
    method: 'get',
    path: '/v1/state-machines/{name}/executions',
    id: 'listExecutions',
    summary: 'Executions of a state machine, newest first.',
    query: { ...PAGE_QUERY, status: 'Only executions in this status.' },
    success: [200, 'A page of executions.'],
    handle: async (api, request) => ({
      status: 200,
      body: await request.run('ListExecutions', {
        stateMachineArn: machineArnOf(api, request.parameters.name as string),
        ...pageInput(request.query),
        ...statusInput(request.query),
      }),
    }),
  },
  {
    method: 'get',
    path: '/v1/executions/{execution}',
    id: 'getExecution',
    summary: 'One execution, by ARN or name.',
    query: WHICH,
    success: [200, 'The execution with its input and output, and why it is quarantined, if it is.'],
    handle: async (api, request) => {
      const executionArn = await findArn(api, request);
      const described = await request.run('DescribeExecution', { executionArn });
      const quarantine = await api.engine.quarantined(executionArn as ExecutionArn);
      const origin = (await readableState(api, executionArn as ExecutionArn))?.forkedFrom?.origin;
      return {
        status: 200,
        body: {
          ...described,
          ...(quarantine === null ? {} : { quarantine: { ...quarantine } }),
          ...(origin === undefined ? {} : { forkedFrom: { ...origin } }),
        },
      };
    },
  },
  {
    method: 'get',
    path: '/v1/executions/{execution}/history',
    id: 'getExecutionHistory',
    summary: 'Events of an execution, as Step Functions numbers them.',
    query: { ...WHICH, ...PAGE_QUERY, reverse: 'true: newest first.' },
    success: [200, 'A page of events.'],
    handle: async (api, request) => ({
      status: 200,
      body: await request.run('GetExecutionHistory', {
        executionArn: await findArn(api, request),
        reverseOrder: request.query.get('reverse') === 'true',
        ...pageInput(request.query),
      }),
    }),
  },
  {
    method: 'get',
    path: '/v1/executions/{execution}/events',
    id: 'streamExecutionEvents',
    summary: 'Events of an execution as they happen (server-sent events; Last-Event-ID resumes).',
    query: WHICH,
    success: [200, 'A text/event-stream; 204 when there is nothing left to send.'],
    handle: async (api, request, response) => {
      const arn = await findArn(api, request);
      await streamEvents(api, arn as ExecutionArn, request.raw, response);
      return null;
    },
  },
  {
    method: 'post',
    path: '/v1/executions/{execution}/stop',
    id: 'stopExecution',
    summary: 'Stop an execution.',
    query: WHICH,
    body: {
      type: 'object',
      properties: {
        error: { type: 'string', maxLength: 256 },
        cause: { type: 'string', maxLength: 32_768 },
      },
    },
    success: [200, 'The instant of the stop.'],
    handle: async (api, request) => {
      const { error, cause } = request.body as { error?: string; cause?: string };
      const executionArn = await findArn(api, request);
      return {
        status: 200,
        body: await request.run('StopExecution', { executionArn, error, cause }),
      };
    },
  },
  {
    method: 'post',
    path: '/v1/executions/{execution}/release',
    id: 'releaseExecution',
    summary: 'Drive a quarantined execution again.',
    query: WHICH,
    body: { type: 'object', properties: {} },
    success: [200, 'Whether it was quarantined.'],
    handle: async (api, request) => {
      const arn = (await findArn(api, request)) as ExecutionArn;
      return { status: 200, body: { released: await api.engine.release(arn) } };
    },
  },
  {
    method: 'post',
    path: '/v1/executions/{execution}/redrive',
    id: 'redriveExecution',
    summary: 'Go on with a failed execution from where it failed.',
    query: WHICH,
    body: { type: 'object', properties: { clientToken: { type: 'string', maxLength: 64 } } },
    success: [200, 'The instant of the redrive.'],
    handle: async (api, request) => {
      const { clientToken } = request.body as { clientToken?: string };
      const executionArn = await findArn(api, request);
      return {
        status: 200,
        body: await request.run('RedriveExecution', { executionArn, clientToken }),
      };
    },
  },
];

function statusInput(query: URLSearchParams): Pick<Input<'ListExecutions'>, 'statusFilter'> {
  const status = query.get('status');
  return status === null ? {} : ({ statusFilter: status } as JsonObject);
}

/** The ARN a path segment means: itself, or the one execution of this name. */
export async function findArn(api: ApiContext, request: RestRequest): Promise<string> {
  const text = request.parameters.execution as string;
  if (text.startsWith('arn:')) return text;
  const machine = request.query.get('stateMachine');
  if (machine !== null) return executionArn(api.config.scope, machine, text);
  const found: string[] = [];
  const page = await api.machines.machines.page('', MAX_MACHINES_SEARCHED, null);
  for (const one of page.items) {
    const arn = executionArn(api.config.scope, one.name, text);
    if ((await api.engine.state(arn as ExecutionArn)) !== null) found.push(arn);
  }
  if (found.length > 1) {
    throw conflict(`Several state machines have an execution '${text}': add ?stateMachine=NAME.`);
  }
  if (found[0] === undefined) throw executionDoesNotExist(text);
  return found[0];
}
