/** Our paths against jsonpath-plus, on the grammar where the two dialects agree. */
import fc from 'fast-check';
import { JSONPath } from 'jsonpath-plus';
import { describe, expect, it } from 'vitest';
import { compilePath } from '../../src/expr/path.js';
import type { Json, JsonObject } from '../../src/lib/json.js';

const NAMES = ['a', 'b', 'c'];
const value = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    // No text: jsonpath-plus indexes into strings, Jayway does not.
    fc.constantFrom<Json>(null, true, 1),
    fc.array(tie('json'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...NAMES), tie('json'), { noNullPrototype: true }),
  ),
})).json as fc.Arbitrary<Json>;

const name = fc.constantFrom(...NAMES).map((text) => `.${text}`);
const step = fc.oneof(
  name,
  fc.constantFrom(...NAMES).map((text) => `['${text}']`),
  fc.nat(3).map((index) => `[${index}]`),
);
const wide = fc.constantFrom('[*]', '.*', '[0:2]', '..a');

function ours(path: string, input: Json): Json | undefined {
  const scope = {
    input,
    context: {} as JsonObject,
    variables: {},
    chance: { random: () => 0, uuid: () => '' },
  };
  const found = compilePath(path).find(scope);
  return found.found ? found.value : undefined;
}

function theirs(path: string, json: Json): Json[] {
  return JSONPath({ path, json: json as object, wrap: true, eval: false }) as Json[];
}

describe('paths', () => {
  it('a definite path finds what jsonpath-plus finds', () => {
    fc.assert(
      fc.property(value, fc.array(step, { minLength: 1, maxLength: 4 }), (json, steps) => {
        const path = `$${steps.join('')}`;
        fc.pre(typeof json === 'object' && json !== null);
        expect(ours(path, json)).toEqual(theirs(path, json)[0]);
      }),
      { numRuns: 500 },
    );
  });

  it('an indefinite path gathers what jsonpath-plus gathers, in any order', () => {
    fc.assert(
      // Names only: an index past the end is null to AWS and nothing to jsonpath-plus.
      fc.property(value, wide, fc.array(name, { maxLength: 2 }), (json, first, steps) => {
        const path = `$${first}${steps.join('')}`;
        fc.pre(typeof json === 'object' && json !== null);
        const sorted = (items: readonly Json[]) => items.map((item) => JSON.stringify(item)).sort();
        const found = (ours(path, json) ?? []) as readonly Json[];
        expect(sorted(found)).toEqual(sorted(theirs(path, json)));
      }),
      { numRuns: 500 },
    );
  });
});
