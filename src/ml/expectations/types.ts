/** Type names of pandas, Python, Spark and SQL, as far as JSON values can tell them apart. */
import type { Json } from '../../lib/json.js';
import type { Cell } from '../data/record.js';
import { nearest } from '../../lib/suggest.js';
import { ExpectationProblem } from './evaluator.js';

type Test = (value: Exclude<Cell, null>) => boolean;

const isText: Test = (value) => typeof value === 'string';
const isInteger: Test = (value) => Number.isInteger(value);
/** JSON writes 1.0 as 1: an integer is a float as well. */
const isNumber: Test = (value) => typeof value === 'number';
const isBoolean: Test = (value) => typeof value === 'boolean';
const isDate: Test = (value) => typeof value === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(value);
const isTimestamp: Test = (value) =>
  typeof value === 'string' && /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}/.test(value);

const KINDS: readonly (readonly [Test, string])[] = [
  [isText, 'str string string_ object object_ o varchar text char stringtype unicode string_types'],
  [
    isInteger,
    'int long integer int8 int16 int32 int64 uint8 uint16 uint32 uint64 bigint smallint tinyint integertype longtype',
  ],
  [
    isNumber,
    'float double float16 float32 float64 real numeric decimal number double_precision floattype doubletype decimaltype',
  ],
  [isBoolean, 'bool bool_ boolean booleantype'],
  [isDate, 'date datetype'],
  [
    isTimestamp,
    'datetime datetime64 datetime64[ns] timestamp timestamptz timestamptype datetime.datetime',
  ],
];

const TESTS: ReadonlyMap<string, Test> = new Map(
  KINDS.flatMap(([test, names]) => names.split(' ').map((name) => [name, test] as const)),
);

export function typeTest(names: readonly Json[]): Test {
  if (names.includes(null)) return () => true;
  const tests = names.map((name) => {
    const test = TESTS.get(String(name).toLowerCase());
    if (test !== undefined) return test;
    const near = nearest(String(name), ['str', 'int', 'float', 'bool', 'date', 'datetime']);
    const hint =
      near === null ? 'known: str, int, float, bool, date, datetime' : `did you mean "${near}"?`;
    throw new ExpectationProblem(`unknown type ${JSON.stringify(name)} (${hint})`);
  });
  return (value) => tests.some((test) => test(value));
}
