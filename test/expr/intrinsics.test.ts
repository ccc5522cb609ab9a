import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileIntrinsic } from '../../src/expr/intrinsics.js';
import { javaNumber, javaRandom } from '../../src/expr/java.js';
import { ExpressionSyntaxError, StatesError } from '../../src/expr/scope.js';
import type { Json } from '../../src/lib/json.js';
import { json, scopeOf } from './support.js';

const run = (text: string, input: Json = {}) => compileIntrinsic(text).evaluate(scopeOf(input));

describe('each function', () => {
  it.each<[string, Json, Json]>([
    ["States.Format('a {} b {}', $.x, 1)", { x: 'X' }, 'a X b 1'],
    ["States.Format('{}', $.x)", { x: null }, 'null'],
    [
      "States.Format('{}', $.x)",
      { x: { Arg1: 1, Arg2: [], b: { c: 'd' } } },
      '{Arg1=1, Arg2=[], b={c=d}}',
    ],
    ["States.Format('{}', $.x)", { x: [1, 'a', null, true] }, '[1, a, null, true]'],
    ["States.Format('{}|{}|{}', 1.5, -1, 9007199254740991)", {}, '1.5|-1|9007199254740991'],
    ["States.Format('\\{{}\\} \\\\ it\\'s', 1)", {}, "{1} \\ it's"],
    ['States.Format($.t, 1)', { t: 'n={}' }, 'n=1'],
    ["States.Format('no placeholders')", {}, 'no placeholders'],
    ['States.StringToJson($.s)', { s: '' }, null],
    ['States.StringToJson($.s)', { s: ' ' }, null],
    ['States.StringToJson($.s)', { s: '-0' }, 0],
    ['States.StringToJson($.s)', { s: ' {"a":1} ' }, { a: 1 }],
    ['States.JsonToString($)', { a: [1, 'x'] }, '{"a":[1,"x"]}'],
    ['States.JsonToString($.s)', { s: 'HelloWorld' }, '"HelloWorld"'],
    ['States.Array()', {}, []],
    ["States.Array('a', 1, null, true, $.x)", { x: { y: 1 } }, ['a', 1, null, true, { y: 1 }]],
    ['States.ArrayPartition($.a, 2)', { a: [1, 2, 3] }, [[1, 2], [3]]],
    ['States.ArrayPartition($.a, 2.6)', { a: [1, 2, 3] }, [[1, 2], [3]]],
    ['States.ArrayPartition($.a, 3)', { a: [] }, []],
    ['States.ArrayContains($.a, $.v)', { a: [[1], { b: 2 }], v: { b: 2 } }, true],
    ["States.ArrayContains($.a, '1')", { a: [1] }, false],
    ['States.ArrayRange(1, 9, 2)', {}, [1, 3, 5, 7, 9]],
    ['States.ArrayRange(1, 9, 9)', {}, [1]],
    ['States.ArrayRange(5, 1, -2)', {}, [5, 3, 1]],
    ['States.ArrayRange(5, 1, 1)', {}, []],
    ['States.ArrayRange(1.6, 1.4, 1)', {}, [1]],
    ['States.ArrayRange(5.4, -0.6, -2.4)', {}, [5, 3, 1]],
    ['States.ArrayGetItem($.a, 1)', { a: [1, null] }, null],
    ['States.ArrayGetItem($.a, 1.2)', { a: [10, 20] }, 20],
    ['States.ArrayGetItem($.a, 999)', { a: [] }, null],
    ['States.ArrayLength($.a)', { a: [1, [2]] }, 2],
    ['States.ArrayUnique($.a)', { a: [1, 2, 3, 3, 3, 4] }, [1, 2, 3, 4]],
    ['States.ArrayUnique($.a)', { a: [true, false, true] }, [false, true]],
    ['States.ArrayUnique($.a)', { a: [null, null, 1, null] }, [null, 1]],
    [
      'States.ArrayUnique($.a)',
      {
        a: [
          [1, 2],
          [1, 2],
          [2, 1],
        ],
      },
      [
        [2, 1],
        [1, 2],
      ],
    ],
    ['States.ArrayUnique($.a)', { a: [1, '1', '01'] }, [1, '1', '01']],
    [
      'States.ArrayUnique($.a)',
      {
        a: [
          { a: 1, b: 2 },
          { b: 2, a: 1 },
        ],
      },
      [{ a: 1, b: 2 }],
    ],
    ["States.Base64Encode('Data to encode')", {}, 'RGF0YSB0byBlbmNvZGU='],
    ["States.Base64Encode('')", {}, ''],
    ["States.Base64Decode('4pyT')", {}, '✓'],
    ["States.Base64Decode('abc')", {}, 'i�'],
    ["States.Base64Decode(' YWJjZA== ')", {}, 'abcd'],
    ["States.Hash('input data', 'SHA-1')", {}, 'aaff4a450a104cd177d28d18d74485e8cae074b7'],
    ["States.Hash('hello', 'MD5')", {}, '5d41402abc4b2a76b9719d911017c592'],
    [
      'States.JsonMerge($.a, $.b, false)',
      { a: { x: { y: 1 }, k: 1 }, b: { x: { z: 2 } } },
      { x: { z: 2 }, k: 1 },
    ],
    ['States.MathAdd(1.5, 0)', {}, 2],
    ['States.MathAdd(-1.5, 0)', {}, -1],
    ['States.MathAdd(-1.51, 0)', {}, -2],
    ['States.MathAdd(2147483646, 1)', {}, 2147483647],
    [
      "States.StringSplit('This.is+a,test=string', '.+,=')",
      {},
      ['This', 'is', 'a', 'test', 'string'],
    ],
    ["States.StringSplit(',,,,', ',')", {}, []],
    ["States.StringSplit(' , ', ',')", {}, [' ', ' ']],
    ["States.StringSplit('😁', '😀')", {}, ['😁']],
    ['States.UUID()', {}, '00000000-0000-4000-8000-000000000000'],
    ["States.ArrayGetItem( States.StringSplit($.k , '/'),0)", { k: 'a/b' }, 'a'],
  ])('%s of %j is %j', (text, input, expected) => {
    expect(run(text, input)).toEqual(expected);
  });

  it.each<[string, Json, string]>([
    [
      "States.Format('{} {}', 1)",
      {},
      'Invalid arguments in States.Format: number of arguments do not match the occurrences of {}.',
    ],
    [
      "States.Format('{', 1)",
      {},
      "Invalid template in States.Format: matching '}' not found for '{'.",
    ],
    [
      "States.Format('}')",
      {},
      "Invalid template in States.Format: matching '}' not found for '{'.",
    ],
    ['States.Format($.t)', { t: 1 }, 'Invalid arguments in States.Format'],
    ['States.StringToJson($.s)', { s: '{bad' }, 'Invalid arguments in States.StringToJson'],
    ['States.StringToJson($.s)', { s: 1 }, 'Invalid arguments in States.StringToJson'],
    ['States.ArrayPartition($.a, 0.6)', { a: [1] }, 'Invalid arguments in States.ArrayPartition'],
    ['States.ArrayRange(1, 1001, 1)', {}, 'Invalid arguments in States.ArrayRange'],
    ['States.ArrayRange(1, 10, 0.49)', {}, 'Invalid arguments in States.ArrayRange'],
    ['States.ArrayRange(1, 1e308, 1)', {}, 'Invalid arguments in States.ArrayRange'],
    ['States.ArrayGetItem($.a, 1)', { a: [1] }, 'Invalid arguments in States.ArrayGetItem'],
    ['States.ArrayGetItem($.a, -1)', { a: [1] }, 'Invalid arguments in States.ArrayGetItem'],
    ["States.ArrayLength('x')", {}, 'Invalid arguments in States.ArrayLength'],
    ["States.Hash('x', 'SHA256')", {}, 'Invalid arguments in States.Hash'],
    [
      'States.Base64Encode($.s)',
      { s: 'a'.repeat(10_001) },
      'Invalid arguments in States.Base64Encode',
    ],
    ['States.JsonMerge($.a, $.a, true)', { a: {} }, 'Invalid arguments in States.JsonMerge'],
    ['States.MathAdd(2147483647, 1)', {}, 'Invalid arguments in States.MathAdd'],
    ["States.MathAdd('1', 1)", {}, 'Invalid arguments in States.MathAdd'],
    ['States.MathRandom(1, 1)', {}, 'Invalid arguments in States.MathRandom'],
    ['States.MathRandom(1.4, 1.6)', {}, 'Invalid arguments in States.MathRandom'],
    ['States.StringSplit(1, 2)', {}, 'Invalid arguments in States.StringSplit'],
    [
      "States.Format('{}', States.Format('{}', $.nope))",
      { other: 1 },
      `The JsonPath argument for the field '$.nope' could not be found in the input '{"other":1}'`,
    ],
    [
      "States.Format('{}', $.items[5])",
      { items: [1, 2] },
      `The JsonPath argument for the field '$.items[5]' could not be found in the input '{"items":[1,2]}'`,
    ],
    [
      "States.Format('{}', $$.Nope.Deep)",
      { other: 1 },
      `The JsonPath argument for the field '$.Nope.Deep' could not be found in the input '{"other":1}'`,
    ],
  ])('%s of %j fails: %s', (text, input, reason) => {
    expect(() => run(text, input)).toThrow(
      new StatesError(
        'States.Runtime',
        `The function '${text}' had the following error: ${reason}`,
      ),
    );
  });

  it('a wildcard that finds nothing is an empty array, not a missing argument', () => {
    expect(run('States.ArrayLength($.items[*].nope)', { items: [1, 2] })).toBe(0);
  });

  it('reads variables', () => {
    const intrinsic = compileIntrinsic('States.MathAdd($x, States.MathAdd($y.z, $x))');
    expect(intrinsic.evaluate(scopeOf(null, {}, { x: 1, y: { z: 2 } }))).toBe(4);
    expect(intrinsic.variables).toEqual(['x', 'y', 'x']);
  });

  it('seeded random numbers are those of java.util.Random', () => {
    expect(javaRandom(42).nextDouble()).toBe(0.7275636800328681);
    const random = javaRandom(42);
    expect([1, 2, 3].map(() => random.nextInt(10))).toEqual([0, 3, 8]);
    expect(javaRandom(0).nextDouble()).toBe(0.730967787376657);
    expect([10, 100, 1 << 20].map((bound) => javaRandom(42).nextInt(bound))).toEqual([
      0, 30, 762905,
    ]);
    expect(run('States.MathRandom(1, 100, 42)')).toBe(run('States.MathRandom(1, 100, 42)'));
    expect(run('States.MathRandom(12.5, 44.51)')).toBe(28);
  });

  it('numbers print as Java prints them', () => {
    expect([0.1, 1e7, 1.5e-7, 1e21, -0, 123456.789].map(javaNumber)).toEqual([
      '0.1',
      '10000000',
      '1.5E-7',
      '1.0E21',
      '0',
      '123456.789',
    ]);
  });
});

describe('text', () => {
  it.each([
    '',
    'States',
    'States.Foo()',
    'States.Array',
    'States.Array(',
    'States.Array(1',
    'States.Array(1,)',
    'States.Array(,1)',
    'States.Array(1) x',
    'ConditionTrue',
    'States.UUID(1)',
    'States.MathAdd(1)',
    "States.Format('a)",
    "States.Format('a\\n')",
    "States.Format('a\\\"')",
    'States.Array(x)',
    'States.Array($.a[)',
    'States.constructor()',
    'States.__proto__()',
    'States.Array(NaN)',
    `${'States.Array('.repeat(200)}${')'.repeat(200)}`,
  ])('%j is not an intrinsic call', (text) => {
    expect(() => compileIntrinsic(text)).toThrow(ExpressionSyntaxError);
  });

  it('any text is a call or a syntax error', () => {
    const soup = fc.string({
      unit: fc.constantFrom(...`States.ArrayFormt()',$[]"\\ 01{}`),
      maxLength: 40,
    });
    fc.assert(
      fc.property(
        fc.oneof(
          soup,
          soup.map((text) => `States.Format(${text})`),
        ),
        (text) => {
          try {
            run(text, { a: 1 });
          } catch (error) {
            expect([ExpressionSyntaxError, StatesError]).toContain((error as Error).constructor);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('strings survive Format, Array and StringSplit whatever is in them', () => {
    const escaped = (text: string) => text.replace(/['{}\\]/g, '\\$&');
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(run(`States.Format('${escaped(text)}')`)).toBe(text);
        expect(run(`States.Array('${escaped(text)}')`)).toEqual([text]);
      }),
    );
  });
});

describe('hostile values', () => {
  it('data nested too deeply is a failed function', () => {
    const deep = json(`${'['.repeat(20_000)}${']'.repeat(20_000)}`);
    for (const text of [
      'States.JsonToString($)',
      "States.Format('{}', $)",
      'States.ArrayUnique($)',
    ]) {
      expect(() => run(text, deep)).toThrow(StatesError);
    }
  });

  it('__proto__ is an ordinary key to merge', () => {
    const input = json('{"a":{"__proto__":{"x":1}},"b":{"y":2}}');
    expect(JSON.stringify(run('States.JsonMerge($.a, $.b, false)', input))).toBe(
      '{"__proto__":{"x":1},"y":2}',
    );
  });

  it('lone surrogates pass through', () => {
    expect(run("States.StringSplit($.s, ',')", { s: '\ud800,\udc00' })).toEqual([
      '\ud800',
      '\udc00',
    ]);
    expect(run("States.Hash($.s, 'MD5')", { s: '\ud800' })).toMatch(/^[0-9a-f]{32}$/);
  });
});
