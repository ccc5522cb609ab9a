/**
 * Query languages: which fields belong to one of them only, and where a state may choose.
 * Wording and locations (the object that holds the field) as measured on AWS.
 */
import { getOwn, hasOwn, type JsonObject } from '../../lib/json.js';
import { type Diagnostic, schemaError } from '../diagnostic.js';
import { STATE_SCHEMAS } from './schemas/index.js';
import { type Language, objectIn, objectsIn, type StateSite, under } from './site.js';

/** Fields of one language only, by the object they stand in. */
interface OwnFields {
  readonly JSONPath: readonly string[];
  readonly JSONata: readonly string[];
}

const STATE: OwnFields = {
  JSONPath: [
    'InputPath',
    'OutputPath',
    'ResultPath',
    'Parameters',
    'ResultSelector',
    'Result',
    'ItemsPath',
    'TimeoutSecondsPath',
    'HeartbeatSecondsPath',
    'SecondsPath',
    'TimestampPath',
    'MaxConcurrencyPath',
    'ToleratedFailureCountPath',
    'ToleratedFailurePercentagePath',
    'ErrorPath',
    'CausePath',
  ],
  JSONata: ['Arguments', 'Output', 'Items'],
};
const RULE: OwnFields = {
  JSONPath: ['Variable', 'And', 'Or', 'Not'],
  JSONata: ['Condition', 'Output'],
};
const CATCHER: OwnFields = { JSONPath: ['ResultPath'], JSONata: ['Output'] };
const DATA_SET: OwnFields = { JSONPath: ['Parameters'], JSONata: ['Arguments'] };
const READER_CONFIG: OwnFields = { JSONPath: ['MaxItemsPath'], JSONata: [] };
const BATCHER: OwnFields = {
  JSONPath: ['MaxItemsPerBatchPath', 'MaxInputBytesPerBatchPath'],
  JSONata: [],
};

export function checkLanguage(site: StateSite, machine: Language): readonly Diagnostic[] {
  const { state, at, language } = site;
  const known = STATE_SCHEMAS[site.type].properties as JsonObject;
  const diagnostics = [...foreign(state, STATE, language, at, (field) => hasOwn(known, field))];
  if (machine === 'JSONata' && getOwn(state, 'QueryLanguage') === 'JSONPath') {
    const message =
      "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine";
    return [schemaError(message, at)];
  }
  for (const { item, at: ruleAt } of objectsIn(state, 'Choices', at)) {
    diagnostics.push(...foreign(item, RULE, language, ruleAt));
  }
  for (const { item, at: catcherAt } of objectsIn(state, 'Catch', at)) {
    diagnostics.push(...foreign(item, CATCHER, language, catcherAt));
  }
  if (site.type === 'Map') diagnostics.push(...checkMapObjects(state, language, at));
  return diagnostics;
}

function* checkMapObjects(state: JsonObject, language: Language, at: string) {
  const reader = objectIn(state, 'ItemReader');
  if (reader !== undefined) {
    const readerAt = under(at, 'ItemReader');
    yield* foreign(reader, DATA_SET, language, readerAt);
    const config = objectIn(reader, 'ReaderConfig') ?? {};
    yield* foreign(config, READER_CONFIG, language, under(readerAt, 'ReaderConfig'));
  }
  const writer = objectIn(state, 'ResultWriter') ?? {};
  yield* foreign(writer, DATA_SET, language, under(at, 'ResultWriter'));
  const batcher = objectIn(state, 'ItemBatcher') ?? {};
  yield* foreign(batcher, BATCHER, language, under(at, 'ItemBatcher'));
}

function* foreign(
  object: JsonObject,
  own: OwnFields,
  language: Language,
  at: string,
  isKnown: (field: string) => boolean = () => true,
): Generator<Diagnostic> {
  const other = language === 'JSONPath' ? 'JSONata' : 'JSONPath';
  for (const field of own[other]) {
    if (!hasOwn(object, field) || !isKnown(field)) continue;
    const message =
      `The QueryLanguage is set to '${language}', but field '${field}' is only supported for ` +
      `the '${other}' QueryLanguage`;
    yield schemaError(message, at);
  }
}
