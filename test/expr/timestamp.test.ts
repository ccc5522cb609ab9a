import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatInstant,
  formatTimestamp,
  parseTimestamp,
  parseTimestampMs,
} from '../../src/expr/timestamp.js';

describe('timestamps', () => {
  it.each([
    ['1970-01-01T00:00:00Z', 0n],
    ['1970-01-01T01:00:00+01:00', 0n],
    ['1969-12-31T23:59:59.999999999Z', -1n],
    ['2016-03-05T21:29:29.243167252Z', 1457213369243167252n],
    ['2000-02-29T12:00:00-00:30', 951827400000000000n],
    ['0000-01-01T00:00:00Z', -62167219200000000000n],
  ])('%s is read', (text, nanoseconds) => {
    expect(parseTimestamp(text)).toBe(nanoseconds);
  });

  it.each([
    '',
    '2016-12-05',
    '2016-12-05T21:29:29',
    '2016-12-05 21:29:29Z',
    '2016-12-05T25:29:29Z',
    '2016-13-05T21:29:29Z',
    '05-12-2016T21:29:29Z',
    '2016-08-18t17:33:00z',
    '2024-01-01T00:00Z',
    '2024-01-01T00:00:00+01',
    '2024-01-01T00:00:00+0100',
    '2023-02-29T00:00:00Z',
    '2024-01-01T00:00:00.Z',
    '2024-01-01T00:00:00.1234567891Z',
    '2024-01-01T00:00:00+18:01',
    ' 2024-01-01T00:00:00Z',
    '2024-01-01T00:00:60Z',
  ])('%j is refused', (text) => {
    expect(parseTimestamp(text)).toBe(null);
    expect(parseTimestampMs(text)).toBe(null);
  });

  it('prints 0, 3, 6 or 9 digits of a second', () => {
    expect(formatTimestamp(0)).toBe('1970-01-01T00:00:00Z');
    expect(formatTimestamp(1)).toBe('1970-01-01T00:00:00.001Z');
    expect(formatInstant(1_000n)).toBe('1970-01-01T00:00:00.000001Z');
    expect(formatInstant(100_000_000n)).toBe('1970-01-01T00:00:00.100Z');
    expect(formatInstant(-1n)).toBe('1969-12-31T23:59:59.999999999Z');
  });

  it('reads back what it prints', () => {
    const instant = fc.bigInt({ min: -62167219200000000000n, max: 253402300799999999999n });
    fc.assert(fc.property(instant, (value) => parseTimestamp(formatInstant(value)) === value));
  });

  it('any text is read or refused', () => {
    fc.assert(fc.property(fc.string(), (text) => parseTimestamp(text) !== undefined));
  });
});
