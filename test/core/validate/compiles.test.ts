/** A definition that is accepted can be made into a machine: each field takes each odd value once. */
import { describe, expect, it } from 'vitest';
import { compileMachine } from '../../../src/core/compiler.js';
import { validateDefinition } from '../../../src/core/validate.js';
import type { Json, JsonObject } from '../../../src/lib/json.js';

const ODD: readonly Json[] = [
  ...['$', '$$', '$v', '$.a[-1]', '$.a[0:1]', "$['a','b']", '$.a.length()', '$.a[?(@.b)]'],
  ...['', 'x', '${X}', '{% 1 %}', '{%%}', 'States.UUID()', 'States.Array()'],
  ...[null, true, 0, -1, 1.5, 1e300, [], [1], [null], {}],
  { 'a.$': '$.b' },
];

const BLOCK: JsonObject = { StartAt: 'A', States: { A: { Type: 'Pass', End: true } } };
const DISTRIBUTED: JsonObject = {
  ...BLOCK,
  ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
};

/** A state that is right, and the fields of it that are given odd values; `/` goes deeper. */
const SUBJECTS: readonly (readonly [state: JsonObject, fields: string])[] = [
  [{ Type: 'Pass', End: true }, 'InputPath OutputPath ResultPath Parameters Result Assign Output'],
  [{ Type: 'Pass', End: true }, 'Type End QueryLanguage Comment Parameters/x.$ Assign/x.$'],
  [{ Type: 'Wait', End: true }, 'Seconds SecondsPath Timestamp TimestampPath'],
  [{ Type: 'Fail' }, 'Error ErrorPath Cause CausePath'],
  [{ Type: 'Succeed' }, 'InputPath OutputPath Output'],
  [
    { Type: 'Task', Resource: 'ml:train', End: true },
    'Resource TimeoutSeconds TimeoutSecondsPath HeartbeatSeconds HeartbeatSecondsPath Credentials ResultSelector',
  ],
  [
    { Type: 'Parallel', Branches: [BLOCK], Retry: [{ ErrorEquals: ['x'] }], End: true },
    'Branches Branches/0/States Branches/0/StartAt Arguments ResultPath Retry Retry/0/ErrorEquals Retry/0/IntervalSeconds Retry/0/MaxAttempts Retry/0/BackoffRate Retry/0/MaxDelaySeconds Retry/0/JitterStrategy',
  ],
  [
    { Type: 'Parallel', Branches: [BLOCK], Catch: [{ ErrorEquals: ['x'], Next: 'Q' }], Next: 'Q' },
    'Catch Catch/0/ErrorEquals Catch/0/Next Catch/0/ResultPath Catch/0/Assign Catch/0/Output',
  ],
  [
    { Type: 'Choice', Choices: [{ Variable: '$.a', Next: 'Q' }], Default: 'Q' },
    'Choices Choices/0/StringEquals Choices/0/NumericEqualsPath Choices/0/StringMatches Choices/0/TimestampEquals Choices/0/IsPresent',
  ],
  [
    { Type: 'Choice', Choices: [{ Next: 'Q' }], Default: 'Q' },
    'Choices/0/And Choices/0/Or Choices/0/Not Choices/0/Condition',
  ],
  [
    { Type: 'Choice', Choices: [{ Variable: '$.a', IsNull: true, Next: 'Q' }], Default: 'Q' },
    'Default Choices/0/Variable Choices/0/Next Choices/0/Assign Choices/0/Output',
  ],
  [
    { Type: 'Map', ItemProcessor: BLOCK, End: true },
    'ItemProcessor Iterator ItemsPath Items ItemSelector MaxConcurrency MaxConcurrencyPath',
  ],
  [
    { Type: 'Map', ItemProcessor: DISTRIBUTED, End: true },
    'Label ItemsPath Items ItemProcessor/ProcessorConfig ItemProcessor/ProcessorConfig/Mode ItemProcessor/ProcessorConfig/ExecutionType ItemProcessor/States ToleratedFailureCount ToleratedFailureCountPath ToleratedFailurePercentage ToleratedFailurePercentagePath ItemBatcher ItemBatcher/MaxItemsPerBatch ItemBatcher/MaxInputBytesPerBatchPath ResultWriter ResultWriter/WriterConfig',
  ],
  [
    {
      Type: 'Map',
      ItemProcessor: DISTRIBUTED,
      ItemReader: {
        Resource: 'arn:aws:states:::s3:getObject',
        ReaderConfig: { InputType: 'CSV', CSVHeaderLocation: 'FIRST_ROW' },
      },
      End: true,
    },
    'ItemReader ItemReader/Resource ItemReader/Parameters ItemReader/Arguments ItemReader/ReaderConfig ItemReader/ReaderConfig/MaxItems ItemReader/ReaderConfig/MaxItemsPath ItemReader/ReaderConfig/ItemsPointer ItemReader/ReaderConfig/CSVHeaders',
  ],
];

describe.each(['JSONPath', 'JSONata'])('in %s', (language) => {
  it('whatever is accepted compiles', () => {
    let accepted = 0;
    for (const [place, definition] of candidates(language)) {
      const text = JSON.stringify(definition);
      const valid = validateDefinition(text, { type: 'STANDARD', strict: false }).definition;
      if (valid === null) continue;
      accepted++;
      expect(() => compileMachine(valid), place).not.toThrow();
    }
    expect(accepted).toBeGreaterThan(200);
  });
});

function* candidates(language: string): Generator<readonly [place: string, JsonObject]> {
  for (const [state, fields] of SUBJECTS) {
    for (const field of fields.split(' ')) {
      for (const value of ODD) {
        const S = withValue(state, field.split('/'), value);
        const States = JSON.stringify(S).includes('"Q"') ? { S, Q: { Type: 'Succeed' } } : { S };
        const place = `${state.Type}/${field} = ${JSON.stringify(value)}`;
        yield [place, { QueryLanguage: language, StartAt: 'S', States }];
      }
    }
  }
}

/** A copy with `value` at the place; what lies on the way is made. */
function withValue(state: JsonObject, [key, ...rest]: readonly string[], value: Json): JsonObject {
  const copy = structuredClone(state) as Record<string, Json>;
  let at = copy;
  for (const [i, part] of [key as string, ...rest].entries()) {
    if (i === rest.length) at[part] = value;
    else at = (at[part] ??= {}) as Record<string, Json>;
  }
  return copy;
}
