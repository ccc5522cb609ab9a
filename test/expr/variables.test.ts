import { expect, it } from 'vitest';
import { compileIntrinsic } from '../../src/expr/intrinsics.js';
import { compilePath } from '../../src/expr/path.js';
import { isVariableName, pathVariables, sortedVariables } from '../../src/expr/variables.js';

it.each([
  ['x', true],
  ['xCurrent', true],
  ['größe', true],
  ['变量', true],
  ['a1_', true],
  ['_a', true],
  ['', false],
  ['1a', false],
  ['a.b', false],
  ['a[0]', false],
  ['a b', false],
  ['$a', false],
  ['states', false],
  ['x'.repeat(80), true],
  ['x'.repeat(81), false],
])('%j may name a variable: %s', (name, expected) => {
  expect(isVariableName(name)).toBe(expected);
});

it('references are sorted and named once', () => {
  const sum =
    'States.MathAdd(States.MathAdd(States.MathAdd($yCurrent, $xCurrent), $zCurrent), $bias)';
  const { variables } = compileIntrinsic(sum);
  expect(
    sortedVariables(
      variables,
      pathVariables(compilePath('$bias.x')),
      pathVariables(compilePath('$.a')),
    ),
  ).toEqual(['bias', 'xCurrent', 'yCurrent', 'zCurrent']);
});
