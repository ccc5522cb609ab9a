/** Map states: what only a distributed Map has, and where a distributed Map may stand. */
import { getOwn, hasOwn } from '../../lib/json.js';
import { type Diagnostic, schemaError, withHint } from '../diagnostic.js';
import { objectIn, type StateSite, stringIn, under } from './site.js';
import { isDistributed } from './walk.js';

export function checkMapState(site: StateSite): readonly Diagnostic[] {
  if (site.type !== 'Map') return [];
  return ['ItemProcessor', 'Iterator']
    .flatMap((field) => [...checkProcessor(site, field)])
    .concat(checkReader(site));
}

function* checkProcessor(site: StateSite, field: string): Generator<Diagnostic> {
  const processor = objectIn(site.state, field);
  const config = processor === undefined ? undefined : objectIn(processor, 'ProcessorConfig');
  if (processor === undefined || config === undefined) return;
  const at = under(site.at, field, 'ProcessorConfig');
  if (!isDistributed(processor)) {
    if (hasOwn(config, 'ExecutionType')) {
      yield withHint(
        schemaError("Field 'ExecutionType' is not supported", at),
        'ExecutionType belongs to "Mode": "DISTRIBUTED".',
      );
    }
    return;
  }
  if (!hasOwn(config, 'ExecutionType')) {
    yield withHint(
      schemaError('These fields are required: [ExecutionType]', at),
      'Add "ExecutionType": "STANDARD" or "EXPRESS".',
    );
  }
  if (site.scope.machineType === 'EXPRESS') {
    yield schemaError(
      "The field 'Mode' with value 'DISTRIBUTED' is not supported inside 'EXPRESS' state machines",
      under(at, 'Mode'),
    );
  }
}

/** AWS asks for the header location of CSV data, and refuses it elsewhere. */
function checkReader(site: StateSite): readonly Diagnostic[] {
  const reader = objectIn(site.state, 'ItemReader');
  const config = reader === undefined ? undefined : objectIn(reader, 'ReaderConfig');
  if (config === undefined) return [];
  const at = under(site.at, 'ItemReader', 'ReaderConfig');
  const type = stringIn(config, 'InputType');
  const hasHeader = getOwn(config, 'CSVHeaderLocation') !== undefined;
  if (type === 'CSV' && !hasHeader) {
    return [schemaError("The field 'CSVHeaderLocation' is required", at)];
  }
  if (hasHeader && (type === 'JSON' || type === 'JSONL' || type === 'PARQUET')) {
    return [schemaError("Field 'CSVHeaderLocation' is not supported", at)];
  }
  return [];
}
