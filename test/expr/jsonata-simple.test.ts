/** What is evaluated without jsonata gives what jsonata gives, or leaves the answer to it. */
import fc from 'fast-check';
import jsonata from 'jsonata';
import { describe, expect, test } from 'vitest';
import { compileSimple, SLOW } from '../../src/expr/jsonata-simple.js';
import type { Json, JsonObject } from '../../src/lib/json.js';

const VALUES: JsonObject = {
  states: {
    input: {
      n: 3,
      zero: 0,
      text: 'Ada',
      empty: '',
      yes: true,
      no: false,
      nothing: null,
      list: [1, 2],
      one: [5],
      none: [],
      rows: [{ n: 1 }, { n: 2 }],
      deep: { a: { b: -1.5 }, n: 'x' },
    },
  },
  x: 7,
  t: 'text',
  o: { n: 1, toString: 'own' },
};

const member = fc.constantFrom(
  ...['n', 'zero', 'text', 'empty', 'yes', 'no', 'nothing', 'list', 'one', 'none', 'rows.n'],
  ...['deep', 'deep.a.b', 'deep.n', 'missing', 'missing.more', 'text.length', 'toString'],
);
const leaf = fc.oneof(
  member.map((name) => `$states.input.${name}`),
  fc.constantFrom('$x', '$t', '$o', '$o.n', '$o.toString', '$missing', '1', '-2', '0', '1e308'),
  fc.constantFrom('"a"', '""', 'true', 'false', 'null', '$o.constructor'),
);
const OPERATORS = ['+', '-', '*', '/', '%', '=', '!=', '<', '<=', '>', '>=', '&', 'and', 'or'];
const { expression } = fc.letrec<{ expression: string }>((tie) => ({
  expression: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc
      .tuple(tie('expression'), fc.constantFrom(...OPERATORS), tie('expression'))
      .map(([left, operator, right]) => `(${left} ${operator} ${right})`),
    fc
      .tuple(tie('expression'), tie('expression'), tie('expression'))
      .map(([condition, yes, no]) => `(${condition} ? ${yes} : ${no})`),
    fc.array(tie('expression'), { maxLength: 3 }).map((items) => `[${items.join(', ')}]`),
    fc
      .uniqueArray(fc.constantFrom('a', 'b', '__proto__', 'constructor'), { maxLength: 2 })
      .chain((names) =>
        fc
          .tuple(...names.map(() => tie('expression')))
          .map((values) => `{${names.map((name, i) => `"${name}": ${values[i]}`).join(', ')}}`),
      ),
    tie('expression').map((operand) => `-(${operand})`),
    fc
      .tuple(
        fc.constantFrom('count', 'sum', 'length', 'uppercase', 'string', 'not', 'exists'),
        leaf,
      )
      .map(([name, argument]) => `$${name}(${argument})`),
  ),
}));

/** Own members only, as the machine sees a result. */
const plain = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json;

describe('the simple part of JSONata', () => {
  test('agrees with jsonata wherever it answers', async () => {
    let answered = 0;
    await fc.assert(
      fc.asyncProperty(expression, async (text) => {
        const compiled = jsonata(text);
        const value = compileSimple(compiled.ast())?.evaluate(VALUES) ?? SLOW;
        if (value === SLOW) return;
        answered++;
        const theirs: unknown = await compiled.evaluate(undefined, structuredClone(VALUES));
        expect(plain(value)).toEqual(plain(theirs));
      }),
      { numRuns: 1500 },
    );
    expect(answered).toBeGreaterThan(300);
  });

  test.each([
    ['$states.input.text', 'Ada'],
    ['$states.input.deep', { a: { b: -1.5 }, n: 'x' }],
    ['$states.input.n > 2 and $t = "text"', true],
    ['$count($states.input.list)', 2],
    ['$sum($states.input.list)', 3],
    ['{"a": $x + 1, "b": [$t, null]}', { a: 8, b: ['text', null] }],
  ])('%s is answered at once', (text, expected) => {
    expect(compileSimple(jsonata(text).ast())?.evaluate(VALUES)).toEqual(expected);
  });

  test.each([
    ['an array on the path', '$states.input.rows.n'],
    ['an array as the result', '$states.input.one'],
    ['a missing member', '$states.input.missing'],
    ['a member of the prototype', '$o.constructor'],
    ['operands of two types', '$x + $t'],
    ['a number out of range', '1e308 * 10'],
  ])('%s is left to jsonata', (_what, text) => {
    expect(compileSimple(jsonata(text).ast())?.evaluate(VALUES) ?? SLOW).toBe(SLOW);
  });

  test('a variable of a function’s name comes first', () => {
    const simple = compileSimple(jsonata('$uppercase($t)').ast());
    expect(simple?.evaluate({ ...VALUES, uppercase: 'mine' })).toBe(SLOW);
  });

  test.each([
    '$sum($x, 1)',
    '$map($x, $y)',
    '$x[0]',
    '$states.input.rows[n = 1]',
    '$x.{"a": n}',
    '($y := 1; $y)',
  ])('%s is not simple', (text) => {
    expect(compileSimple(jsonata(text).ast())).toBeNull();
  });
});
