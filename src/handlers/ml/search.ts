/**
 * `ml:search-space` proposes the trials of a hyperparameter search and `ml:select-best` ranks what came
 * out of them; the Map between the two is the machine's own, so every trial is a task that is retried,
 * caught and seen by itself.
 */
import { isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import {
  HALVING,
  type Halving,
  MAX_TRIALS,
  readSearch,
  type SearchStrategy,
  selectBest,
  startSearch,
} from '../../ml/search/search.js';
import { SearchError } from '../../ml/search/space.js';
import { type Handler, TaskFailure } from '../handler.js';

export const searchSpaceHandler: Handler = {
  resource: 'ml:search-space',
  description: 'Proposes the trials of a grid, random or successive-halving search, by its seed.',
  onWorkerLost: 'rerun',
  parameters: {
    type: 'object',
    required: ['space'],
    additionalProperties: false,
    properties: {
      space: {
        type: 'object',
        description:
          'Per hyperparameter a list of values or {min, max, scale: linear|log, type: integer, points, step}; or SageMaker ParameterRanges.',
      },
      strategy: { enum: ['grid', 'random', 'halving'] },
      trials: { type: 'integer', minimum: 1, maximum: MAX_TRIALS },
      seed: { type: 'integer', minimum: 0 },
      hyperparameters: { type: 'object', description: 'What every trial has.' },
      halving: {
        type: 'object',
        additionalProperties: false,
        properties: {
          resource: { type: 'string', minLength: 1 },
          minimum: { type: 'number', exclusiveMinimum: 0 },
          maximum: { type: 'number', exclusiveMinimum: 0 },
          factor: { type: 'number', exclusiveMinimum: 1 },
        },
      },
    },
  },
  run: async (parameters) => {
    const { space, strategy, trials, seed, hyperparameters, halving } = parameters as JsonObject;
    return asFailure(() =>
      startSearch({
        space: space as JsonObject,
        strategy: (strategy as SearchStrategy | undefined) ?? 'random',
        trials: typeof trials === 'number' ? trials : 9,
        seed: typeof seed === 'number' ? seed : 42,
        base: isObject(hyperparameters) ? hyperparameters : {},
        halving: { ...HALVING, ...(halving as Partial<Halving> | undefined) },
      }),
    );
  },
};

export const selectBestHandler: Handler = {
  resource: 'ml:select-best',
  description: 'Ranks trials by a metric and says which go on to the next rung of the search.',
  onWorkerLost: 'rerun',
  parameters: {
    type: 'object',
    required: ['results'],
    additionalProperties: false,
    properties: {
      results: {
        type: 'array',
        description: 'Of each trial {trial, metrics}, or {trial, error} when it failed.',
      },
      metric: { type: 'string', minLength: 1, description: 'Inside metrics; dots lead inwards.' },
      direction: { enum: ['maximize', 'minimize'] },
      search: { type: ['object', 'null'], description: 'The result of ml:search-space.' },
    },
  },
  run: async (parameters) => {
    const { results, metric, direction, search } = parameters as JsonObject;
    const name = typeof metric === 'string' ? metric : 'validationMacroF1';
    const usual = /loss|error|latency/i.test(name) ? 'minimize' : 'maximize';
    return asFailure(() =>
      selectBest(
        isArray(results) ? results : [],
        name,
        direction === 'maximize' || direction === 'minimize' ? direction : usual,
        readSearch(search),
      ),
    );
  },
};

function asFailure(work: () => object): Json {
  try {
    return JSON.parse(JSON.stringify(work())) as Json;
  } catch (error) {
    if (error instanceof SearchError) throw new TaskFailure('Search.Invalid', error.message);
    throw error;
  }
}
