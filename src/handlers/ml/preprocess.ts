/** `ml:preprocess`: a dataset as cleaned, labelled texts, split without leakage between the sides. */
import type { Json, JsonObject } from '../../lib/json.js';
import { datasetRows } from '../../ml/data/dataset.js';
import { type PreprocessParameters, preprocess } from '../../ml/data/preprocess.js';
import type { Handler, HandlerContext } from '../handler.js';
import { ADDRESS, type Address, asTask, locate, SPLIT, uriOf } from './ingest-support.js';

const flag: Json = { type: 'boolean' };
const column: Json = { type: 'string', minLength: 1 };

const PARAMETERS: JsonObject = {
  type: 'object',
  required: ['dataset'],
  additionalProperties: false,
  properties: {
    dataset: ADDRESS,
    textColumn: column,
    labelColumn: column,
    labelMap: {
      type: 'object',
      minProperties: 1,
      additionalProperties: { type: 'integer', minimum: 0 },
    },
    clean: {
      type: 'object',
      additionalProperties: false,
      properties: {
        trim: flag,
        collapseWhitespace: flag,
        unicode: { enum: ['NFC', 'NFKC', false] },
        lowercase: flag,
        dropEmpty: flag,
        dropDuplicates: flag,
      },
    },
    split: SPLIT,
    keepColumns: { type: 'array', items: column, maxItems: 32, uniqueItems: true },
    onUnknownLabel: { enum: ['drop', 'fail'] },
  },
};

export const preprocessHandler: Handler = {
  resource: 'ml:preprocess',
  description: 'Cleans labelled texts and splits them, stratified, seeded and free of leakage.',
  onWorkerLost: 'rerun',
  parameters: PARAMETERS,
  run: (parameters, context) =>
    asTask(() =>
      run(parameters as unknown as PreprocessParameters & { dataset: Address }, context),
    ),
};

async function run(
  parameters: PreprocessParameters & { readonly dataset: Address },
  context: HandlerContext,
): Promise<JsonObject> {
  const address = uriOf(parameters.dataset);
  const path = await locate(parameters.dataset, context);
  return await preprocess(parameters, {
    address,
    rows: () => datasetRows({ path, address }, context.signal),
    put: (side, bytes) => context.artifacts.put(bytes, { name: `${side}.jsonl` }),
    progress: (rows) => context.progress(rows, 0, `${rows} rows read`),
  });
}
