import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { COMPARISON_OPERATORS, choiceVariables, compileChoiceRule } from '../../src/expr/choice.js';
import { ExpressionSyntaxError, StatesError } from '../../src/expr/scope.js';
import { compileWildcard } from '../../src/expr/wildcard.js';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { scopeOf } from './support.js';

const test = (rule: JsonObject, input: Json) => compileChoiceRule(rule)(scopeOf(input));
const EARLY = '2020-01-01T00:00:00Z';
const LATE = '2020-01-01T01:00:00.000000001+01:00';

/** Per relation: whether it holds for less, equal, greater. */
const RELATIONS: readonly [string, readonly boolean[]][] = [
  ['Equals', [false, true, false]],
  ['LessThan', [true, false, false]],
  ['GreaterThan', [false, false, true]],
  ['LessThanEquals', [true, true, false]],
  ['GreaterThanEquals', [false, true, true]],
];
const FAMILIES: readonly [string, Json, Json][] = [
  ['String', 'a', 'b'],
  ['Numeric', -1, 0.5],
  ['Timestamp', EARLY, LATE],
];

describe('comparisons', () => {
  it('there are 39 of them', () => {
    expect(COMPARISON_OPERATORS).toHaveLength(39);
  });

  const table = FAMILIES.flatMap(([family, low, high]) =>
    RELATIONS.map(([relation, holds]) => ({ name: family + relation, low, high, holds })),
  );
  it.each(table)('$name and $namePath', ({ name, low, high, holds }) => {
    const pairs: [Json, Json][] = [
      [low, high],
      [low, low],
      [high, low],
    ];
    for (const [i, [left, right]] of pairs.entries()) {
      expect(test({ Variable: '$.l', [name]: right }, { l: left })).toBe(holds[i]);
      expect(test({ Variable: '$.l', [`${name}Path`]: '$.r' }, { l: left, r: right })).toBe(
        holds[i],
      );
    }
    for (const other of [
      null,
      true,
      {},
      [],
      typeof low === 'string' ? 1 : '1',
      'not a timestamp',
    ]) {
      if (name.startsWith('String') && typeof other === 'string') continue;
      expect(test({ Variable: '$.l', [name]: low }, { l: other })).toBe(false);
      expect(test({ Variable: '$.l', [`${name}Path`]: '$.r' }, { l: low, r: other })).toBe(false);
    }
  });

  it.each<[string, Json, boolean]>([
    ['IsNull', null, true],
    ['IsNull', 0, false],
    ['IsNumeric', 1.5, true],
    ['IsNumeric', '1', false],
    ['IsString', '', true],
    ['IsString', null, false],
    ['IsBoolean', false, true],
    ['IsBoolean', 0, false],
    ['IsTimestamp', EARLY, true],
    ['IsTimestamp', '2020-01-01', false],
    ['IsPresent', null, true],
  ])('%s of %j is %s, and the other way round for false', (name, value, expected) => {
    expect(test({ Variable: '$.v', [name]: true }, { v: value })).toBe(expected);
    expect(test({ Variable: '$.v', [name]: false }, { v: value })).toBe(!expected);
  });

  it('a missing variable fails every operator but IsPresent', () => {
    for (const name of COMPARISON_OPERATORS) {
      if (name === 'IsPresent') continue;
      const operand = operandOf(name);
      expect(() => test({ Variable: '$.foo', [name]: operand }, { bar: 'x' })).toThrow(
        new StatesError(
          'States.Runtime',
          "Invalid path '$.foo': The choice state's condition path references an invalid value.",
        ),
      );
    }
    expect(test({ Variable: '$.foo', IsPresent: true }, {})).toBe(false);
    expect(test({ Variable: '$.foo[0]', IsPresent: true }, { foo: [] })).toBe(false);
    expect(test({ Variable: '$.foo', IsPresent: false }, {})).toBe(true);
    expect(() => test({ Variable: '$.a', StringEqualsPath: '$.no' }, { a: 'x' })).toThrow(
      /'\$\.no'/,
    );
  });

  function operandOf(name: string): Json {
    if (name.endsWith('Path')) return '$.bar';
    if (name.startsWith('Is') || name === 'BooleanEquals') return true;
    if (name.startsWith('Numeric')) return 1;
    return name.startsWith('Timestamp') ? EARLY : 'x';
  }

  it('And, Or and Not combine and stop early', () => {
    const yes: JsonObject = { Variable: '$.a', IsPresent: true };
    const no: JsonObject = { Variable: '$.a', IsPresent: false };
    const fails: JsonObject = { Variable: '$.missing', IsNull: true };
    expect(test({ And: [yes, yes] }, { a: 1 })).toBe(true);
    expect(test({ And: [no, fails] }, { a: 1 })).toBe(false);
    expect(test({ Or: [yes, fails] }, { a: 1 })).toBe(true);
    expect(test({ Or: [no, no] }, { a: 1 })).toBe(false);
    expect(test({ Not: { And: [yes, no] } }, { a: 1 })).toBe(true);
    expect(() => test({ Or: [no, fails] }, { a: 1 })).toThrow(StatesError);
  });

  it('reads the Context Object and variables', () => {
    const scope = scopeOf({}, { Execution: { Name: 'n' } }, { limit: 3 });
    const rule: JsonObject = { Variable: '$$.Execution.Name', StringEquals: 'n' };
    expect(compileChoiceRule(rule)(scope)).toBe(true);
    const other: JsonObject = { Not: { Variable: '$limit', NumericLessThanPath: '$limit' } };
    expect(compileChoiceRule(other)(scope)).toBe(true);
    expect(choiceVariables(other)).toEqual(['limit']);
  });

  it.each<JsonObject>([
    {},
    { Variable: '$.a' },
    { Variable: '$.a', IsNull: true, IsString: true },
    { Variable: '$.a', NumericEquals: '1' },
    { Variable: '$.a', TimestampEquals: 'x' },
    { Variable: '$.a', StringEqualsPath: 'x' },
    { Variable: "States.ArrayContains($.a, 'x')", IsNull: true },
    { StringEquals: 'x' },
    { And: [] },
    { Not: [] },
    { Variable: '$.a', constructor: 1 },
  ])('%j is not a rule', (rule) => {
    expect(() => compileChoiceRule(rule)).toThrow(ExpressionSyntaxError);
  });
});

describe('StringMatches', () => {
  it.each<[string, string, boolean]>([
    ['log-*.txt', 'log-1.txt', true],
    ['log-*.txt', 'log-.txt', true],
    ['log-*.txt', 'xlog-1.txt', false],
    ['*', '', true],
    ['a*', 'a', true],
    ['*a*b*', 'xxaxxbxx', true],
    ['*a*b*', 'xxbxxa', false],
    ['a*a', 'a', false],
    ['a\\*b', 'a*b', true],
    ['a\\*b', 'axb', false],
    ['a\\\\*', 'a\\z', true],
    ['foo*bar*baz', 'fooxbarybaz', true],
    ['a.c', 'abc', false],
    ['', '', true],
    ['', 'x', false],
    ['*ab', 'aab', true],
    ['a*ba', 'aba', true],
  ])('%j on %j is %s', (pattern, text, expected) => {
    expect(compileWildcard(pattern)(text)).toBe(expected);
  });

  it('an open escape fails when it is used', () => {
    const rule = compileChoiceRule({ Variable: '$.v', StringMatches: 'a\\' });
    expect(() => rule(scopeOf({ v: 'a' }))).toThrow(StatesError);
  });

  it('agrees with a simple matcher and does not hang', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 10 });
    fc.assert(
      fc.property(text, text, (pattern, subject) => {
        expect(compileWildcard(pattern)(subject)).toBe(simple(pattern, subject));
      }),
      { numRuns: 1000 },
    );
    const start = performance.now();
    expect(compileWildcard(`${'*a'.repeat(5000)}*b`)('a'.repeat(50_000))).toBe(false);
    expect(performance.now() - start).toBeLessThan(30_000);
  });

  function simple(pattern: string, text: string): boolean {
    if (pattern === '') return text === '';
    if (pattern.startsWith('*')) {
      return simple(pattern.slice(1), text) || (text !== '' && simple(pattern, text.slice(1)));
    }
    return text !== '' && pattern[0] === text[0] && simple(pattern.slice(1), text.slice(1));
  }
});
