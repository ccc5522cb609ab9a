import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson } from '../../../src/lib/jackson.js';

const TOKENS = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

/** Text, what is wrong, and Jackson's column: one past the last character it read, from 1. */
const BROKEN: readonly (readonly [text: string, summary: string, line: number, column: number])[] =
  [
    ['not a definition', `Unrecognized token 'not': was expecting ${TOKENS}`, 1, 4],
    ['tru', `Unrecognized token 'tru': was expecting ${TOKENS}`, 1, 4],
    ['{"a": nulll}', `Unrecognized token 'nulll': was expecting ${TOKENS}`, 1, 12],
    ['{"a": hello}', `Unrecognized token 'hello': was expecting ${TOKENS}`, 1, 12],
    [
      '{"a":1,}',
      "Unexpected character ('}' (code 125)): was expecting double-quote to start field name",
      1,
      9,
    ],
    [
      "{'a':1}",
      "Unexpected character (''' (code 39)): was expecting double-quote to start field name",
      1,
      3,
    ],
    ['{"a":}', "Unexpected character ('}' (code 125)): expected a value", 1, 7],
    [
      '{"a" 1}',
      "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value",
      1,
      7,
    ],
    [
      '{"a":1 "b":2}',
      "Unexpected character ('\"' (code 34)): was expecting comma to separate Object entries",
      1,
      9,
    ],
    [
      '[1 2]',
      "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries",
      1,
      5,
    ],
    ['[1,]', `Unexpected character (']' (code 93)): expected a valid value ${TOKENS}`, 1, 5],
    ['[,1]', `Unexpected character (',' (code 44)): expected a valid value ${TOKENS}`, 1, 3],
    ['[.5]', `Unexpected character ('.' (code 46)): expected a valid value ${TOKENS}`, 1, 3],
    ['[€]', `Unrecognized token '€': was expecting ${TOKENS}`, 1, 3],
    [
      '[→]',
      `Unexpected character ('→' (code 8594 / 0x2192)): expected a valid value ${TOKENS}`,
      1,
      3,
    ],
    ['[01]', 'Invalid numeric value: Leading zeroes not allowed', 1, 3],
    [
      '[-x]',
      "Unexpected character ('x' (code 120)) in numeric value: expected digit (0-9) to follow minus sign, for valid numeric value",
      1,
      4,
    ],
    [
      '[1.x]',
      "Unexpected character ('x' (code 120)) in numeric value: Decimal point not followed by a digit",
      1,
      5,
    ],
    [
      '[1e]',
      "Unexpected character (']' (code 93)) in numeric value: Exponent indicator not followed by a digit",
      1,
      5,
    ],
    [
      '12x',
      "Unexpected character ('x' (code 120)): Expected space separating root-level values",
      1,
      4,
    ],
    [
      '[NaN]',
      "Non-standard token 'NaN': enable JsonParser.Feature.ALLOW_NON_NUMERIC_NUMBERS to allow",
      1,
      5,
    ],
    ['["a\\x"]', "Unrecognized character escape 'x' (code 120)", 1, 6],
    [
      '["\\u00g0"]',
      "Unexpected character ('g' (code 103)): expected a hex-digit for character escape sequence",
      1,
      8,
    ],
    [
      '["a\nb"]',
      'Illegal unquoted character ((CTRL-CHAR, code 10)): has to be escaped using backslash to be included in string value',
      1,
      5,
    ],
    [
      '{\n  "a": 1,\n  b\n}',
      "Unexpected character ('b' (code 98)): was expecting double-quote to start field name",
      3,
      4,
    ],
    ['["abc', 'Unexpected end-of-input: was expecting closing quote for a string value', 1, 6],
    ['{"abc', 'Unexpected end-of-input in field name', 1, 6],
    ['{"a":', 'Unexpected end-of-input within/between Object entries', 1, 6],
    ['{"a":1,', 'Unexpected end-of-input within/between Object entries', 1, 8],
  ];

describe('parseJson', () => {
  it.each(BROKEN)('says of %j what Jackson says', (text, summary, line, column) => {
    const location = `[Source: (String)"${text}"; line: ${line}, column: ${column}]`;
    expect(parseJson(text)).toEqual({
      error: { summary, location, line, column, message: `${summary}\n at ${location}` },
    });
  });

  it('names the start of what was not closed', () => {
    expect(parseJson('{"a":{"b":1')).toMatchObject({
      error: {
        summary:
          'Unexpected end-of-input: expected close marker for Object (start marker at ' +
          '[Source: (String)"{"a":{"b":1"; line: 1, column: 6])',
      },
    });
  });

  it('names what a wrong bracket should have closed', () => {
    expect(parseJson('[1}')).toMatchObject({
      error: {
        summary:
          "Unexpected close marker '}': expected ']' (for Array starting at " +
          '[Source: (String)"[1}"; line: 1, column: 1])',
      },
    });
  });

  it('refuses text after the value', () => {
    expect(parseJson('{} {}')).toMatchObject({
      error: { summary: expect.stringContaining('Trailing token (of type START_OBJECT)') },
    });
    expect(parseJson('{} x')).toMatchObject({
      error: { summary: expect.stringContaining("Unrecognized token 'x'") },
    });
  });

  it('refuses duplicate keys only where it is asked to', () => {
    expect(parseJson('{"a":1,"a":2}')).toEqual({ value: { a: 2 } });
    expect(parseJson('{"a":1,"a":2}', { rejectDuplicates: true })).toMatchObject({
      error: { summary: "Duplicate field 'a'" },
    });
  });

  it('shows the first 500 characters of a long source', () => {
    const text = `x${' '.repeat(599)}`;
    const result = parseJson(text);
    expect('error' in result && result.error.location).toBe(
      `[Source: (String)"${text.slice(0, 500)}"[truncated 100 chars]; line: 1, column: 2]`,
    );
  });

  it('refuses a number that no double holds, and a document nested past 1000', () => {
    expect(parseJson('[1e999]')).toMatchObject({ error: { line: 1 } });
    expect(parseJson('9'.repeat(400))).toMatchObject({ error: { line: 1 } });
    expect(parseJson('['.repeat(100_000))).toMatchObject({
      error: { summary: expect.stringContaining('nesting depth (1001)') },
    });
    const deep = `${'['.repeat(1001)}${']'.repeat(1001)}`;
    expect(parseJson(deep)).toMatchObject({ error: { summary: expect.stringContaining('1001') } });
  });

  it('keeps __proto__ an ordinary key', () => {
    for (const rejectDuplicates of [true, false]) {
      const result = parseJson('{"__proto__":{"x":1}}', { rejectDuplicates });
      const value = 'value' in result ? (result.value as object) : {};
      expect(Object.keys(value)).toEqual(['__proto__']);
      expect(({} as { x?: number }).x).toBeUndefined();
    }
  });

  it('agrees with JSON.parse on every valid text', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const expected = JSON.parse(text);
        expect(parseJson(text)).toEqual({ value: expected });
        const slow = parseJson(text, { rejectDuplicates: true });
        if ('value' in slow) expect(slow.value).toEqual(expected);
        else expect(slow.error.summary).toMatch(/^Duplicate field/);
      }),
    );
  });

  it('accepts exactly what JSON.parse accepts, however the text is damaged', () => {
    const damaged = fc
      .tuple(
        fc.json(),
        fc.nat(),
        fc.nat(3),
        fc.constantFrom('', ' ', '"', ',', '}', '[', '\\', '1', '\u0000'),
      )
      .map(([text, at, cut, added]) => {
        const start = at % (text.length + 1);
        return text.slice(0, start) + added + text.slice(start + cut);
      });
    fc.assert(
      fc.property(damaged, (text) => {
        const result = parseJson(text);
        let expected: unknown;
        try {
          expected = JSON.parse(text);
        } catch {
          expect('error' in result).toBe(true);
          return;
        }
        if ('value' in result) expect(result.value).toEqual(expected);
        else expect(result.error.summary).toMatch(/out of range/);
      }),
      { numRuns: 1000 },
    );
  });
});
