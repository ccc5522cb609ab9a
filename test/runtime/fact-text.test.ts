import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Fact } from '../../src/core/fact.js';
import { factsText } from '../../src/runtime/fact-text.js';

const payload = fc.jsonValue({ depthSize: 'medium', noUnicodeString: false });
const names = fc.string({ unit: 'binary', maxLength: 100 });

/** Facts of one turn: the same payload object comes in several, as in a chain of tasks. */
const facts = fc
  .record({ payload, other: payload, name: names, nonce: names, seq: fc.nat(), at: fc.nat() })
  .map(({ payload: shared, other, name, nonce, seq, at }) => [
    { seq, at, frame: '0', event: { id: 5, previousId: 4 }, type: 'TaskSucceeded', output: shared },
    { seq, at, frame: '0', event: null, type: 'StateExited', name, output: shared, next: null },
    { seq, at, frame: name, event: null, type: 'StateExited', output: undefined, rule: 0 },
    {
      ...{ seq, at, frame: '0', event: { id: 7, previousId: 6 }, type: 'TaskScheduled' },
      ...{ parameters: shared, resource: other, nonce, timeoutAt: null, on: name, discard: true },
    },
    { seq, at, frame: '0', event: null, type: 'X', items: [shared, other], odd: 1.5e300, no: -0 },
  ]) as unknown as fc.Arbitrary<readonly Fact[]>;

test('the text of facts is what JSON.stringify writes', () => {
  fc.assert(
    fc.property(facts, (made) => {
      expect(factsText(made)).toBe(JSON.stringify(made));
      expect(factsText(made.slice(3))).toBe(JSON.stringify(made.slice(3)));
    }),
  );
});

test('the first fact says whose commit it is', () => {
  fc.assert(
    fc.property(facts, names, (made, on) => {
      const [first, ...rest] = made;
      const expected = [{ ...(first as Fact), on }, ...rest];
      expect(JSON.parse(factsText(made, on))).toEqual(JSON.parse(JSON.stringify(expected)));
    }),
  );
});
