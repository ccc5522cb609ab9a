/** REST routes of state machines and of validation. */
import { getOwn, isObject, type Json, type JsonObject } from '../../lib/json.js';
import type { Input } from '../../wire/operations.js';
import type { ApiContext } from '../context.js';
import { machineArnOf, PAGE_QUERY, pageInput } from './names.js';
import type { Route } from './route.js';

const DEFINITION: JsonObject = {
  description: 'Amazon States Language, as an object or as text.',
  oneOf: [{ type: 'object' }, { type: 'string' }],
};
const TYPE: JsonObject = { type: 'string', enum: ['STANDARD', 'EXPRESS'] };
const SETTINGS: JsonObject = {
  roleArn: { type: 'string', description: 'Shown in the context object; a default when absent.' },
  loggingConfiguration: { type: 'object' },
  publish: { type: 'boolean', description: 'Publish a version as well.' },
  versionDescription: { type: 'string', maxLength: 256 },
};

export const stateMachineRoutes: readonly Route[] = [
  {
    method: 'post',
    path: '/v1/state-machines',
    id: 'createStateMachine',
    summary: 'Create a state machine.',
    body: {
      type: 'object',
      required: ['name', 'definition'],
      properties: {
        name: { type: 'string', maxLength: 80 },
        definition: DEFINITION,
        type: TYPE,
        ...SETTINGS,
        tags: { type: 'array', items: { type: 'object' } },
      },
    },
    success: [201, 'The state machine is there.'],
    handle: async (api, { body, run }) => {
      const roleArn = getOwn(body, 'roleArn') ?? defaultRole(api);
      const members = { ...body, roleArn, definition: definitionText(body) };
      const created = await run(
        'CreateStateMachine',
        members as unknown as Input<'CreateStateMachine'>,
      );
      const name = String(getOwn(body, 'name'));
      return { status: 201, body: created, location: `/v1/state-machines/${name}` };
    },
  },
  {
    method: 'get',
    path: '/v1/state-machines',
    id: 'listStateMachines',
    summary: 'State machines by name.',
    query: PAGE_QUERY,
    success: [200, 'A page of state machines.'],
    handle: async (_api, { query, run }) => ({
      status: 200,
      body: await run('ListStateMachines', pageInput(query)),
    }),
  },
  {
    method: 'get',
    path: '/v1/state-machines/{name}',
    id: 'getStateMachine',
    summary: 'One state machine with its definition.',
    success: [200, 'The state machine.'],
    handle: async (api, { parameters, run }) => ({
      status: 200,
      body: await run('DescribeStateMachine', {
        stateMachineArn: machineArnOf(api, parameters.name as string),
      }),
    }),
  },
  {
    method: 'put',
    path: '/v1/state-machines/{name}',
    id: 'updateStateMachine',
    summary: 'Change a state machine; running executions keep what they started with.',
    body: { type: 'object', properties: { definition: DEFINITION, ...SETTINGS } },
    success: [200, 'The new revision.'],
    handle: async (api, { parameters, body, run }) => {
      const members = {
        ...body,
        stateMachineArn: machineArnOf(api, parameters.name as string),
        definition: definitionText(body),
      };
      return {
        status: 200,
        body: await run('UpdateStateMachine', members as Input<'UpdateStateMachine'>),
      };
    },
  },
  {
    method: 'delete',
    path: '/v1/state-machines/{name}',
    id: 'deleteStateMachine',
    summary: 'Delete a state machine; its running executions are stopped.',
    success: [204, 'Deleted, or being deleted.'],
    handle: async (api, { parameters, run }) => {
      const stateMachineArn = machineArnOf(api, parameters.name as string);
      await run('DeleteStateMachine', { stateMachineArn });
      return { status: 204, body: null };
    },
  },
  {
    method: 'post',
    path: '/v1/validate',
    id: 'validate',
    summary: 'Diagnostics of a definition, without creating anything.',
    body: {
      type: 'object',
      required: ['definition'],
      properties: {
        definition: DEFINITION,
        type: TYPE,
        severity: { type: 'string', enum: ['ERROR', 'WARNING'] },
      },
    },
    success: [200, 'OK or FAIL, with diagnostics.'],
    handle: async (_api, { body, run }) => {
      const members = { severity: 'WARNING', ...body, definition: definitionText(body) };
      return {
        status: 200,
        body: await run(
          'ValidateStateMachineDefinition',
          members as unknown as Input<'ValidateStateMachineDefinition'>,
        ),
      };
    },
  },
];

/** Text stays as given; an object becomes text. */
export function definitionText(body: JsonObject): Json | undefined {
  const given = getOwn(body, 'definition');
  return isObject(given) ? JSON.stringify(given, null, 2) : given;
}

function defaultRole(api: ApiContext): string {
  return `arn:aws:iam::${api.config.scope.account}:role/stepwell`;
}
