import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  invalidDefinitionMessage,
  validateDefinition,
  validateParsed,
  validateState,
} from '../../../src/core/validate.js';
import type { Json } from '../../../src/lib/json.js';
import { EXPRESS, LAMBDA, LENIENT, one, STRICT, shared } from './support.js';

/** Whatever it is given, the validator answers soon and in order; it never throws. */
function judge(text: string): void {
  for (const options of [STRICT, LENIENT, EXPRESS]) {
    const { definition, diagnostics, truncated } = validateDefinition(text, { ...options, now: 0 });
    const errors = diagnostics.filter((found) => found.severity === 'ERROR');
    expect(definition === null).toBe(errors.length > 0);
    expect(diagnostics.length).toBeLessThanOrEqual(100);
    if (truncated) expect(diagnostics.length).toBe(100);
    invalidDefinitionMessage(diagnostics);
  }
  validateState(text, STRICT);
}

const RICH = {
  Comment: 'one of everything',
  StartAt: 'T',
  States: {
    T: {
      Type: 'Task',
      Resource: LAMBDA,
      Parameters: { 'a.$': '$.a', b: [{ 'c.$': "States.Format('{}', $.b)" }] },
      Assign: { 'x.$': '$.x' },
      Retry: [{ ErrorEquals: ['E'], IntervalSeconds: 1, MaxDelaySeconds: 9, BackoffRate: 2 }],
      Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: '$.e', Next: 'F' }],
      TimeoutSeconds: 60,
      HeartbeatSeconds: 5,
      Next: 'C',
    },
    C: {
      Type: 'Choice',
      Choices: [
        {
          And: [
            { Variable: '$.a', IsPresent: true },
            { Not: { Variable: '$x', TimestampEquals: '2016-03-14T01:59:00Z' } },
          ],
          Next: 'P',
        },
      ],
      Default: 'M',
    },
    P: {
      Type: 'Parallel',
      Branches: [{ StartAt: 'W', States: { W: { Type: 'Wait', SecondsPath: '$.s', End: true } } }],
      Next: 'M',
    },
    M: {
      Type: 'Map',
      ItemReader: {
        Resource: 'arn:aws:states:::s3:getObject',
        ReaderConfig: { InputType: 'JSON', MaxItems: 5 },
        Parameters: { Bucket: 'b', 'Key.$': '$.k' },
      },
      ItemProcessor: {
        ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'EXPRESS' },
        StartAt: 'J',
        States: {
          J: { Type: 'Pass', QueryLanguage: 'JSONata', Output: '{% $states.input.a %}', End: true },
        },
      },
      ItemBatcher: { MaxItemsPerBatch: 5, BatchInput: { 'a.$': '$.a' } },
      Label: 'L',
      Next: 'S',
    },
    S: { Type: 'Succeed' },
    F: { Type: 'Fail', ErrorPath: '$.e.Error', Cause: 'why' },
  },
};

const VALUES: fc.Arbitrary<unknown> = fc
  .oneof(
    fc.json().map((text) => JSON.parse(text)),
    fc.constantFrom(
      null,
      -1,
      1e308,
      -0,
      '',
      '$',
      '$$',
      '$.a[*]',
      '{% $ %}',
      '{% 1 + %}',
      '{%%}',
      'States.Format(',
      '${x}',
      'arn:aws:states:::x:y.sync',
      '\ud800',
      { __proto__: null, toString: 1 },
      { 'a.$': '{% 1 %}' },
      ['States.ALL'],
      'T',
    ),
    fc.constantFrom(...Object.values(RICH.States)),
  )
  .map((value) => structuredClone(value));

interface Slot {
  readonly holder: Record<string, unknown>;
  readonly key: string;
}

function slots(value: unknown, found: Slot[] = []): Slot[] {
  if (typeof value !== 'object' || value === null) return found;
  for (const key of Object.keys(value)) {
    found.push({ holder: value as Record<string, unknown>, key });
    slots((value as Record<string, unknown>)[key], found);
  }
  return found;
}

/** Some members of the machine replaced, removed, renamed or added. */
const mutated = fc
  .array(fc.tuple(fc.nat(), fc.nat(3), VALUES, fc.string({ maxLength: 8 })), {
    minLength: 1,
    maxLength: 4,
  })
  .map((changes) => {
    const copy = structuredClone(RICH) as unknown;
    for (const [at, kind, value, name] of changes) {
      const all = slots(copy);
      const slot = all[at % all.length];
      // Everything has been removed.
      if (slot === undefined) break;
      const { holder, key } = slot;
      if (kind === 0) holder[key] = value;
      else if (kind === 1) delete holder[key];
      else if (kind === 2 && !Array.isArray(holder)) holder[name] = holder[key];
      else if (!Array.isArray(holder)) holder[name] = value;
    }
    return copy;
  });

describe('hostile definitions', () => {
  it('the machine that is mutated here is valid', () => {
    const { diagnostics } = validateDefinition(JSON.stringify(RICH), STRICT);
    expect(diagnostics.filter((found) => found.severity === 'ERROR')).toEqual([]);
  });

  it('random changes of a valid machine never throw', () => {
    fc.assert(
      fc.property(mutated, (value) => {
        judge(JSON.stringify(value));
        validateParsed(value as Json, STRICT);
      }),
      { numRuns: 800 },
    );
  });

  it('random cuts of its text never throw', () => {
    const text = JSON.stringify(RICH);
    fc.assert(
      fc.property(
        fc.nat(text.length),
        fc.nat(20),
        fc.string({ maxLength: 4 }),
        (at, cut, added) => {
          judge(text.slice(0, at) + added + text.slice(at + cut));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('random changes of real machines never throw', () => {
    const samples = JSON.parse(shared('definitions/aws-samples.json') ?? '[]') as {
      definition: unknown;
    }[];
    if (samples.length === 0) return;
    fc.assert(
      fc.property(fc.nat(samples.length - 1), fc.nat(), VALUES, (which, at, value) => {
        const copy = structuredClone(samples[which]?.definition);
        const all = slots(copy);
        const { holder, key } = all[at % all.length] as Slot;
        holder[key] = value;
        judge(JSON.stringify(copy));
      }),
      { numRuns: 300 },
    );
  });

  const MIB = 1_048_576;
  const ROOM = MIB - 200;
  const fill = (unit: string, head: string, tail: string) => {
    const count = Math.floor((ROOM - head.length - tail.length) / unit.length);
    return head + unit.repeat(count) + tail;
  };
  const nest = (open: string, inner: string, close: string, depth: number) =>
    open.repeat(depth) + inner + close.repeat(depth);
  const wrap = (field: string, json: string) =>
    `{"QueryLanguage":"JSONata","StartAt":"S","States":{"S":{"Type":"Pass","End":true,"${field}":${json}}}}`;
  const parallel = '{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[';
  const rules = '{"StartAt":"C","States":{"C":{"Type":"Choice","Choices":[';

  it.each([
    ['a bomb of arrays', '['.repeat(MIB)],
    ['a bomb of objects', '{"a":'.repeat(200_000)],
    ['nested branches', nest(parallel, '1', ']}}}', 240)],
    ['nested rules', `${rules}${nest('{"And":[', '1', ']}', 490)}]}}}`],
    ['nested templates', wrap('Output', nest('[', '"{% $$ %}"', ']', 990))],
    ['many unknown fields', `{${Array.from({ length: 60_000 }, (_, i) => `"f${i}":1`).join(',')}}`],
    [
      'many states that lead nowhere',
      `{"StartAt":"s0","States":{${Array.from({ length: 15_000 }, (_, i) => `"s${i}":{"Type":"Pass","Next":"n${i}"}`).join(',')}}}`,
    ],
    [
      'many states in a row',
      `{"StartAt":"s0","States":{${Array.from({ length: 15_000 }, (_, i) => `"s${i}":{"Type":"Pass","Next":"s${i + 1}"}`).join(',')},"s15000":{"Type":"Succeed"}}}`,
    ],
    [
      'many bad retriers',
      one({
        Type: 'Task',
        Resource: LAMBDA,
        Retry: Array.from({ length: 50_000 }, () => ({ x: 1 })),
      }),
    ],
    [
      'many catch-alls',
      one({
        Type: 'Task',
        Resource: LAMBDA,
        Catch: Array.from({ length: 15_000 }, () => ({ ErrorEquals: ['States.ALL'], Next: 'S' })),
      }),
    ],
    ['many bad expressions', wrap('Output', fill('"{% $$ %}",', '[', '1]'))],
    [
      'many deep bad expressions',
      wrap('Output', nest('[', `${'"{% $$ %}",'.repeat(80_000)}1`, ']', 900)),
    ],
    [
      'many bad paths',
      one({
        Type: 'Pass',
        Parameters: Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`${i}.$`, 'x'])),
      }),
    ],
    [
      'many expressions',
      wrap('Output', `[${Array.from({ length: 60_000 }, (_, i) => `"{%${i}%}"`).join(',')}]`),
    ],
    ['a long expression', wrap('Output', JSON.stringify(`{% ${'1+'.repeat(400_000)}1 %}`))],
    ['a nested expression', wrap('Output', JSON.stringify(`{% ${'('.repeat(500_000)} %}`))],
    ['a long path', one({ Type: 'Pass', InputPath: `$${'.a'.repeat(400_000)}` })],
    ['a path of brackets', one({ Type: 'Pass', InputPath: `$${'['.repeat(400_000)}` })],
    ['a path of filters', one({ Type: 'Pass', InputPath: `$${'[?(@.a'.repeat(100_000)}` })],
    [
      'a long call',
      one({ Type: 'Pass', Parameters: { 'a.$': `States.Array(${'1,'.repeat(400_000)}1)` } }),
    ],
    ['nested calls', one({ Type: 'Pass', Parameters: { 'a.$': 'States.Array('.repeat(60_000) } })],
    ['a long resource', one({ Type: 'Task', Resource: `arn:${':'.repeat(900_000)}` })],
    ['a long local name', one({ Type: 'Task', Resource: `a${':a'.repeat(400_000)} ` })],
    ['open substitutions', one({ Type: 'Task', Resource: '${'.repeat(400_000) })],
    ['a long string', JSON.stringify('x'.repeat(MIB - 2))],
    ['a long number', `{"StartAt":${'9'.repeat(500_000)}}`],
    ['too much text', ' '.repeat(MIB) + one({ Type: 'Pass' })],
  ])('%s: an answer within seconds', (_, text) => {
    const start = performance.now();
    judge(text);
    expect(performance.now() - start).toBeLessThan(60_000);
  });

  it('a value nested deeper than any text is refused, not followed', () => {
    let value: Json = {};
    for (let i = 0; i < 100_000; i++) value = { a: value };
    expect(validateParsed(value, STRICT)[0]?.code).toBe('TOO_DEEPLY_NESTED');
  });

  it('__proto__, constructor and lone surrogates are names like any other', () => {
    const text =
      '{"StartAt":"__proto__","States":{"__proto__":{"Type":"Pass","Next":"constructor"},' +
      '"constructor":{"Type":"Pass","Parameters":{"__proto__":{"a.$":"$.a"}},"Next":"\\ud800"},"\\ud800":{"Type":"Succeed"}}}';
    const { definition, diagnostics } = validateDefinition(text, STRICT);
    expect(diagnostics).toEqual([]);
    expect(Object.keys((definition?.States ?? {}) as object)).toEqual([
      '__proto__',
      'constructor',
      '\ud800',
    ]);
    expect(
      validateDefinition('{"__proto__":{"States":{},"StartAt":"a"}}', STRICT).definition,
    ).toBeNull();
  });
});
