/**
 * Declarative preprocessing: steps are fitted once on training rows, and the fitted steps (plain JSON)
 * are applied to any row later, one or a million, with the same result. Numbers are scikit-learn's:
 * StandardScaler (population deviation), MinMaxScaler, RobustScaler, SimpleImputer, OneHotEncoder.
 */
import { DataFailure } from '../data/data-failure.js';
import { type Cell, isPlainNumber, type Row } from '../data/record.js';
import { percentile } from '../metrics/latency.js';
import { normaliseText, type TextRules } from './text.js';

export type Step =
  | { readonly step: 'select'; readonly columns: readonly string[] }
  | { readonly step: 'cast'; readonly column: string; readonly to: 'number' | 'text' | 'boolean' }
  | {
      readonly step: 'impute';
      readonly column: string;
      readonly strategy: 'mean' | 'median' | 'mostFrequent' | 'constant';
      readonly value?: Cell;
    }
  | {
      readonly step: 'scale';
      readonly column: string;
      readonly method?: 'standard' | 'minMax' | 'robust';
    }
  | {
      readonly step: 'oneHot';
      readonly column: string;
      readonly onUnknown?: 'zeros' | 'fail';
      readonly maxCategories?: number;
    }
  | { readonly step: 'ordinal'; readonly column: string; readonly onUnknown?: 'minusOne' | 'fail' }
  | ({ readonly step: 'normaliseText'; readonly column: string } & Partial<TextRules>);

/** A step with what it learned. */
export type FittedStep =
  | Extract<Step, { step: 'select' | 'cast' }>
  | { readonly step: 'impute'; readonly column: string; readonly value: Cell }
  | {
      readonly step: 'scale';
      readonly column: string;
      readonly centre: number;
      readonly scale: number;
    }
  | {
      readonly step: 'oneHot';
      readonly column: string;
      readonly categories: readonly Cell[];
      readonly onUnknown: 'zeros' | 'fail';
    }
  | {
      readonly step: 'ordinal';
      readonly column: string;
      readonly categories: readonly Cell[];
      readonly onUnknown: 'minusOne' | 'fail';
    }
  | { readonly step: 'normaliseText'; readonly column: string; readonly rules: TextRules };

export interface Transform {
  readonly version: 1;
  readonly steps: readonly FittedStep[];
}

const CATEGORIES_MAX = 1_000;

const failed = (index: number, reason: string) =>
  new DataFailure('Transform.Failed', `/steps/${index}: ${reason}`);

/** Each step learns from the rows as the steps before it leave them. */
export function fitTransform(
  steps: readonly Step[],
  rows: readonly Row[],
): { readonly transform: Transform; readonly rows: readonly Row[] } {
  let current = rows;
  const fitted = steps.map((step, index) => {
    const learned = fitStep(step, current, index);
    current = current.map((row) => applyStep(learned, row, index));
    return learned;
  });
  return { transform: { version: 1, steps: fitted }, rows: current };
}

/** Throws `Transform.Failed` naming the step. */
export function applyTransform({ steps }: Transform, row: Row): Row {
  return steps.reduce((current, step, index) => applyStep(step, current, index), row);
}

function fitStep(step: Step, rows: readonly Row[], index: number): FittedStep {
  switch (step.step) {
    case 'select':
    case 'cast':
      return step;
    case 'impute':
      return { step: 'impute', column: step.column, value: imputed(step, rows, index) };
    case 'scale':
      return { step: 'scale', column: step.column, ...scaled(step, rows, index) };
    case 'oneHot': {
      const categories = categoriesOf(
        step.column,
        rows,
        index,
        step.maxCategories ?? CATEGORIES_MAX,
      );
      return {
        step: 'oneHot',
        column: step.column,
        categories,
        onUnknown: step.onUnknown ?? 'zeros',
      };
    }
    case 'ordinal': {
      const categories = categoriesOf(step.column, rows, index, CATEGORIES_MAX);
      return {
        step: 'ordinal',
        column: step.column,
        categories,
        onUnknown: step.onUnknown ?? 'minusOne',
      };
    }
    case 'normaliseText': {
      const { trim = true, collapseWhitespace = true, unicode = 'NFC', lowercase = false } = step;
      const rules = { trim, collapseWhitespace, unicode, lowercase };
      return { step: 'normaliseText', column: step.column, rules };
    }
  }
}

function applyStep(step: FittedStep, row: Row, index: number): Row {
  if (step.step === 'select') {
    return Object.fromEntries(step.columns.map((column) => [column, cellOf(row, column, index)]));
  }
  const value = cellOf(row, step.column, index);
  switch (step.step) {
    case 'cast':
      return { ...row, [step.column]: cast(value, step.to, step.column, index) };
    case 'impute':
      return isMissing(value) ? { ...row, [step.column]: step.value } : row;
    case 'scale': {
      const number = numberIn(value, step.column, index);
      return number === null ? row : { ...row, [step.column]: (number - step.centre) / step.scale };
    }
    case 'oneHot':
      return oneHot(step, row, value, index);
    case 'ordinal': {
      const place = isMissing(value) ? -1 : step.categories.indexOf(value);
      if (place === -1 && step.onUnknown === 'fail') throw unknown(step.column, value, index);
      return { ...row, [step.column]: place };
    }
    case 'normaliseText':
      return value === null
        ? row
        : { ...row, [step.column]: normaliseText(String(value), step.rules) };
  }
}

function cellOf(row: Row, column: string, index: number): Cell {
  if (Object.hasOwn(row, column)) return row[column] as Cell;
  const has = Object.keys(row).join(', ');
  throw failed(index, `there is no column "${column}"; the row has: ${has}.`);
}

function isMissing(value: Cell): value is null {
  return value === null || value === '';
}

function cast(value: Cell, to: 'number' | 'text' | 'boolean', column: string, index: number): Cell {
  if (isMissing(value)) return null;
  if (to === 'text') return String(value);
  if (to === 'boolean') {
    if (typeof value === 'boolean') return value;
    const word = String(value).toLowerCase();
    if (['true', '1', 'yes'].includes(word)) return true;
    if (['false', '0', 'no'].includes(word)) return false;
  } else {
    if (typeof value !== 'string') return Number(value);
    if (isPlainNumber(value.trim())) return Number(value);
  }
  throw failed(index, `"${String(value).slice(0, 40)}" in "${column}" is no ${to}.`);
}

function numberIn(value: Cell, column: string, index: number): number | null {
  if (isMissing(value)) return null;
  if (typeof value === 'number') return value;
  throw failed(
    index,
    `"${String(value).slice(0, 40)}" in "${column}" is no number; cast it first.`,
  );
}

function numbersIn(rows: readonly Row[], column: string, index: number): readonly number[] {
  const numbers = rows.flatMap((row) => numberIn(cellOf(row, column, index), column, index) ?? []);
  if (numbers.length > 0) return numbers;
  throw failed(index, `"${column}" has no value to learn from.`);
}

function imputed(
  step: Extract<Step, { step: 'impute' }>,
  rows: readonly Row[],
  index: number,
): Cell {
  const { column, strategy } = step;
  if (strategy === 'constant') {
    if (step.value === undefined) throw failed(index, 'the strategy "constant" needs a "value".');
    return step.value;
  }
  if (strategy === 'mostFrequent') return mostFrequent(rows, column, index);
  const numbers = numbersIn(rows, column, index);
  return strategy === 'mean' ? meanOf(numbers) : percentile(Float64Array.from(numbers).sort(), 0.5);
}

/** Among equals the least, as scikit-learn. */
function mostFrequent(rows: readonly Row[], column: string, index: number): Cell {
  const counts = new Map<Cell, number>();
  for (const row of rows) {
    const value = cellOf(row, column, index);
    if (!isMissing(value)) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  const [best] = [...counts].sort((a, b) => b[1] - a[1] || ordered(a[0], b[0]));
  if (best !== undefined) return best[0];
  throw failed(index, `"${column}" has no value to learn from.`);
}

function scaled(step: Extract<Step, { step: 'scale' }>, rows: readonly Row[], index: number) {
  const numbers = numbersIn(rows, step.column, index);
  const sorted = Float64Array.from(numbers).sort();
  const [min, max] = [sorted[0] as number, sorted.at(-1) as number];
  const of = (centre: number, scale: number) => ({ centre, scale: scale === 0 ? 1 : scale });
  switch (step.method ?? 'standard') {
    case 'minMax':
      return of(min, max - min);
    case 'robust':
      return of(percentile(sorted, 0.5), percentile(sorted, 0.75) - percentile(sorted, 0.25));
    case 'standard': {
      const mean = meanOf(numbers);
      const variance = meanOf(numbers.map((value) => (value - mean) ** 2));
      // A constant column may leave a rounding error that is no deviation.
      return of(mean, max === min ? 0 : Math.sqrt(variance));
    }
  }
}

function meanOf(numbers: readonly number[]): number {
  let mean = 0;
  numbers.forEach((value, i) => {
    mean += (value - mean) / (i + 1);
  });
  return mean;
}

function categoriesOf(
  column: string,
  rows: readonly Row[],
  index: number,
  most: number,
): readonly Cell[] {
  const found = new Set<Cell>();
  for (const row of rows) {
    const value = cellOf(row, column, index);
    if (!isMissing(value)) found.add(value);
    if (found.size > most) throw failed(index, `"${column}" has more than ${most} categories.`);
  }
  return [...found].sort(ordered);
}

/** `colour=red`: a column per category in the place of the one. */
function oneHot(
  step: Extract<FittedStep, { step: 'oneHot' }>,
  row: Row,
  value: Cell,
  index: number,
): Row {
  const isKnown = isMissing(value) || step.categories.includes(value);
  if (!isKnown && step.onUnknown === 'fail') throw unknown(step.column, value, index);
  const entries = Object.entries(row).flatMap(([name, cell]): (readonly [string, Cell])[] =>
    name === step.column
      ? step.categories.map(
          (category) => [`${name}=${category}`, category === value ? 1 : 0] as const,
        )
      : [[name, cell]],
  );
  return Object.fromEntries(entries);
}

function unknown(column: string, value: Cell, index: number): DataFailure {
  return failed(
    index,
    `"${String(value).slice(0, 40)}" in "${column}" was not there when it was fitted.`,
  );
}

function ordered(a: Cell, b: Cell): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  const [left, right] = [`${typeof a}${a}`, `${typeof b}${b}`];
  return left < right ? -1 : left > right ? 1 : 0;
}
