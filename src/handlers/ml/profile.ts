/** `ml:profile`: what a dataset looks like, and a suite of expectations that it meets. */
import type { Json, JsonObject } from '../../lib/json.js';
import { datasetRows } from '../../ml/data/dataset.js';
import { profileSvg } from '../../ml/profile/picture.js';
import { profile, profileJson, ROWS_MAX } from '../../ml/profile/profile.js';
import { proposeSuite } from '../../ml/profile/propose.js';
import type { Handler, HandlerContext } from '../handler.js';
import { ADDRESS, type Address, asTask, locate, uriOf } from './ingest-support.js';

interface Parameters {
  readonly dataset: Address;
  readonly suiteName?: string;
  readonly maxRows?: number;
}

export const profileHandler: Handler = {
  resource: 'ml:profile',
  description: 'Profiles a dataset: types, gaps, histograms, and a proposed suite of expectations.',
  onWorkerLost: 'rerun',
  parameters: {
    type: 'object',
    required: ['dataset'],
    additionalProperties: false,
    properties: {
      dataset: ADDRESS,
      suiteName: { type: 'string', minLength: 1 },
      maxRows: { type: 'integer', minimum: 1, maximum: ROWS_MAX },
    },
  },
  run: (parameters, context) => asTask(() => run(parameters as unknown as Parameters, context)),
};

/** A result lies in the state: a table with more columns keeps the rest in its file. */
const COLUMNS_SHOWN = 100;

async function run(parameters: Parameters, context: HandlerContext): Promise<JsonObject> {
  const address = uriOf(parameters.dataset);
  const path = await locate(parameters.dataset, context);
  const found = await profile(datasetRows({ path, address }, context.signal), parameters.maxRows);
  const suite = proposeSuite(found, parameters.suiteName ?? 'proposed');
  const put = async (name: string, content: string): Promise<string> =>
    (await context.artifacts.put(Buffer.from(content), { name })).uri;
  const columns = found.columns.slice(0, COLUMNS_SHOWN).map(
    ({ name, kind, missing, completeness, distinct }): Json => ({
      name,
      kind,
      missing,
      completeness,
      distinct,
    }),
  );
  return {
    rows: found.rows,
    sampled: found.sampled,
    columnCount: found.columns.length,
    columns,
    expectations: (suite.expectations as readonly Json[]).length,
    profileUri: await put('profile.json', `${JSON.stringify(profileJson(found), null, 2)}\n`),
    suiteUri: await put('suite.json', `${JSON.stringify(suite, null, 2)}\n`),
    histogramsUri: await put('histograms.svg', profileSvg(found)),
  };
}
