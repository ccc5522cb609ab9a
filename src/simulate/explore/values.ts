/** The values that matter to a comparison: on its constant, beside it, of other types, and nothing. */
import { parseTimestampMs } from '../../expr/timestamp.js';
import { type Json, type JsonObject, setOwn } from '../../lib/json.js';
import { ABSENT, type Wanted } from './location.js';

const OTHER_TEXT = 'something else';
const INSTANT = '2026-01-01T00:00:00Z';
const DAY = 86_400_000;
/** Texts before and after all usual ones. */
export const textValues: readonly string[] = ['', '\uffff'];

/** For an operator of a JSONPath rule, the ones that make it hold first. */
export function valuesForOperator(operator: string, operand: Json): readonly Wanted[] {
  if (operator === 'IsPresent')
    return operand === true ? ['text', ABSENT, null] : [ABSENT, 'text', null];
  if (operator.startsWith('Is')) return typeValues(operator, operand === true);
  if (operator === 'StringMatches') return matching(String(operand));
  if (operator.startsWith('Numeric') && typeof operand === 'number') {
    const near =
      operand > 0 && operand < 1 ? [operand / 2, (1 + operand) / 2] : [operand - 1, operand + 1];
    return [operand, ...near, 'text'];
  }
  if (operator.startsWith('Boolean')) return [operand === true, operand !== true, 'text'];
  if (operator.startsWith('Timestamp') && typeof operand === 'string') return instants(operand);
  if (operator.startsWith('String') && typeof operand === 'string') {
    return [operand, OTHER_TEXT, `${operand}~`, '', 0];
  }
  return [operand, 'text', 0];
}

function typeValues(operator: string, expected: boolean): readonly Wanted[] {
  const fitting: Readonly<Record<string, Json>> = {
    IsNull: null,
    IsNumeric: 1,
    IsString: 'text',
    IsBoolean: true,
    IsTimestamp: INSTANT,
  };
  const value = fitting[operator] ?? 'text';
  const others = [null, 'text', 1, true, INSTANT].filter((one) => one !== value);
  return expected ? [value, ...others] : [...others, value];
}

function instants(text: string): readonly Wanted[] {
  const at = parseTimestampMs(text);
  if (at === null) return [INSTANT, 'text'];
  const shift = (ms: number): string => new Date(at + ms).toISOString().replace('.000Z', 'Z');
  return [text, shift(-DAY), shift(DAY), 'text'];
}

/** Texts that a pattern with `*` fits, and one that it does not. */
function matching(pattern: string): readonly Wanted[] {
  const filled = (by: string): string =>
    pattern.replace(/\\(.)|\*/g, (_, escaped) => escaped ?? by);
  return [filled(''), filled('x'), OTHER_TEXT, 0];
}

/** An element that the filters of a path let through. */
export function elementFor(path: string): JsonObject {
  const element: Record<string, Json> = {};
  for (const [, name = '', sign = '', quoted, bare] of path.matchAll(
    /@(?:\.(?=\w)|\[')(\w+)(?:'\])?\s*(==|>=|<=|<|>)?\s*(?:['"]([^'"]*)['"]|([\w.-]+))?/g,
  )) {
    const number = bare === undefined ? Number.NaN : Number(bare);
    if (Number.isNaN(number)) setOwn(element, name, quoted ?? bare ?? true);
    else setOwn(element, name, number + (sign === '>' ? 1 : sign === '<' ? -1 : 0));
  }
  return element;
}

/** Our reason: an expression with more constants is data, not a condition. */
const MAX_LITERALS = 40;

/** For a JSONata condition: what its constants suggest. */
export function valuesForJsonata(text: string): readonly Wanted[] {
  const literals = literalsOf(text);
  const names = [...text.matchAll(/\[\s*([A-Za-z_]\w*)\s*=/g)].map(([, name = '']) => name);
  const near = literals.flatMap((literal): Json[] => {
    if (typeof literal !== 'number')
      return [literal, [literal], `${literal}~`, { [literal]: true }];
    const lists = [literal - 1, literal, literal + 1].filter(
      (length) => Number.isInteger(length) && length >= 0 && length <= 60,
    );
    return [
      literal,
      ...(literal > 0 && literal < 1
        ? [literal / 2, (1 + literal) / 2]
        : [literal - 1, literal + 1]),
      ...lists.map((length) => Array.from({ length }, (_, index) => ({ index }))),
      ...lists.map((length) => 'x'.repeat(length)),
    ];
  });
  const elements = names.flatMap((name) =>
    literals.flatMap((literal): Json[] => [{ [name]: literal }, [{ [name]: literal }]]),
  );
  return [
    ...near,
    ...elements,
    true,
    false,
    ABSENT,
    null,
    'text',
    '',
    1,
    0,
    -1,
    [],
    [{}],
    {},
    INSTANT,
  ];
}

export function literalsOf(text: string): readonly (string | number)[] {
  const found: (string | number)[] = [];
  for (const [, double, single, number] of text.matchAll(
    /"([^"]*)"|'([^']*)'|(?<![\w.$])(-?\d+(?:\.\d+)?)/g,
  )) {
    if (number !== undefined) found.push(Number(number));
    else found.push(double ?? single ?? '');
    if (found.length >= MAX_LITERALS) break;
  }
  return [...new Set(found)];
}
