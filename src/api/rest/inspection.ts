/** REST routes that look into an execution, or go on from inside it: explain, graph, fork. */
import { explainText } from '../../explain/explain.js';
import { mermaid } from '../../graph/mermaid.js';
import { graphOf } from '../../graph/model.js';
import { overlayOf } from '../../graph/run.js';
import { svg } from '../../graph/svg.js';
import type { ForkPoint, ForkWish } from '../../core/fork/prepare.js';
import type { EpochMs, ExecutionArn } from '../../lib/brand.js';
import { getOwn, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { type Fork, ForkRefused, forkOf, freeForkName } from '../../runtime/forking.js';
import { ApiError, conflict, executionDoesNotExist, invalid } from '../../wire/errors.js';
import { checkName } from '../../wire/names.js';
import type { ApiContext } from '../context.js';
import { sendJson } from './direct.js';
import { findArn, WHICH } from './executions.js';
import type { RestRequest, Route } from './route.js';
import { definitionText } from './state-machines.js';

export const inspectionRoutes: readonly Route[] = [
  {
    method: 'get',
    path: '/v1/executions/{execution}/explain',
    id: 'explainExecution',
    summary: 'What each state did with its data, field by field, and why it went on as it did.',
    query: { ...WHICH, state: 'Only visits of this state.' },
    success: [200, 'Visits in the order of entering.'],
    handle: async (api, request, response) => {
      const { facts, revision } = await read(api, request);
      const state = request.query.get('state');
      const only = state === null ? {} : { state };
      return sendJson(response, 200, {
        visits: await explainText(revision.definition, facts, only),
      });
    },
  },
  {
    method: 'get',
    path: '/v1/executions/{execution}/graph',
    id: 'drawExecution',
    summary: 'The machine with what the execution did, as SVG or Mermaid.',
    query: { ...WHICH, format: 'svg (default) or mermaid.' },
    success: [200, 'A picture.'],
    handle: async (api, request, response) => {
      const { facts, revision, title } = await read(api, request);
      const graph = graphOf(JSON.parse(revision.definition) as JsonObject);
      const format = request.query.get('format') ?? 'svg';
      if (format !== 'svg' && format !== 'mermaid') throw invalid('format must be svg or mermaid');
      const run = overlayOf(facts);
      if (format === 'mermaid') response.type('text/plain').end(mermaid(graph, run));
      // What a page loads from here runs nothing and loads nothing.
      else
        response
          .type('image/svg+xml')
          .set('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'")
          .end(svg(graph, { title, runs: [run] }));
      return null;
    },
  },
  {
    method: 'post',
    path: '/v1/executions/{execution}/fork',
    id: 'forkExecution',
    summary: 'A new execution from any event or state of this one; the origin stays as it is.',
    query: WHICH,
    body: {
      type: 'object',
      required: ['at'],
      properties: {
        at: {
          description: 'Id of an event (after it) or name of a state (before its last visit).',
        },
        input: { description: 'Input of the state that comes next.' },
        variables: { type: 'object', description: 'Laid over the variables.' },
        set: {
          type: 'object',
          description: 'Values by path of that input: {"$.gate.minimumAccuracy": 0.8}.',
        },
        result: { description: 'At the success of a task: another result instead.' },
        definition: { description: 'Text or object: go on with this definition.' },
        name: { type: 'string', maxLength: 80 },
        dryRun: { type: 'boolean', description: 'Only tell what is reused and what would run.' },
      },
    },
    success: [201, 'The fork has started, durably; with dryRun 200 and its plan.'],
    handle: async (api, request, response) => {
      const fork = await prepare(api, request);
      if (getOwn(request.body, 'dryRun') === true)
        return sendJson(response, 200, { plan: fork.plan });
      const started = await api.engine.fork(fork);
      if (started.is === 'exists') throw conflict(`There is an execution ${fork.arn} already.`);
      const location = `/v1/executions/${encodeURIComponent(fork.arn)}`;
      const startDate = new Date(started.state.startedAt).toISOString();
      return sendJson(
        response,
        201,
        { executionArn: fork.arn, startDate, plan: fork.plan },
        location,
      );
    },
  },
];

async function read(api: ApiContext, request: RestRequest) {
  const arn = (await findArn(api, request)) as ExecutionArn;
  const facts = await api.engine.facts(arn);
  const [first] = facts ?? [];
  if (facts === null || first?.type !== 'ExecutionStarted') throw executionDoesNotExist(arn);
  const revision = await api.engine.revision(first.revision);
  if (revision === null) throw executionDoesNotExist(arn);
  return {
    arn,
    facts,
    revision,
    title: first.identity.stateMachineName,
    name: first.identity.name,
  };
}

async function prepare(api: ApiContext, request: RestRequest): Promise<Fork> {
  const { arn, facts, revision, name: origin } = await read(api, request);
  const { body } = request;
  const definition = readDefinition(api, body, revision.type);
  const given = getOwn(body, 'name');
  const name =
    typeof given === 'string'
      ? given
      : await freeForkName(origin, async (free) => {
          const taken = arn.replace(/[^:]+$/, free) as ExecutionArn;
          return (await api.engine.state(taken)) !== null;
        });
  checkName(name);
  try {
    return forkOf(
      { facts, revision },
      { wish: wishOf(body), definition, name, expressId: api.uuid(), now: api.now() as EpochMs },
    );
  } catch (error) {
    if (error instanceof ForkRefused) throw invalid(`${error.message} ${error.mend}`);
    throw error;
  }
}

function wishOf(body: JsonObject): ForkWish {
  const variables = getOwn(body, 'variables');
  if (variables !== undefined && !isObject(variables)) throw invalid('variables must be an object');
  const set = getOwn(body, 'set');
  if (set !== undefined && !isObject(set)) throw invalid('set must be an object');
  const [input, result] = [getOwn(body, 'input'), getOwn(body, 'result')];
  return {
    at: pointOf(getOwn(body, 'at')),
    ...(input === undefined ? {} : { input }),
    ...(variables === undefined ? {} : { variables }),
    ...(set === undefined ? {} : { patches: Object.entries(set) }),
    ...(result === undefined ? {} : { result }),
  };
}

function pointOf(at: Json | undefined): ForkPoint {
  if (typeof at === 'number' && Number.isInteger(at)) return { event: at };
  if (typeof at === 'string' && at !== '') return { state: at };
  throw invalid('at must be the id of an event or the name of a state');
}

function readDefinition(
  api: ApiContext,
  body: JsonObject,
  type: 'STANDARD' | 'EXPRESS',
): string | null {
  const text = definitionText(body);
  if (text === undefined) return null;
  if (typeof text !== 'string') throw invalid('definition must be text or an object');
  const { diagnostics } = api.definitions.validate(text, { type });
  const error = diagnostics.find(({ severity }) => severity === 'ERROR');
  if (error !== undefined) {
    throw new ApiError(
      'InvalidDefinition',
      `${error.code}: ${error.message}${error.location === null ? '' : ` at ${error.location}`}`,
    );
  }
  return text;
}
