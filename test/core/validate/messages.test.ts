import { describe, expect, it } from 'vitest';
import { EXPRESS, errors, LAMBDA, machine, one, STRICT, stateErrors } from './support.js';

/** State, and the one error AWS has for it; `S` is the state's name. */
type Row = readonly [claim: string, state: object, error: string];

const task = { Type: 'Task', Resource: LAMBDA };
const inline = { StartAt: 'P', States: { P: { Type: 'Pass', End: true } } };
const distributed = {
  ...inline,
  ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
};
const map = { Type: 'Map', ItemProcessor: inline };
const rule = { Variable: '$.a', NumericEquals: 1, Next: 'T' };
const choice = { Type: 'Choice', End: undefined, Choices: [rule], Default: 'T' };
const JSONATA = { QueryLanguage: 'JSONata' };
const OPERATORS =
  'StringEquals, StringEqualsPath, StringLessThan, StringLessThanPath, StringGreaterThan, StringGreaterThanPath';

const SHAPE: readonly Row[] = [
  ['an unknown field', { ...task, Foo: 1 }, "Field 'Foo' is not supported at /States/S"],
  ['Catch on Pass', { Type: 'Pass', Catch: [] }, "Field 'Catch' is not supported at /States/S"],
  [
    'Retry on Wait',
    { Type: 'Wait', Seconds: 1, Retry: [] },
    "Field 'Retry' is not supported at /States/S",
  ],
  [
    'a timeout on Map',
    { ...map, TimeoutSeconds: 1 },
    "Field 'TimeoutSeconds' is not supported at /States/S",
  ],
  [
    'a result path on Wait',
    { Type: 'Wait', Seconds: 1, ResultPath: null },
    "Field 'ResultPath' is not supported at /States/S",
  ],
  [
    'Next on Succeed',
    { Type: 'Succeed', End: undefined, Next: 'S' },
    "Field 'Next' is not supported at /States/S",
  ],
  [
    'an input path on Fail',
    { Type: 'Fail', End: undefined, InputPath: '$' },
    "Field 'InputPath' is not supported at /States/S",
  ],
  [
    'no way on',
    { Type: 'Pass', End: undefined },
    'This object should have only one of the following fields: [Next, End] at /States/S',
  ],
  [
    'End: false alone',
    { Type: 'Pass', End: false },
    'This object should have only one of the following fields: [Next, End] at /States/S',
  ],
  [
    'two ways on',
    { Type: 'Pass', Next: 'S' },
    'There should only be one of the following fields: [Next, End] at /States/S',
  ],
  ['no type', { Type: undefined }, 'These fields are required: [Type] at /States/S'],
  [
    'an unknown type',
    { Type: 'Loop' },
    "The field 'Type' should have one of these values: [Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map] at /States/S/Type",
  ],
  ['no resource', { Type: 'Task' }, 'These fields are required: [Resource] at /States/S'],
  [
    'a resource that is an object',
    { Type: 'Task', Resource: {} },
    'Expected value of type String at /States/S/Resource',
  ],
  [
    'text for a number',
    { ...task, TimeoutSeconds: '5' },
    'Expected value of type Integer at /States/S/TimeoutSeconds',
  ],
  [
    'a fraction of a second',
    { Type: 'Wait', Seconds: 1.5 },
    'Expected value of type Integer at /States/S/Seconds',
  ],
  [
    'an expression in JSONPath',
    { Type: 'Wait', Seconds: '{% 1 %}' },
    'Expected value of type Integer at /States/S/Seconds',
  ],
  [
    'a timeout of 0',
    { ...task, TimeoutSeconds: 0 },
    'Minimum value is 1 at /States/S/TimeoutSeconds',
  ],
  [
    'a wait too long',
    { Type: 'Wait', Seconds: 1e16 },
    'Maximum value is 99999999 at /States/S/Seconds',
  ],
  ['a negative wait', { Type: 'Wait', Seconds: -1 }, 'Minimum value is 0 at /States/S/Seconds'],
  [
    'no wait',
    { Type: 'Wait' },
    'This object should have only one of the following fields: [SecondsPath, Seconds, TimestampPath, Timestamp] at /States/S',
  ],
  [
    'two waits',
    { Type: 'Wait', Seconds: 1, SecondsPath: '$.a' },
    'There should only be one of the following fields: [SecondsPath, Seconds, TimestampPath, Timestamp] at /States/S',
  ],
  [
    'a timeout twice',
    { ...task, TimeoutSeconds: 1, TimeoutSecondsPath: '$.t' },
    'There should only be one of the following fields: [TimeoutSeconds, TimeoutSecondsPath] at /States/S',
  ],
  [
    'an error twice',
    { Type: 'Fail', End: undefined, Error: 'E', ErrorPath: '$.e' },
    'There should only be one of the following fields: [Error, ErrorPath] at /States/S',
  ],
  [
    'an unknown language',
    { Type: 'Pass', QueryLanguage: 'XPath' },
    'Value should be one of the following: [JSONPath, JSONata] at /States/S/QueryLanguage',
  ],
  ['no branches', { Type: 'Parallel' }, 'These fields are required: [Branches] at /States/S'],
  [
    'empty branches',
    { Type: 'Parallel', Branches: [] },
    'Value cannot be empty at /States/S/Branches',
  ],
  [
    'a branch without states',
    { Type: 'Parallel', Branches: [{ StartAt: 'P' }] },
    'These fields are required: [States] at /States/S/Branches[0]',
  ],
  [
    'a language for a branch',
    { Type: 'Parallel', Branches: [{ ...inline, QueryLanguage: 'JSONata' }] },
    "Field 'QueryLanguage' is not supported at /States/S/Branches[0]",
  ],
  [
    'a language for an item processor',
    { Type: 'Map', ItemProcessor: { ...inline, QueryLanguage: 'JSONata' } },
    "Field 'QueryLanguage' is not supported at /States/S/ItemProcessor",
  ],
  [
    'no item processor',
    { Type: 'Map' },
    'This object should have only one of the following fields: [ItemProcessor, Iterator] at /States/S',
  ],
  [
    'a percentage too high',
    { ...map, ToleratedFailurePercentage: 101 },
    'Maximum value is 100.0 at /States/S/ToleratedFailurePercentage',
  ],
  [
    'a percentage too low',
    { ...map, ToleratedFailurePercentage: -1 },
    'Minimum value is 0.0 at /States/S/ToleratedFailurePercentage',
  ],
  [
    'a negative concurrency',
    { ...map, MaxConcurrency: -1 },
    'Minimum value is 0 at /States/S/MaxConcurrency',
  ],
];

const RECOVERY: readonly Row[] = [
  [
    'no errors named',
    { ...task, Retry: [{}] },
    'These fields are required: [ErrorEquals] at /States/S/Retry[0]',
  ],
  [
    'an empty list of errors',
    { ...task, Retry: [{ ErrorEquals: [] }] },
    'Value cannot be empty at /States/S/Retry[0]/ErrorEquals',
  ],
  [
    'an error that is no text',
    { ...task, Retry: [{ ErrorEquals: [1] }] },
    'Expected value of type String at /States/S/Retry[0]/ErrorEquals[0]',
  ],
  [
    'States.ALL in company',
    { ...task, Retry: [{ ErrorEquals: ['E', 'States.ALL'] }] },
    'States.ALL must appear alone and at end of list at /States/S/Retry[0]/ErrorEquals',
  ],
  [
    'States.ALL before others',
    { ...task, Retry: [{ ErrorEquals: ['States.ALL'] }, { ErrorEquals: ['E'] }] },
    'States.ALL must appear alone and at end of list at /States/S/Retry[0]/ErrorEquals',
  ],
  [
    'a catcher without a way on',
    { ...task, Catch: [{ ErrorEquals: ['E'] }] },
    'These fields are required: [Next] at /States/S/Catch[0]',
  ],
  [
    'a back-off that shrinks',
    { ...task, Retry: [{ ErrorEquals: ['E'], BackoffRate: 0.5 }] },
    'Minimum value is 1.0 at /States/S/Retry[0]/BackoffRate',
  ],
  [
    'a delay over a year',
    { ...task, Retry: [{ ErrorEquals: ['E'], MaxDelaySeconds: 31622401 }] },
    'Maximum value is 31622400 at /States/S/Retry[0]/MaxDelaySeconds',
  ],
  [
    'an unknown jitter',
    { ...task, Retry: [{ ErrorEquals: ['E'], JitterStrategy: 'SOME' }] },
    'Value should be one of the following: [NONE, FULL] at /States/S/Retry[0]/JitterStrategy',
  ],
  [
    'an unknown field of a catcher',
    { ...task, Catch: [{ ErrorEquals: ['E'], Next: 'S', _comment: '' }] },
    "Field '_comment' is not supported at /States/S/Catch[0]",
  ],
  [
    'a heartbeat not below the timeout',
    { ...task, TimeoutSeconds: 5, HeartbeatSeconds: 5 },
    "The field 'HeartbeatSeconds' must be smaller than 'TimeoutSeconds' at /States/S/HeartbeatSeconds",
  ],
];

const CHOICES: readonly Row[] = [
  ['no rules', { ...choice, Choices: [] }, 'Value cannot be empty at /States/S/Choices'],
  [
    'a rule without Next',
    { ...choice, Choices: [{ ...rule, Next: undefined }] },
    'These fields are required: [Next] at /States/S/Choices[0]',
  ],
  [
    'Next in a nested rule',
    { ...choice, Choices: [{ And: [rule], Next: 'T' }] },
    "Field 'Next' is not supported at /States/S/Choices[0]/And[0]",
  ],
  [
    'a rule of nothing',
    { ...choice, Choices: [{ Next: 'T' }] },
    'The object must have only one of the following fields, [And, Or, Not, Variable, Condition] at /States/S/Choices[0]',
  ],
  [
    'an operand of another type',
    { ...choice, Choices: [{ ...rule, NumericEquals: '1' }] },
    'Expected value of type Number at /States/S/Choices[0]/NumericEquals',
  ],
  [
    'an empty And',
    { ...choice, Choices: [{ And: [], Next: 'T' }] },
    'Value cannot be empty at /States/S/Choices[0]/And',
  ],
  [
    'a variable without $',
    { ...choice, Choices: [{ ...rule, Variable: 'a' }] },
    "Value is not a Reference Path: Reference path didn't start with '$' at /States/S/Choices[0]/Variable",
  ],
  [
    'a variable of many nodes',
    { ...choice, Choices: [{ ...rule, Variable: '$.a[*]' }] },
    'Value is not a Reference Path at /States/S/Choices[0]/Variable',
  ],
  [
    'a nested variable',
    { ...choice, Choices: [{ Not: { Variable: 'a', IsNull: true }, Next: 'T' }] },
    "Value is not a Reference Path: Reference path didn't start with '$' at /States/S/Choices[0]/Not/Variable",
  ],
  [
    'a bad timestamp',
    { ...choice, Choices: [{ Variable: '$.a', TimestampEquals: 'noon', Next: 'T' }] },
    'String does not match RFC3339 timestamp at /States/S/Choices[0]/TimestampEquals',
  ],
];

const PATHS: readonly Row[] = [
  [
    'a path without $',
    { Type: 'Pass', OutputPath: 'Test' },
    'Value must be a valid JSONPath. at /States/S/OutputPath',
  ],
  [
    'a result path of many nodes',
    { Type: 'Pass', ResultPath: '$.a[*]' },
    'Value is not a Reference Path at /States/S/ResultPath',
  ],
  [
    'a result path into the context',
    { Type: 'Pass', ResultPath: '$$.a' },
    'Value is not a Reference Path at /States/S/ResultPath',
  ],
  [
    'a result path that counts from the end',
    { Type: 'Pass', ResultPath: '$.a[-1]' },
    'Value is not a Reference Path at /States/S/ResultPath',
  ],
  [
    'a result path into a variable',
    { Type: 'Pass', ResultPath: '$a.b' },
    'Value is not a Reference Path at /States/S/ResultPath',
  ],
  [
    'a count from the context',
    { ...map, MaxConcurrencyPath: '$$.Execution.Input.n' },
    'Value is not a Reference Path at /States/S/MaxConcurrencyPath',
  ],
  [
    'a constant below .$',
    { Type: 'Pass', Parameters: { 'a.$': 'Test' } },
    "The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic function call at /States/S/Parameters",
  ],
  [
    'an unknown function',
    { Type: 'Pass', Parameters: { 'a.$': "States.format('{}', 1)" } },
    "The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic function call at /States/S/Parameters",
  ],
  [
    'eleven functions inside of each other',
    { Type: 'Pass', Parameters: { 'a.$': nested(11) } },
    "The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic function call at /States/S/Parameters",
  ],
  [
    'a number below .$',
    { Type: 'Pass', Parameters: { b: [{ 'a.$': 1 }] } },
    "The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic function call at /States/S/Parameters/b[0]",
  ],
  [
    'an assignment',
    { Type: 'Pass', Assign: { 'Variable.$': 'Test' } },
    "The value for the field 'Variable.$' must be a valid JSONPath or a valid intrinsic function call at /States/S/Assign",
  ],
  [
    'a field given twice',
    { Type: 'Pass', Parameters: { a: 1, 'a.$': '$.a' } },
    "The field 'a' is given twice: as 'a' and as 'a.$' at /States/S/Parameters",
  ],
];

/** Calls inside of each other. */
function nested(depth: number): string {
  return `${'States.Array('.repeat(depth)}$.a${')'.repeat(depth)}`;
}

describe('SCHEMA_VALIDATION_FAILED', () => {
  it.each([...SHAPE, ...RECOVERY, ...PATHS])('%s', (_, state, error) => {
    expect(errors(one(state))).toEqual([`SCHEMA_VALIDATION_FAILED: ${error}`]);
  });

  it('accepts ten functions inside of each other', () => {
    expect(errors(one({ Type: 'Pass', Parameters: { 'a.$': nested(10) } }))).toEqual([]);
  });

  it.each(CHOICES)('a Choice with %s', (_, state, error) => {
    const text = machine({ S: state, T: { Type: 'Succeed' } });
    expect(errors(text)).toEqual([`SCHEMA_VALIDATION_FAILED: ${error}`]);
  });

  it('names all operators when a rule has none or several', () => {
    for (const [extra, words] of [
      [{ NumericEquals: undefined }, 'This object should have only one'],
      [{ IsNull: true }, 'There should only be one'],
    ] as const) {
      const [error] = errors(one({ ...choice, Choices: [{ ...rule, ...extra }] }));
      expect(error).toContain(`${words} of the following fields: [${OPERATORS}`);
    }
  });

  it.each([
    ['an unknown field', { Foo: 1 }, "Field 'Foo' is not supported at /"],
    [
      'another version',
      { Version: '2.0' },
      'Value should be one of the following: [1.0] at /Version',
    ],
    [
      'a timeout that is text',
      { TimeoutSeconds: '1' },
      'Expected value of type Integer at /TimeoutSeconds',
    ],
    ['no states at all', { States: {} }, 'Value cannot be empty at /States'],
    [
      'a state that is no object',
      { States: { S: 1 } },
      'Expected value of type Object at /States/S',
    ],
  ])('the machine: %s', (_, rest, error) => {
    expect(errors(one({ Type: 'Pass' }, rest))).toEqual([`SCHEMA_VALIDATION_FAILED: ${error}`]);
  });

  it('accepts what AWS was measured to accept at the edges', () => {
    expect(errors(one({ Type: 'Pass' }, { TimeoutSeconds: 0, Version: '1.0' }))).toEqual([]);
    expect(errors(one({ ...task, Retry: [{ ErrorEquals: ['E'], IntervalSeconds: 0 }] }))).toEqual(
      [],
    );
    expect(errors(one({ ...task, Retry: [], Catch: [] }))).toEqual([]);
    expect(errors(one({ ...map, MaxConcurrency: 9007199254740991 }))).toEqual([]);
    expect(errors(one({ Type: 'Pass', Parameters: [{ 'a.$': '$$.Execution.Id' }] }))).toEqual([]);
    expect(errors(one({ Type: 'Wait', Timestamp: '2016-03-14T01:59:00.123456789Z' }))).toEqual([]);
  });
});

describe('query languages', () => {
  const only = (language: string, field: string, other: string, at: string) =>
    `SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to '${language}', but field '${field}' is ` +
    `only supported for the '${other}' QueryLanguage at ${at}`;

  it('a field of the other language is refused at the object that holds it', () => {
    expect(errors(one({ Type: 'Pass', Output: 1 }))).toEqual([
      only('JSONPath', 'Output', 'JSONata', '/States/S'),
    ]);
    expect(errors(one({ Type: 'Pass', InputPath: '$.a' }, JSONATA))).toEqual([
      only('JSONata', 'InputPath', 'JSONPath', '/States/S'),
    ]);
    const batcher = { MaxItemsPerBatchPath: '$.n' };
    expect(
      errors(one({ Type: 'Map', ItemProcessor: distributed, ItemBatcher: batcher }, JSONATA)),
    ).toEqual([only('JSONata', 'MaxItemsPerBatchPath', 'JSONPath', '/States/S/ItemBatcher')]);
    expect(errors(one({ ...choice, Choices: [rule] }, JSONATA))[0]).toBe(
      only('JSONata', 'Variable', 'JSONPath', '/States/S/Choices[0]'),
    );
    expect(errors(one({ ...task, Catch: [{ ErrorEquals: ['E'], Next: 'S', Output: 1 }] }))).toEqual(
      [only('JSONPath', 'Output', 'JSONata', '/States/S/Catch[0]')],
    );
  });

  it('inner states inherit the language of the machine, never of the Map around them', () => {
    const inner = { StartAt: 'P', States: { P: { Type: 'Pass', Output: 1, End: true } } };
    expect(errors(one({ Type: 'Map', QueryLanguage: 'JSONata', ItemProcessor: inner }))).toEqual([
      only('JSONPath', 'Output', 'JSONata', '/States/S/ItemProcessor/States/P'),
    ]);
  });

  it('a language that does not exist counts as JSONata', () => {
    expect(errors(one({ Type: 'Pass', QueryLanguage: 'x', InputPath: '$' }))).toEqual([
      'SCHEMA_VALIDATION_FAILED: Value should be one of the following: [JSONPath, JSONata] at /States/S/QueryLanguage',
      only('JSONata', 'InputPath', 'JSONPath', '/States/S'),
    ]);
  });
});

describe('JSONata', () => {
  const output = (text: string) => errors(one({ Type: 'Pass', Output: text }, JSONATA));

  it.each([
    ['a[1,2)', 'Expected "]", got ","'],
    ['"unterminated', 'String literal must be terminated by a matching quote'],
    ['1 +', 'Unexpected end of expression'],
    ['{"a":}', 'The symbol "}" cannot be used as a unary operator'],
    ['$x :=', 'Unexpected end of expression'],
    ['$match("a", /abc', 'No terminating / in regular expression'],
    ['', 'Unexpected end of expression'],
  ])('the text %j does not parse', (text, message) => {
    expect(output(`{% ${text} %}`)).toEqual([
      `INVALID_JSONATA_EXPRESSION: ${message} at /States/S/Output`,
    ]);
  });

  it.each([
    ['phone', "Reference to 'phone' at the top level is not supported."],
    ['$', "Reference to '$' at the top level is not supported."],
    ['$$', "Reference to '$$' is not supported."],
    ['$states.errorOutput', "Field '$states.errorOutput' does not exist."],
    ['$states.result', "Field '$states.result' does not exist."],
  ])('the text %j reads what is not there', (text, message) => {
    const state = { Type: 'Pass', Output: { v: `{% ${text} %}` } };
    expect(errors(one(state, JSONATA))).toEqual([
      `UNSUPPORTED_JSONATA_EXPRESSION: ${message} at /States/S/Output/v`,
    ]);
  });

  it.each(['{% 1', '1 %}', '{%}'])('%j is not wrapped well', (text) => {
    expect(output(text)).toEqual([
      'SCHEMA_VALIDATION_FAILED: JSONata string must start with {% and end with %} at /States/S/Output',
    ]);
  });

  it('a result is there after work, an error output in a catcher', () => {
    const caught = { ErrorEquals: ['E'], Next: 'S', Output: '{% $states.errorOutput %}' };
    const state = { ...task, Catch: [caught], Assign: { a: '{% $states.result %}' } };
    expect(errors(one(state, JSONATA))).toEqual([]);
    expect(errors(one({ ...task, Arguments: '{% $states.result %}' }, JSONATA))).toHaveLength(1);
  });

  it('every place that takes an expression is looked at', () => {
    const bad = '{% 1 + %}';
    const states = {
      T: {
        ...task,
        Arguments: { a: [bad] },
        TimeoutSeconds: bad,
        Next: 'W',
        Catch: [{ ErrorEquals: ['E'], Next: 'W', Assign: { x: bad } }],
      },
      W: { Type: 'Wait', Seconds: bad, Next: 'C' },
      C: { Type: 'Choice', Choices: [{ Condition: bad, Next: 'M' }], Default: 'F' },
      M: {
        Type: 'Map',
        Items: bad,
        ItemSelector: { a: bad },
        MaxConcurrency: bad,
        ItemProcessor: inline,
        End: true,
      },
      F: { Type: 'Fail', Error: bad, Cause: bad },
    };
    const places = errors(machine(states, JSONATA)).map((text) => text.split(' at ')[1]);
    expect(places).toEqual([
      '/States/T/Arguments/a[0]',
      '/States/T/TimeoutSeconds',
      '/States/T/Catch[0]/Assign/x',
      '/States/W/Seconds',
      '/States/C/Choices[0]/Condition',
      '/States/M/Items',
      '/States/M/ItemSelector/a',
      '/States/M/MaxConcurrency',
      '/States/F/Error',
      '/States/F/Cause',
    ]);
  });
});

describe('the graph', () => {
  const pass = (next: string) => ({ Type: 'Pass', Next: next });
  const end = { Type: 'Pass', End: true };

  it('a bare loop has no end, and unreachable states are not named then', () => {
    const states = { A: pass('B'), B: pass('A'), X: pass('A') };
    expect(errors(machine(states))).toEqual([
      'MISSING_END_STATE: Workflow has no terminal state at null',
    ]);
  });

  it('a state that nothing names is not reachable', () => {
    expect(errors(machine({ A: pass('B'), B: pass('A'), C: end }))).toEqual([
      'MISSING_TRANSITION_TARGET: State "C" is not reachable. at /States/C',
    ]);
  });

  it('a dangling target and a missing end come together, in this order', () => {
    expect(errors(machine({ A: pass('NOPE') }))).toEqual([
      "MISSING_TRANSITION_TARGET: Missing 'Next' target: NOPE at /States/A/Next",
      'MISSING_END_STATE: Workflow has no terminal state at null',
    ]);
  });

  it('every kind of transition says Next', () => {
    const states = {
      A: { ...task, Next: 'C', Catch: [{ ErrorEquals: ['E'], Next: 'N1' }] },
      C: { ...choice, Choices: [{ ...rule, Next: 'N2' }], Default: 'N3' },
      E: end,
    };
    expect(errors(machine(states, { StartAt: 'N0' }))).toEqual([
      "MISSING_TRANSITION_TARGET: Missing 'Next' target: N0 at /StartAt",
      "MISSING_TRANSITION_TARGET: Missing 'Next' target: N1 at /States/A/Catch[0]/Next",
      "MISSING_TRANSITION_TARGET: Missing 'Next' target: N2 at /States/C/Choices[0]/Next",
      "MISSING_TRANSITION_TARGET: Missing 'Next' target: N3 at /States/C/Default",
      'MISSING_TRANSITION_TARGET: State "A" is not reachable. at /States/A',
      'MISSING_TRANSITION_TARGET: State "E" is not reachable. at /States/E',
    ]);
  });

  it('a wrong StartAt leaves only its own state unreachable', () => {
    const states = { 'Pass One': pass('Success'), Success: { Type: 'Succeed' } };
    expect(errors(machine(states, { StartAt: 'Not sure' }))).toEqual([
      "MISSING_TRANSITION_TARGET: Missing 'Next' target: Not sure at /StartAt",
      'MISSING_TRANSITION_TARGET: State "Pass One" is not reachable. at /States/Pass One',
    ]);
  });

  it('no transition crosses the border of a branch', () => {
    const out = { StartAt: 'I', States: { I: { ...pass('Out') }, J: end } };
    const states = { P: { Type: 'Parallel', Branches: [out], Next: 'Out' }, Out: end };
    expect(errors(machine(states))[0]).toBe(
      "MISSING_TRANSITION_TARGET: Missing 'Next' target: Out at /States/P/Branches[0]/States/I/Next",
    );
  });

  it('names are unique in the whole machine', () => {
    const states = {
      P: { Type: 'Parallel', Branches: [{ StartAt: 'E', States: { E: end } }], Next: 'E' },
      E: end,
    };
    expect(errors(machine(states))).toEqual([
      'DUPLICATE_STATE_NAME: Duplicate State name: E at /States/P/Branches[0]/States/E',
    ]);
    const long = 'x'.repeat(81);
    expect(errors(machine({ [long]: end }))[0]).toMatch(/^INVALID_STATE_NAME/);
    expect(errors(machine({ ['😀'.repeat(80)]: end }))).toEqual([]);
  });

  it('a wrong shape is not also a wrong graph', () => {
    expect(errors(machine({ A: { Type: 'Pass' }, B: end }))).toHaveLength(1);
  });

  it('TestState lets one state point anywhere, under the recorded name', () => {
    expect(stateErrors(pass('Elsewhere'))).toEqual([]);
    expect(stateErrors({ Type: 'Parallel', Branches: [], End: true })).toEqual([
      'SCHEMA_VALIDATION_FAILED: Value cannot be empty at /States/StateName/Branches',
    ]);
  });
});

describe('resources', () => {
  const resource = (text: string, more: object = {}) => ({ Type: 'Task', Resource: text, ...more });
  const unknown = (arn: string) =>
    `SCHEMA_VALIDATION_FAILED: The resource provided ${arn} is not recognized. The value is not a valid ` +
    'resource ARN, or the resource is not available in this region. at /States/S/Resource';
  const invalid =
    'SCHEMA_VALIDATION_FAILED: Value is not a valid resource ARN at /States/S/Resource';
  const states = 'arn:aws:states:::';
  const request = { Parameters: { FunctionName: 'f', Entries: [], JobName: 'j' } };

  it.each([
    'dynamodb:query',
    'lambda:invoke.sync',
    'glue:startJobRun.sync:2',
    'nothing:here',
    'sagemaker:createEndpoint.sync',
    'dynamodb:getItem.waitForTaskToken',
  ])('AWS has no %s', (name) => {
    expect(errors(one(resource(states + name, request)))).toEqual([unknown(states + name)]);
    expect(
      errors(one(resource(states + name, request)), { ...STRICT, strict: false }),
    ).toHaveLength(1);
  });

  it.each([
    'lambda:invoke',
    'lambda:invoke.waitForTaskToken',
    'glue:startJobRun.sync',
    'aws-sdk:s3:getObject',
    'aws-sdk:sfn:startExecution.waitForTaskToken',
    'events:putEvents.waitForTaskToken',
  ])('AWS has %s', (name) => {
    expect(errors(one(resource(states + name, request)))).toEqual([]);
  });

  it.each([
    'ml:ingest',
    'sns:publish',
    'http:invoke',
    'IngestData',
    '${LambdaArn}',
    'arn:${AWS::Partition}:states:::lambda:invoke',
  ])('%s is a local name: fine here, no ARN to AWS', (text) => {
    expect(errors(one(resource(text)), { ...STRICT, strict: false })).toEqual([]);
    expect(errors(one(resource(text)))).toEqual([invalid]);
  });

  it.each(['', 'two words', '${open', 'x:'])('%j is nothing at all', (text) => {
    expect(errors(one(resource(text)), { ...STRICT, strict: false })).toEqual([invalid]);
  });

  it('requests carry what AWS demands', () => {
    expect(errors(one(resource(`${states}lambda:invoke`)))).toEqual([
      'SCHEMA_VALIDATION_FAILED: Parameters field is required for resource ARN: arn:aws:states:::lambda:invoke at /States/S',
    ]);
    expect(errors(one(resource(`${states}lambda:invoke`), JSONATA))).toEqual([
      'SCHEMA_VALIDATION_FAILED: Arguments field is required for resource ARN: arn:aws:states:::lambda:invoke at /States/S',
    ]);
    expect(
      errors(one(resource(`${states}sqs:sendMessage`, { Parameters: { 'QueueUrl.$': '$.q' } }))),
    ).toEqual([
      "SCHEMA_VALIDATION_FAILED: The field 'MessageBody' is required but was missing at /States/S/Parameters",
    ]);
    const computed = resource(`${states}lambda:invoke`, { Arguments: '{% $states.input %}' });
    expect(errors(one(computed, JSONATA))).toEqual([]);
  });

  it('Express machines wait for nothing', () => {
    const say = (what: string) =>
      `SCHEMA_VALIDATION_FAILED: Express state machine does not support ${what} at /States/S/Resource`;
    const glue = { Parameters: { JobName: 'j' } };
    expect(errors(one(resource(`${states}glue:startJobRun.sync`, glue)), EXPRESS)).toEqual([
      say("'.sync' service integration"),
    ]);
    const activity = 'arn:aws:states:us-east-1:123456789012:activity:a';
    expect(errors(one(resource(activity)), EXPRESS)).toEqual([say('Activity ARN')]);
    expect(errors(one({ Type: 'Map', ItemProcessor: distributed }), EXPRESS)).toEqual([
      "SCHEMA_VALIDATION_FAILED: The field 'Mode' with value 'DISTRIBUTED' is not supported inside 'EXPRESS' state machines at /States/S/ItemProcessor/ProcessorConfig/Mode",
    ]);
  });

  it('the items of an Express Map Run wait for nothing either', () => {
    const config = { Mode: 'DISTRIBUTED', ExecutionType: 'EXPRESS' };
    const inner = resource(`${states}glue:startJobRun.sync`, {
      Parameters: { JobName: 'j' },
      End: true,
    });
    const processor = { ProcessorConfig: config, StartAt: 'T', States: { T: inner } };
    expect(errors(one({ Type: 'Map', ItemProcessor: processor }))).toEqual([
      "SCHEMA_VALIDATION_FAILED: Express state machine does not support '.sync' service integration at /States/S/ItemProcessor/States/T/Resource",
    ]);
  });

  it('credentials name a role and are not for activities', () => {
    expect(errors(one({ ...task, Credentials: {} }))).toEqual([
      "SCHEMA_VALIDATION_FAILED: The field 'RoleArn' is required but was missing at /States/S/Credentials",
    ]);
    const activity = resource('arn:aws:states:us-east-1:123456789012:activity:a');
    expect(errors(one({ ...activity, Credentials: { RoleArn: 'r' } }))).toEqual([
      "SCHEMA_VALIDATION_FAILED: The field 'Credentials' is not supported for activities at /States/S/Credentials",
    ]);
  });
});

describe('distributed Map', () => {
  const at = '/States/S/ItemProcessor/ProcessorConfig';
  it.each([
    [
      'no execution type',
      { Mode: 'DISTRIBUTED' },
      `These fields are required: [ExecutionType] at ${at}`,
    ],
    [
      'an unknown execution type',
      { Mode: 'DISTRIBUTED', ExecutionType: 'FAST' },
      `Value should be one of the following: [STANDARD, EXPRESS] at ${at}/ExecutionType`,
    ],
    [
      'an execution type inline',
      { Mode: 'INLINE', ExecutionType: 'STANDARD' },
      `Field 'ExecutionType' is not supported at ${at}`,
    ],
  ])('%s', (_, config, error) => {
    const processor = { ...inline, ProcessorConfig: config };
    expect(errors(one({ Type: 'Map', ItemProcessor: processor }))).toEqual([
      `SCHEMA_VALIDATION_FAILED: ${error}`,
    ]);
  });

  const READER = {
    Resource: 'arn:aws:states:::s3:getObject',
    Parameters: { Bucket: 'b', Key: 'k' },
  };
  it.each([
    [
      'an unknown reader',
      { ...READER, Resource: 'arn:aws:states:::s3:putObject' },
      "The field 'Resource' does not match any of the allowed values at /States/S/ItemReader/Resource",
    ],
    [
      'an unknown input',
      { ...READER, ReaderConfig: { InputType: 'XML' } },
      'Value should be one of the following: [CSV, JSON, JSONL, PARQUET, MANIFEST] at /States/S/ItemReader/ReaderConfig/InputType',
    ],
    [
      'CSV without a header location',
      { ...READER, ReaderConfig: { InputType: 'CSV' } },
      "The field 'CSVHeaderLocation' is required at /States/S/ItemReader/ReaderConfig",
    ],
    [
      'given headers that are not given',
      { ...READER, ReaderConfig: { InputType: 'CSV', CSVHeaderLocation: 'GIVEN' } },
      'These fields are required: [CSVHeaders] at /States/S/ItemReader/ReaderConfig',
    ],
    [
      'a header for JSON',
      { ...READER, ReaderConfig: { InputType: 'JSON', CSVHeaderLocation: 'FIRST_ROW' } },
      "Field 'CSVHeaderLocation' is not supported at /States/S/ItemReader/ReaderConfig",
    ],
    [
      'a limit twice',
      { ...READER, ReaderConfig: { InputType: 'JSON', MaxItems: 1, MaxItemsPath: '$.n' } },
      'There should only be one of the following fields: [MaxItems, MaxItemsPath] at /States/S/ItemReader/ReaderConfig',
    ],
    [
      'too many items',
      { ...READER, ReaderConfig: { InputType: 'JSON', MaxItems: 100_000_001 } },
      'Maximum value is 100000000 at /States/S/ItemReader/ReaderConfig/MaxItems',
    ],
  ])('%s', (_, ItemReader, error) => {
    expect(errors(one({ Type: 'Map', ItemProcessor: distributed, ItemReader }))).toEqual([
      `SCHEMA_VALIDATION_FAILED: ${error}`,
    ]);
  });

  it('labels are unique', () => {
    const labelled = { Type: 'Map', ItemProcessor: distributed, Label: 'L' };
    const second = {
      ...labelled,
      ItemProcessor: { ...distributed, StartAt: 'Q', States: { Q: { Type: 'Pass', End: true } } },
      End: true,
    };
    expect(errors(machine({ A: { ...labelled, Next: 'B' }, B: second }))).toEqual([
      'DUPLICATE_LABEL_NAME: Duplicate label: L at /States/B/Label',
    ]);
  });
});

describe('variables', () => {
  it.each([
    ['states', "RESERVED_VARIABLE_NAME: Cannot assign to reserved variable '$states'."],
    [
      'a-b',
      "INVALID_VARIABLE_NAME: Invalid variable name 'a-b': the variable name contains invalid characters.",
    ],
    [
      'x.y',
      "INVALID_VARIABLE_NAME: Invalid variable name 'x.y': the variable name contains invalid characters.",
    ],
  ])('%s cannot be assigned', (name, error) => {
    expect(errors(one({ Type: 'Pass', Assign: { [name]: 1 } }))).toEqual([
      `${error} at /States/S/Assign/${name}`,
    ]);
  });

  it('an inner scope may not redefine an outer name, but the items of a Map Run may', () => {
    const assigning = { Type: 'Pass', Assign: { x: 1 }, End: true };
    const nested = (processor: object) =>
      one({
        Type: 'Map',
        Assign: { x: 1 },
        ItemProcessor: { ...processor, StartAt: 'P', States: { P: assigning } },
      });
    expect(errors(nested({}))).toEqual([
      "DUPLICATE_VARIABLE_NAME: The variable name 'x' was already defined in a parent scope. at /States/S/ItemProcessor/States/P/Assign/x",
    ]);
    expect(errors(nested({ ProcessorConfig: distributed.ProcessorConfig }))).toEqual([]);
  });
});

describe('text that is no definition', () => {
  it.each(['', ' ', '\n', '[]', '"x"', 'null', '1'])('%j', (text) => {
    expect(errors(text)).toEqual([
      'SCHEMA_VALIDATION_FAILED: Definition must be a valid JSON object at null',
    ]);
  });

  it('a key that stands twice is refused, as the console does', () => {
    expect(errors('{"StartAt":"A","StartAt":"B"}')[0]).toMatch(
      /^INVALID_JSON_DESCRIPTION: Duplicate field 'StartAt'\n at/,
    );
  });
});
