/** Arbitrary requests to the API: by the operations' own shapes, spoilt in every way we can think of. */
import fc, { type Arbitrary } from 'fast-check';
import { OPERATIONS, type Operation } from '../../src/wire/operations.js';
import type { Shape } from '../../src/wire/shapes.js';
import { HOSTILE_JSON, KEYS } from '../support/fuzz.js';
import { FAIL, PASS, ROLE } from './harness.js';

export interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
}

const SCOPE = 'us-east-1:123456789012';
const text = JSON.stringify;

/**
 * What the server really has, by stand-ins that are replaced when a request is sent: so a request
 * can be replayed, and the fuzzer can delete what it finds without running out of it.
 */
export const FOUND = [
  '@standard@',
  '@version@',
  '@alias@',
  '@express@',
  '@waiting@',
  '@tasked@',
  '@activity@',
  '@succeeded@',
  '@running@',
  '@asking@',
  '@mapped@',
  '@run@',
];

const ARNS = [
  `arn:aws:states:${SCOPE}:stateMachine:none`,
  `arn:aws:states:${SCOPE}:stateMachine:__proto__`,
  `arn:aws:states:${SCOPE}:stateMachine:none:1`,
  `arn:aws:states:${SCOPE}:stateMachine:none:99999999999999999999`,
  `arn:aws:states:${SCOPE}:stateMachine:none/label`,
  `arn:aws:states:${SCOPE}:execution:none:e`,
  `arn:aws:states:${SCOPE}:express:none:e:u`,
  `arn:aws:states:${SCOPE}:activity:constructor`,
  `arn:aws:states:${SCOPE}:mapRun:none/l:u`,
  'arn:aws:states:::stateMachine:x',
  'arn:aws:states:us-east-1::activity:',
  'arn:',
  ':::::::::::',
  'arn:aws:states:us-east-1:123456789012:stateMachine:\u0000',
];

const NAMES = ['f1', 'f2', 'fuzz', '__proto__', 'constructor', 'a b', 'é', 'x'.repeat(80), ''];

/** For TestState. */
const STATES = [
  '{"Type":"Pass","End":true}',
  '{"Type":"Pass","Parameters":{"a.$":"$.__proto__","b.$":"States.Format(\'{}\', $)"},"End":true}',
  '{"Type":"Pass","QueryLanguage":"JSONata","Output":"{% $states.input.constructor %}","End":true}',
  '{"Type":"Choice","Choices":[{"Variable":"$.a","StringMatches":"**","Next":"A"}],"Default":"B"}',
  '{"Type":"Fail","Error":"e"}',
  '{"Type":"Wait","Seconds":1e9,"End":true}',
  '{"Type":"Map","ItemProcessor":{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}},"End":true}',
];

const DEFINITIONS = [
  PASS,
  ...STATES,
  FAIL,
  '',
  '{}',
  '[]',
  'null',
  '{"StartAt":"__proto__","States":{"__proto__":{"Type":"Succeed"}}}',
  '{"StartAt":"A","States":{"A":{"Type":"constructor"}}}',
  '{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"A"}},"TimeoutSeconds":1e999}',
  '{"StartAt":"A","States":{"A":{"Type":"Succeed","Output":"{% $states.input.** %}"}},"QueryLanguage":"JSONata"}',
  '{"StartAt":"A","States":{"A":{"Type":"Pass","InputPath":"$..[?(@.a=~/(a+)+$/)]","End":true}}}',
  `{"StartAt":"A","States":${'{"A":'.repeat(700)}1${'}'.repeat(701)}`,
  `${'['.repeat(100_000)}`,
];

const PAYLOADS = [
  '{}',
  '1',
  '"x"',
  '[',
  '{"a":1}{',
  ...HOSTILE_JSON.filter((one) => one.length < 4000),
];

/** Values a member would really have, by what its name says. */
function likely(name: string): Arbitrary<string> {
  const pick = (values: readonly string[]) => fc.constantFrom(...values).map((one) => text(one));
  if (/Arn$/.test(name)) {
    return pick([...FOUND, ...FOUND, ...ARNS, ROLE]);
  }
  if (/definition/i.test(name)) return pick(DEFINITIONS);
  if (name === 'taskToken') {
    return pick(['@token@', '@token@', '@token@x', 'x@token@', '@cut@', 'x', '=', 'é']);
  }
  if (name === 'nextToken') return pick(['x', 'AAAA', '='.repeat(20), 'Zm9v'.repeat(10)]);
  if (/name|Name|State$/.test(name)) return pick(NAMES);
  if (/input|output|result|context|variables|Data$/i.test(name)) return pick(PAYLOADS);
  return fc.constantFrom('"x"', '""', '0', '1', 'true');
}

const hostile = fc.constantFrom(...HOSTILE_JSON);
const anyText = fc.oneof(
  hostile,
  hostile,
  fc.jsonValue().map(text),
  fc.string({ unit: 'binary' }).map(text),
);

function anyValue(shape: Shape, name: string, depth = 0): Arbitrary<string> {
  return fc.oneof(
    { weight: 9, arbitrary: fitting(shape, name, depth) },
    { weight: 1, arbitrary: anyText },
  );
}

function fitting(shape: Shape, name: string, depth: number): Arbitrary<string> {
  switch (shape.type) {
    case 'string':
      if (shape.enum !== undefined) return fc.constantFrom(...shape.enum).map((one) => text(one));
      return likely(name);
    case 'boolean':
      return fc.boolean().map(String);
    case 'integer':
    case 'float':
      return fc.oneof(
        fc.constantFrom('0', '1', '100', '1e9'),
        fc.double().map((n) => text(n)),
      );
    case 'list':
      return fc
        .array(anyValue(shape.of, name, depth + 1), { maxLength: 4 })
        .map((items) => `[${items.join(',')}]`);
    case 'structure':
      return membersOf(shape.members, shape.required, depth + 1);
  }
}

type Member = readonly [name: string, json: string];

function membersOf(
  members: { readonly [name: string]: Shape },
  required: readonly string[],

  depth = 0,
): Arbitrary<string> {
  const own = Object.entries(members).map(([name, shape]) =>
    fc
      .option(anyValue(shape, name, depth), {
        nil: null,
        freq: required.includes(name) ? 30 : 1,
      })
      .map((json): Member | null => (json === null ? null : [name, json])),
  );
  const extra = fc.array(fc.tuple(fc.oneof(fc.constantFrom(...KEYS), fc.string()), anyText), {
    maxLength: 2,
  });
  return fc.tuple(fc.tuple(...own), extra).map(([given, more]) => {
    const present = given.filter((member): member is Member => member !== null);
    const all = [...present, ...more].map(([name, json]) => `${text(name)}:${json}`);
    return `{${all.join(',')}}`;
  });
}

const operations = Object.keys(OPERATIONS) as Operation[];

/** A known operation with a well-formed body. */
export const anyCall: Arbitrary<readonly [Operation, string]> = fc
  .constantFrom(...operations)
  .chain((operation) => {
    const { members, required } = OPERATIONS[operation];
    return fc.tuple(fc.constant(operation), membersOf(members, required));
  });

const AWS = { 'content-type': 'application/x-amz-json-1.0' };

const targets = fc.oneof(
  fc.constantFrom(...operations).map((operation) => `AWSStepFunctions.${operation}`),
  fc.constantFrom(
    'AWSStepFunctions.',
    'AWSStepFunctions.__proto__',
    'AWSStepFunctions.constructor',
    'AWSStepFunctions.StartExecution.x',
    'DynamoDB_20120810.ListTables',
    '',
    'x'.repeat(5000),
  ),
);

const headers = fc.oneof(
  { weight: 4, arbitrary: targets.map((target) => ({ ...AWS, 'x-amz-target': target })) },
  fc
    .tuple(
      targets,
      fc.constantFrom(
        'application/json',
        'text/plain',
        'application/x-amz-json-1.0; charset=utf-16',
        'application/x-amz-json-1.0;charset=x',
        'application/x-amz-json-1.1',
        'multipart/form-data; boundary=x',
        ';;;',
      ),
    )
    .map(([target, type]) => ({ 'content-type': type, 'x-amz-target': target })),
  fc
    .tuple(targets, fc.constantFrom('gzip', 'deflate', 'br', 'identity', 'nonsense'))
    .map(([target, encoding]) => ({
      ...AWS,
      'x-amz-target': target,
      'content-encoding': encoding,
    })),
  fc.constant({}),
);

const MIB = 1_048_576;
const bodies: Arbitrary<Buffer> = fc.oneof(
  { weight: 4, arbitrary: anyText.map((json) => Buffer.from(json)) },
  { weight: 4, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 4, arbitrary: fc.tuple(anyText, fc.nat()).map(([json, at]) => cut(json, at)) },
  fc.constantFrom(
    Buffer.from('['.repeat(MIB - 1)),
    Buffer.from('{"a":'.repeat(200_000)),
    Buffer.from(`{"name":"${'x'.repeat(MIB - 100)}"}`),
    Buffer.from(`{"definition":${text('['.repeat(500_000))},"roleArn":"r","name":"n"}`),
    Buffer.alloc(MIB + 1, 'x'),
    Buffer.alloc(3 * MIB, '{'),
    Buffer.alloc(1000),
    Buffer.from('\ufeff{}'),
    Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
    Buffer.from('{}', 'utf16le'),
  ),
);

function cut(json: string, at: number): Buffer {
  const bytes = Buffer.from(`{"name":${json},"input":${json}}`);
  return bytes.subarray(0, at % bytes.length);
}

const segment = fc.oneof(
  fc.constantFrom(
    'f1',
    'fuzz',
    '__proto__',
    'constructor',
    '%00',
    '%ff',
    '%E0%A4%A',
    '..',
    'a%2Fb',
  ),
  fc.constantFrom(...ARNS).map((arn) => encodeURIComponent(arn)),
  fc.string({ unit: 'grapheme', maxLength: 6 }).map((part) => encodeURIComponent(part)),
);
const restPaths = fc
  .tuple(
    fc.constantFrom('state-machines', 'executions', 'map-runs', 'activities', 'nothing'),
    fc.array(
      fc.oneof(segment, fc.constantFrom('executions', 'events', 'history', 'versions', 'stop')),
      { maxLength: 4 },
    ),
    fc.constantFrom('', '?limit=1e9', '?limit=-1', '?token=x', '?limit=5&limit=6', '?%', '?a[b]=c'),
  )
  .map(([noun, rest, query]) => `/v1/${[noun, ...rest].join('/')}${query}`);

/** Requests that are mostly none. */
export const anyRequest: Arbitrary<RawRequest> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      method: fc.constant('POST'),
      path: fc.constantFrom('/', '/', '/?x=1', '//'),
      headers,
      body: bodies,
    }),
  },
  fc.record({
    method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD'),
    path: fc.oneof(restPaths, fc.constantFrom('/', '/openapi.json', '/livez/..', '/endpoints/x')),
    headers: fc.constantFrom<Record<string, string>>(
      {},
      { 'content-type': 'application/json' },
      { 'content-type': 'application/json', 'last-event-id': '-1' },
      AWS,
    ),
    body: fc.option(bodies, { nil: null }),
  }),
);
