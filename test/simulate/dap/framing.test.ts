/** Framing and the map from lines to states. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../src/lib/json.js';
import { framed, FramingError, Unframer } from '../../../src/simulate/dap/framing.js';
import { stateAtLine, stateRanges } from '../../../src/simulate/dap/source-map.js';
import { replaced } from '../../../src/simulate/dap/variables.js';
import { graphOf, nodesOf } from '../../../src/graph/model.js';
import { awsSamples, shippedMachines } from '../../support/samples.js';

describe('messages', () => {
  it('come whole, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue()),
        fc.array(fc.integer({ min: 1, max: 40 })),
        (values, cuts) => {
          const bytes = Buffer.concat(values.map((value) => framed({ value })));
          const got: unknown[] = [];
          const unframer = new Unframer((message) => got.push(message));
          let at = 0;
          for (let turn = 0; at < bytes.length; turn++) {
            const size = cuts.length === 0 ? bytes.length : (cuts[turn % cuts.length] as number);
            unframer.push(bytes.subarray(at, at + size));
            at += size;
          }
          expect(got).toEqual(values.map((value) => JSON.parse(JSON.stringify({ value }))));
        },
      ),
    );
  });

  it.each([
    [
      'an HTTP request of a web page',
      'POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{}',
    ],
    ['a length that is none', 'Content-Length: x\r\n\r\n{}'],
    ['a length beyond the limit', 'Content-Length: 999999999\r\n\r\n'],
    ['no length', 'Content-Type: x\r\n\r\n{}'],
    ['no JSON', 'Content-Length: 1\r\n\r\n{'],
    ['a header without end', 'x'.repeat(5000)],
  ])('end the conversation: %s', (_name, text) => {
    expect(() => new Unframer(() => undefined).push(Buffer.from(text))).toThrow(FramingError);
  });
});

describe('lines of a definition', () => {
  const text = `{
  "StartAt": "States",
  "States": {
    "States": {
      "Type": "Parallel", "End": true,
      "Branches": [
        { "StartAt": "A", "States": {
          "A": { "Type": "Pass",
            "Result": { "States": { "No": 1 } },
            "End": true } } }
      ]
    },
    "Quote \\" brace }": { "Type": "Succeed" }
  }
}`;

  it('belong to the innermost state around them', () => {
    const ranges = stateRanges(text);
    expect(ranges.map(({ state, line, endLine }) => [state, line, endLine])).toEqual([
      ['States', 4, 12],
      ['A', 8, 10],
      ['Quote " brace }', 13, 13],
    ]);
    expect(stateAtLine(ranges, 9)?.state).toBe('A');
    expect(stateAtLine(ranges, 6)?.state).toBe('States');
    expect(stateAtLine(ranges, 1)).toBeNull();
  });

  it('are found for every state of all known machines', () => {
    for (const { definition } of [...shippedMachines(), ...awsSamples()]) {
      const names = [...nodesOf(graphOf(definition as JsonObject))].map(({ node }) => node.name);
      const lines = JSON.stringify(definition, null, 2).split('\n');
      const ranges = stateRanges(lines.join('\n'));
      expect(ranges.map(({ state }) => state).sort()).toEqual(names.sort());
      for (const { state, line } of ranges)
        expect(lines[line - 1]).toContain(JSON.stringify(state).slice(1, -1));
    }
  });
});

describe('a changed member', () => {
  it.each([
    [{ a: [1, { b: 2 }] }, ['a', '1', 'b'], 3, { a: [1, { b: 3 }] }],
    [5, ['$'], 6, 6],
    [[1, 2], ['0'], 'x', ['x', 2]],
  ] as const)('%j at %j', (value, path, made, expected) => {
    expect(replaced(value as never, path, made)).toEqual(expected);
  });

  it('named __proto__ is an ordinary member', () => {
    const made = replaced(JSON.parse('{"__proto__": 1}') as JsonObject, ['__proto__'], {
      polluted: true,
    });
    expect(Object.hasOwn(made as object, '__proto__')).toBe(true);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});
