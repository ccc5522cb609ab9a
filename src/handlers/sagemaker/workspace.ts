/**
 * The data handlers for machines that pass nothing on: `workspace:ingest`, `workspace:validate` and
 * `workspace:evaluate` do the work of their `ml:` namesakes, take what their parameters lack from
 * the execution's workspace, and remember what they made. Members of the state's input that are no
 * parameters go through to the output, so that `$.trainingJobName` is still there for the next state.
 */
import { fromEntries, isObject, type Json, type JsonObject } from '../../lib/json.js';
import type { Workspaces } from '../../ml/workspace.js';
import { type Handler, type HandlerContext, TaskFailure } from '../handler.js';
import type { DataHandlers } from './options.js';
import { compileCheck } from '../schema-check.js';

export function workspaceHandlers(parts: DataHandlers, workspaces: Workspaces): readonly Handler[] {
  const ingest = step(parts.ingest);
  const validate = step(parts.validate);
  const preprocess = step(parts.preprocess);
  const evaluate = step(parts.evaluate);
  const handler = (
    name: string,
    description: string,
    run: (input: JsonObject, context: HandlerContext, parts: JsonObject) => Promise<JsonObject>,
  ): Handler => ({
    resource: `workspace:${name}`,
    description,
    parameters: { type: 'object' },
    onWorkerLost: 'rerun',
    run: async (input, context) =>
      run(isObject(input) ? input : {}, context, await workspaces.recall(context.task)),
  });
  return [
    handler(
      'ingest',
      'ml:ingest that the later states of the execution find.',
      async (input, context) => {
        const result = await ingest.run(ingest.own(input), context);
        await workspaces.remember(context.task, { ingested: result });
        return { ...ingest.others(input), ...result };
      },
    ),
    handler(
      'validate',
      'ml:validate of what was ingested, then ml:preprocess with the parameters in "preprocess".',
      async ({ preprocess: preparation, ...input }, context, workspace) => {
        const dataset = given(input.dataset ?? workspace.ingested, 'dataset', 'ingested');
        const report = await validate.run({ ...validate.own(input), dataset }, context);
        const { results, meta, ...summary } = report;
        const section = isObject(preparation) ? preparation : {};
        const prepared = await preprocess.run({ ...section, dataset }, context);
        await workspaces.remember(context.task, { dataset: prepared });
        return { ...validate.others(input), ...summary, ...prepared };
      },
    ),
    handler(
      'evaluate',
      'ml:evaluate of the model that was trained on the test side of the prepared dataset.',
      async (input, context, workspace) => {
        const prepared = isObject(workspace.dataset) ? workspace.dataset : {};
        const model = given(input.model ?? workspace.model, 'model', 'trained');
        const dataset = given(input.dataset ?? prepared.test, 'dataset', 'prepared');
        const result = await evaluate.run({ ...evaluate.own(input), model, dataset }, context);
        const metrics = isObject(result.metrics) ? result.metrics : {};
        await workspaces.remember(context.task, { metrics });
        return result;
      },
    ),
  ];
}

interface Step {
  /** The members of the input that are parameters of the handler. */
  own(input: JsonObject): JsonObject;
  others(input: JsonObject): JsonObject;
  run(parameters: JsonObject, context: HandlerContext): Promise<JsonObject>;
}

function step(handler: Handler): Step {
  const { properties } = handler.parameters;
  const known = new Set(Object.keys(isObject(properties) ? properties : {}));
  const check = compileCheck(handler.parameters);
  const pick = (input: JsonObject, wanted: boolean): JsonObject =>
    fromEntries(Object.entries(input).filter(([key]) => known.has(key) === wanted));
  return {
    own: (input) => pick(input, true),
    others: (input) => pick(input, false),
    run: async (parameters, context) => {
      const problem = check(parameters);
      if (problem !== null) {
        throw new TaskFailure(
          'Parameters.Invalid',
          `Parameters of ${handler.resource} at ${problem.pointer || '/'}: ${problem.sentence}`,
        );
      }
      const result = await handler.run(parameters, context);
      return isObject(result) ? result : { result };
    },
  };
}

function given(value: Json | undefined, name: string, verb: string): Json {
  if (value !== undefined && value !== null) return value;
  throw new TaskFailure(
    'ValidationException',
    `${name}: the state gives none, and nothing has been ${verb} in this execution.`,
  );
}
