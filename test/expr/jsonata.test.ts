import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compileJsonata,
  compileJsonataTemplate,
  evaluateJsonata,
  expectType,
  isExpression,
} from '../../src/expr/jsonata.js';
import { ExpressionSyntaxError, StatesError } from '../../src/expr/scope.js';
import { parseStrictJson } from '../../src/expr/strict-json.js';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { chance, json } from './support.js';

const run = async (text: string, input: Json = {}, variables: JsonObject = {}): Promise<Json> =>
  evaluateJsonata(
    compileJsonata(text),
    { ...variables, states: { input, context: {} } },
    'F',
    chance,
  );

const failureOf = async (text: string): Promise<string> => {
  const error = await run(text).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(StatesError);
  const { error: name, cause, location } = error as StatesError;
  expect([name, location]).toEqual(['States.QueryEvaluationError', 'F']);
  const prefix = `The JSONata expression '${text}' specified for the field 'F'`;
  expect(cause.startsWith(prefix)).toBe(true);
  return cause.slice(prefix.length);
};

describe('values', () => {
  it.each<[string, Json]>([
    ['1 + 1', 2],
    ['$states.input', { a: [1, 2, 3] }],
    ['$states.input.a[1]', 2],
    ['$sum($states.input.a) + $v', 16],
    ["{ 'k': $missing, 'n': null }", { n: null }],
    ['[1..3].($ * 2)', [2, 4, 6]],
    ['$partition([1,2,3,4,5], 2)', [[1, 2], [3, 4], [5]]],
    ['$partition([0], 5)', [[0]]],
    ['$partition([1,2,3], 2.9)', [[1, 2], [3]]],
    ['$partition([1,2,3])', [[1, 2, 3]]],
    ['$range(0, 10, 2)', [0, 2, 4, 6, 8, 10]],
    ['$range(1, 9, 9)', 1],
    ['$range(-1.7, 2, 1)', [-1, 0, 1, 2]],
    ['$range(5, 1, -1.5)', [5, 4, 3, 2, 1]],
    ["$hash('input', 'SHA-1')", '140f86aae51ab9e1cda9b4254fe98a74eb54c1a1'],
    ['$random(42)', 0.7275636800328681],
    ['$random(0.9)', 0.730967787376657],
    ['$random()', 0.5],
    ['$uuid()', '00000000-0000-4000-8000-000000000000'],
    ['$parse(\'{"b":1,"a":[2]}\')', { b: 1, a: [2] }],
    ["$parse('-0')", 0],
    ['$map([\'{"a":1}\',\'{"a":2}\'], $parse).a', [1, 2]],
    ['1/0', 'Infinity'],
    ['[-1/0, 0/0]', ['-Infinity', 'NaN']],
    ["$parseInteger('abc', '0')", 'NaN'],
    ['$contains("hello$world", /^hello\\$/)', true],
    ['$match("aaa", /^a/).index', 0],
    ['$split("a1b2", /\\d/)', ['a', 'b', '']],
    ['$replace("John Smith", /(\\w+)\\s(\\w+)/, "$2, $1")', 'Smith, John'],
    ["$pad('x', -4, '#')", '###x'],
    ["$pad('foo', 5, '-')", 'foo--'],
    ['$base64decode("SGk=")', 'Hi'],
    ['$string(1e21)', '1e+21'],
    ['$sort($shuffle([3,1,2]))', [1, 2, 3]],
    ['$variable := 1', 1],
    ['$states.input.a[]', [1, 2, 3]],
  ])('%s is %j', async (text, expected) => {
    expect(await run(text, { a: [1, 2, 3] }, { v: 10 })).toEqual(expected);
  });

  it('the clock can be given', async () => {
    const clocked = { ...chance, now: 0 };
    const expression = compileJsonata('[$now(), $millis(), $now("[Y]")]');
    const value = await evaluateJsonata(expression, { states: {} }, 'F', clocked);
    expect(value).toEqual(['1970-01-01T00:00:00.000Z', 0, '1970']);
  });

  it('results carry no marks of jsonata and inputs get none', async () => {
    const input = json('{"a":[[1]],"b":[1]}');
    const value = await run('$states.input.{"x": b[], "y": a}', input);
    expect(Object.getOwnPropertyNames((value as { x: object }).x)).toEqual(['0', 'length']);
    expect(Object.getOwnPropertyNames((input as { b: object }).b)).toEqual(['0', 'length']);
    expect(JSON.stringify(input)).toBe('{"a":[[1]],"b":[1]}');
  });
});

describe('failures', () => {
  it.each([
    ['$doesNotExist', ' returned nothing (undefined).'],
    ['$states.input.no', ' returned nothing (undefined).'],
    ['$partition([], 2)', ' returned nothing (undefined).'],
    ['$partition([1], 0)', ' returned nothing (undefined).'],
    ['$range(5, 1, 1)', ' returned nothing (undefined).'],
    ['$range(1, 5, 0)', ' returned nothing (undefined).'],
    ['$range(1, 5)', ' returned nothing (undefined).'],
    ["$hash('a')", ' returned nothing (undefined).'],
    ['$parse()', ' returned nothing (undefined).'],
    ['$fn := function($x){$x}', ' returned an unsupported result type.'],
    ['$sum', ' returned an unsupported result type.'],
    ['{"f": function($x){$x}}', ' returned an unsupported result type.'],
    ['/a/', ' returned an unsupported result type.'],
    ['$nope(1)', ' threw an error during evaluation. T1006: Attempted to invoke a non-function'],
    [
      "$eval('1+1')",
      ' threw an error during evaluation. T1006: Attempted to invoke a non-function',
    ],
    ["$error('boom')", ' threw an error during evaluation. D3137: boom'],
    ["$parse('')", ' threw an error during evaluation. D3137: Invalid JSON'],
    ['$parse(\'{"a":1,"a":2}\')', ' threw an error during evaluation. D3137: Invalid JSON'],
    ["$parse('1e400')", ' threw an error during evaluation. D3137: Invalid JSON'],
    [
      '$partition([1], -1)',
      ' threw an error during evaluation. D3137: Second argument must be zero or greater',
    ],
    [
      "$sum(['a'])",
      ' threw an error during evaluation. T0412: Argument 1 of function "sum" must be an array of "numbers"',
    ],
    [
      '$uuid(1)',
      ' threw an error during evaluation. T0410: Argument 1 of function "uuid" does not match function signature',
    ],
    [
      "$base64decode('!!!')",
      ' threw an internal error during evaluation. 00000000-0000-4000-8000-000000000000',
    ],
  ])('%s%s', async (text, outcome) => {
    expect(await failureOf(text)).toBe(outcome);
  });

  it('an unexpected type is named as recorded', () => {
    const check = (value: Json) => () => expectType(value, 'array', '{% $ItemsVar %}', 'Items');
    expect(check([1])()).toEqual([1]);
    const prefix =
      "The JSONata expression '$ItemsVar' specified for the field 'Items' " +
      "returned an unexpected result type. Expected 'array', but was ";
    expect(check({ foo: 'bar' })).toThrow(`${prefix}'object' for value: {"foo":"bar"}`);
    expect(check(null)).toThrow(`${prefix}'null' for value: null`);
    expect(check(1)).toThrow(`${prefix}'number' for value: 1`);
    expect(expectType(2, 'integer', 'x', 'Seconds')).toBe(2);
    expect(() => expectType(1.5, 'integer', 'x', 'Seconds')).toThrow(StatesError);
  });
});

describe('limits, each at the last thing AWS accepts and the first it refuses', () => {
  const overflow =
    ' threw an error during evaluation. : Stack overflow error: Check for non-terminating ' +
    'recursive function. Consider rewriting as tail-recursive.';
  const memory = ' threw an error during evaluation. : Expression evaluation memory limit exceeded';
  const recursion = (n: number) => `($f := function($x){ $x <= 0 ? 0 : 1 + $f($x-1) }; $f(${n}))`;
  const doubling = (n: number) =>
    `($f := function($s, $n){ $n = 0 ? $s : $f($s & $s, $n - 1) }; $length($f('x', ${n})))`;

  it.each<[string, Json, string, string]>([
    [`1${'+1'.repeat(99)}`, 100, `1${'+1'.repeat(100)}`, overflow],
    [`${'('.repeat(99)}1${')'.repeat(99)}`, 1, `${'('.repeat(100)}1${')'.repeat(100)}`, overflow],
    [`1${'~>$string'.repeat(99)}`, '1', `1${'~>$string'.repeat(100)}`, overflow],
    [recursion(31), 31, recursion(32), overflow],
    ['[1..873782] ~> $count()', 873782, '[1..873783] ~> $count()', memory],
    [doubling(22), 4194304, doubling(23), memory],
  ])('%s', async (accepted, value, refused, outcome) => {
    expect(await run(accepted)).toEqual(value);
    expect(await failureOf(refused)).toBe(outcome);
  });

  it('an endless loop ends', async () => {
    expect(await failureOf('($f := function($x){ $f($x+1) }; $f(1))')).toBe(
      ' threw an error during evaluation. : Expression evaluation timeout: Check for infinite loop',
    );
  });

  it.each(["$pad('', 1000000000)", '$range(1, 1000000000, 1)', '[1..9999999999]'])(
    '%s',
    async (text) => {
      expect(await failureOf(text)).toBe(memory);
    },
  );

  it('patterns that make a backtracking engine explode are harmless', async () => {
    expect(await run(`$contains("${'a'.repeat(5000)}b", /^(a+)+$/)`)).toBe(false);
  });
});

describe('compiling', () => {
  it('an expression is wrapped exactly', () => {
    expect(['{% 1 %}', '{%1%}', '{%%}'].every(isExpression)).toBe(true);
    expect([' {% 1 %} ', '{% 1', '1 %}', '{%}', '', 'x {% 1 %}'].some(isExpression)).toBe(false);
  });

  it.each([
    [
      'phone',
      'UNSUPPORTED_JSONATA_EXPRESSION',
      "Reference to 'phone' at the top level is not supported.",
    ],
    [
      'a.b',
      'UNSUPPORTED_JSONATA_EXPRESSION',
      "Reference to 'a' at the top level is not supported.",
    ],
    [
      '1 + name',
      'UNSUPPORTED_JSONATA_EXPRESSION',
      "Reference to 'name' at the top level is not supported.",
    ],
    ['$', 'UNSUPPORTED_JSONATA_EXPRESSION', "Reference to '$' at the top level is not supported."],
    [
      '$$.x',
      'UNSUPPORTED_JSONATA_EXPRESSION',
      "Reference to '$$' at the top level is not supported.",
    ],
    [
      '$states.input.($$.x)',
      'UNSUPPORTED_JSONATA_EXPRESSION',
      "Reference to '$$' at the top level is not supported.",
    ],
    ['[1, 2', 'INVALID_JSONATA_EXPRESSION', 'Expected "]" before end of expression'],
    ['[1, 2)', 'INVALID_JSONATA_EXPRESSION', 'Expected "]", got ")"'],
    ['1 +', 'INVALID_JSONATA_EXPRESSION', 'Unexpected end of expression'],
    ['', 'INVALID_JSONATA_EXPRESSION', 'Unexpected end of expression'],
    ["'abc", 'INVALID_JSONATA_EXPRESSION', 'String literal must be terminated by a matching quote'],
    ['/abc', 'INVALID_JSONATA_EXPRESSION', 'No terminating / in regular expression'],
    ['}', 'INVALID_JSONATA_EXPRESSION', 'The symbol "}" cannot be used as a unary operator'],
  ])('%j is refused: %s: %s', (text, code, message) => {
    expect(() => compileJsonata(text)).toThrow(new ExpressionSyntaxError(message, code as never));
  });

  it.each([
    '$states.input.name',
    '$states.input[a > 1].b',
    '$states.input.(a + $)',
    '$states.input{a: b}',
    '$states.input^(a)',
    '$map($states.input.x, function($v){ $v.a })',
    '[1,2][$ = 1]',
    '$states.input.items@$i.{"a": $i.b}',
    '$states.input ~> |$|{"a": b}|',
    '{"a": 1}.a',
  ])('%s is accepted: names are fine inside', (text) => {
    expect(() => compileJsonata(text)).not.toThrow();
  });

  it('knows the variables and members of $states it reads', () => {
    const expression = compileJsonata(
      '($a := $b + $c; $map($d, function($v, $i){ $v + $i + $a + $states.result.x }); $states.input)',
    );
    expect(expression.variables).toEqual(['b', 'c', 'd']);
    expect(expression.statesMembers).toEqual(['input', 'result']);
    expect(compileJsonata('$string($states)').statesMembers).toEqual(['*']);
    expect(compileJsonata('$f($x)').variables).toEqual(['f', 'x']);
  });

  it('is cached by its text', () => {
    expect(compileJsonata('{% 1+2 %}')).toBe(compileJsonata('1+2'));
  });

  it('any text compiles or is refused', async () => {
    const soup = fc.string({
      unit: fc.constantFrom(...`$states.input()[]{}'"/+-*&|<>=:;,?@#^~% 1a`),
      maxLength: 20,
    });
    await fc.assert(
      fc.asyncProperty(fc.oneof(soup, fc.string()), async (text) => {
        try {
          await run(text);
        } catch (error) {
          expect([ExpressionSyntaxError, StatesError]).toContain((error as Error).constructor);
        }
      }),
      { numRuns: 1000 },
    );
    expect(() => compileJsonata('['.repeat(100_000))).toThrow(ExpressionSyntaxError);
  });
});

describe('templates', () => {
  it('evaluate expressions in place', async () => {
    const template = compileJsonataTemplate(
      [null, 0, '$no', '$.no', ' {% x %} ', '{% $states.input %}', { key: '{% true %}' }],
      'Output',
    );
    expect(await template.evaluate({ states: { input: { a: 1 } } }, chance)).toEqual([
      null,
      0,
      '$no',
      '$.no',
      ' {% x %} ',
      { a: 1 },
      { key: true },
    ]);
    expect(template.isConstant).toBe(false);
    expect(template.statesMembers).toEqual(['input']);
  });

  it('share constants', async () => {
    const constant = { a: ['{%', 1] };
    const template = compileJsonataTemplate(constant, 'Output');
    expect(template.isConstant).toBe(true);
    expect(await template.evaluate({}, chance)).toBe(constant);
  });

  it.each<[Json, string]>([
    [{ v: '{% $no %}' }, 'Output/v'],
    [{ a: { b: '{% $no %}' } }, 'Output/a/b'],
    ['{% $no %}', 'Output'],
    [{ values: ['{% $no %}', 1] }, 'Output/values[0]'],
    [{ a: { b: [[1, '{% $no %}']] } }, 'Output/a/b[0][1]'],
  ])('%j names the field %s', async (template, field) => {
    const compiled = compileJsonataTemplate(template, 'Output');
    const error = await Promise.resolve(compiled.evaluate({ states: {} }, chance)).catch(
      (thrown: unknown) => thrown,
    );
    expect((error as StatesError).location).toBe(field);
    expect((error as StatesError).cause).toBe(
      `The JSONata expression '$no' specified for the field '${field}' returned nothing (undefined).`,
    );
  });

  it('__proto__ is an ordinary member', async () => {
    const template = compileJsonataTemplate(json('{"__proto__":"{% 1 %}"}'), 'Output');
    expect(JSON.stringify(await template.evaluate({}, chance))).toBe('{"__proto__":1}');
    expect(await run('$states.input.a.__proto__', json('{"a":{"__proto__":7}}'))).toBe(7);
    for (const name of ['constructor', '__proto__', 'toString']) {
      expect(await failureOf(`$states.input.${name}`)).toBe(' returned nothing (undefined).');
      expect(await failureOf(`$lookup($states.input, '${name}')`)).toBe(
        ' returned nothing (undefined).',
      );
      expect(await failureOf(`$${name}`)).toBe(' returned nothing (undefined).');
    }
  });
});

describe('strict JSON', () => {
  it('takes what JSON.parse takes, once', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parseStrictJson(text)).toEqual(JSON.parse(text));
      }),
    );
    expect(parseStrictJson('{"a":{"a":[{"a":1},{"a":"a"}]},"b":"a"}')).toBeDefined();
    expect(parseStrictJson('{"a":1,"\\u0061":2}')).toBeUndefined();
    expect(parseStrictJson('[{"b":1,"c":{},"b":2}]')).toBeUndefined();
  });
});
