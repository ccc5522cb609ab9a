/**
 * Choice rules of the JSONPath dialect, compiled to one test each: And, Or and Not over 39
 * comparison operators. A value of another type is a plain mismatch; a path that selects nothing
 * fails the state, except under IsPresent.
 */
import { isArray, isObject, type Json, type JsonObject } from '../lib/json.js';
import { compilePath, type PathExpression } from './path.js';
import { ExpressionSyntaxError, type Scope, StatesError } from './scope.js';
import { type Instant, parseTimestamp } from './timestamp.js';
import { pathVariables } from './variables.js';
import { compileWildcard } from './wildcard.js';

export type ChoiceTest = (scope: Scope) => boolean;

/** The rule as a test; Next, Assign, Output and Comment are the caller's. */
export function compileChoiceRule(rule: JsonObject): ChoiceTest {
  return compile(rule, new Set());
}

/** Names of the variables a rule reads, sorted. */
export function choiceVariables(rule: JsonObject): readonly string[] {
  const variables = new Set<string>();
  compile(rule, variables);
  return [...variables].sort();
}

export function isComparisonOperator(name: string): name is ComparisonOperator {
  return Object.hasOwn(OPERATORS, name);
}

function compile(rule: JsonObject, variables: Set<string>): ChoiceTest {
  if (Object.hasOwn(rule, 'And')) {
    const tests = nestedRules(rule.And, 'And').map((nested) => compile(nested, variables));
    return (scope) => tests.every((test) => test(scope));
  }
  if (Object.hasOwn(rule, 'Or')) {
    const tests = nestedRules(rule.Or, 'Or').map((nested) => compile(nested, variables));
    return (scope) => tests.some((test) => test(scope));
  }
  if (Object.hasOwn(rule, 'Not')) {
    if (!isObject(rule.Not)) throw new ExpressionSyntaxError("The field 'Not' must be an object");
    const test = compile(rule.Not, variables);
    return (scope) => !test(scope);
  }
  return compileComparison(rule, variables);
}

function nestedRules(value: Json | undefined, name: string): readonly JsonObject[] {
  if (!isArray(value) || value.length === 0 || !value.every((item) => isObject(item))) {
    throw new ExpressionSyntaxError(`The field '${name}' must be a non-empty array of rules`);
  }
  return value as readonly JsonObject[];
}

function compileComparison(rule: JsonObject, variables: Set<string>): ChoiceTest {
  const names = Object.keys(rule).filter(isComparisonOperator);
  const [name] = names;
  if (name === undefined || names.length > 1) {
    throw new ExpressionSyntaxError('A choice rule must have exactly one comparison operator');
  }
  if (typeof rule.Variable !== 'string') {
    throw new ExpressionSyntaxError("The field 'Variable' is required but was missing");
  }
  const variable = readPath(rule.Variable, variables);
  return OPERATORS[name](variable, rule[name] as Json, name, variables);
}

function readPath(text: string, variables: Set<string>): PathExpression {
  const path = compilePath(text);
  for (const name of pathVariables(path)) variables.add(name);
  return path;
}

function readValue(path: PathExpression, scope: Scope): Json {
  const found = path.find(scope);
  if (found.found) return found.value;
  throw new StatesError(
    'States.Runtime',
    `Invalid path '${path.text}': The choice state's condition path references an invalid value.`,
  );
}

type Compile = (
  variable: PathExpression,
  operand: Json,
  name: string,
  variables: Set<string>,
) => ChoiceTest;

/** How one family reads a value: undefined is another type, and so never matches. */
type Read<T> = (value: Json) => T | undefined;
type Relation<T> = (left: T, right: T) => boolean;

function withConstant<T>(read: Read<T>, relation: Relation<T>, kind: string): Compile {
  return (variable, operand, name) => {
    const right = read(operand);
    if (right === undefined) throw new ExpressionSyntaxError(`The field '${name}' must be ${kind}`);
    return (scope) => {
      const left = read(readValue(variable, scope));
      return left !== undefined && relation(left, right);
    };
  };
}

function withPath<T>(read: Read<T>, relation: Relation<T>): Compile {
  return (variable, operand, name, variables) => {
    if (typeof operand !== 'string') {
      throw new ExpressionSyntaxError(`The field '${name}' must be a path`);
    }
    const other = readPath(operand, variables);
    return (scope) => {
      const left = read(readValue(variable, scope));
      const right = read(readValue(other, scope));
      return left !== undefined && right !== undefined && relation(left, right);
    };
  };
}

function withType(test: (value: Json) => boolean): Compile {
  return (variable, operand, name) => {
    const expected = readFlag(operand, name);
    return (scope) => test(readValue(variable, scope)) === expected;
  };
}

function isPresent(variable: PathExpression, operand: Json, name: string): ChoiceTest {
  const expected = readFlag(operand, name);
  return (scope) => variable.find(scope).found === expected;
}

function stringMatches(variable: PathExpression, operand: Json, name: string): ChoiceTest {
  if (typeof operand !== 'string') {
    throw new ExpressionSyntaxError(`The field '${name}' must be a string`);
  }
  const matches = compileWildcard(operand);
  return (scope) => {
    const value = readValue(variable, scope);
    return typeof value === 'string' && matches(value);
  };
}

function readFlag(operand: Json, name: string): boolean {
  if (typeof operand === 'boolean') return operand;
  throw new ExpressionSyntaxError(`The field '${name}' must be a boolean`);
}

const asString: Read<string> = (value) => (typeof value === 'string' ? value : undefined);
const asNumber: Read<number> = (value) => (typeof value === 'number' ? value : undefined);
const asBoolean: Read<boolean> = (value) => (typeof value === 'boolean' ? value : undefined);
const asInstant: Read<Instant> = (value) =>
  typeof value === 'string' ? (parseTimestamp(value) ?? undefined) : undefined;

/** JavaScript compares strings code unit by code unit, as Java and AWS do. */
const equals = <T>(a: T, b: T): boolean => a === b;
const less = <T>(a: T, b: T): boolean => a < b;
const lessOrEqual = <T>(a: T, b: T): boolean => a <= b;
const greater = <T>(a: T, b: T): boolean => a > b;
const greaterOrEqual = <T>(a: T, b: T): boolean => a >= b;

const OPERATORS = {
  StringEquals: withConstant(asString, equals, 'a string'),
  StringEqualsPath: withPath(asString, equals),
  StringLessThan: withConstant(asString, less, 'a string'),
  StringLessThanPath: withPath(asString, less),
  StringGreaterThan: withConstant(asString, greater, 'a string'),
  StringGreaterThanPath: withPath(asString, greater),
  StringLessThanEquals: withConstant(asString, lessOrEqual, 'a string'),
  StringLessThanEqualsPath: withPath(asString, lessOrEqual),
  StringGreaterThanEquals: withConstant(asString, greaterOrEqual, 'a string'),
  StringGreaterThanEqualsPath: withPath(asString, greaterOrEqual),
  StringMatches: stringMatches,
  NumericEquals: withConstant(asNumber, equals, 'a number'),
  NumericEqualsPath: withPath(asNumber, equals),
  NumericLessThan: withConstant(asNumber, less, 'a number'),
  NumericLessThanPath: withPath(asNumber, less),
  NumericGreaterThan: withConstant(asNumber, greater, 'a number'),
  NumericGreaterThanPath: withPath(asNumber, greater),
  NumericLessThanEquals: withConstant(asNumber, lessOrEqual, 'a number'),
  NumericLessThanEqualsPath: withPath(asNumber, lessOrEqual),
  NumericGreaterThanEquals: withConstant(asNumber, greaterOrEqual, 'a number'),
  NumericGreaterThanEqualsPath: withPath(asNumber, greaterOrEqual),
  BooleanEquals: withConstant(asBoolean, equals, 'a boolean'),
  BooleanEqualsPath: withPath(asBoolean, equals),
  TimestampEquals: withConstant(asInstant, equals, 'an RFC3339 timestamp'),
  TimestampEqualsPath: withPath(asInstant, equals),
  TimestampLessThan: withConstant(asInstant, less, 'an RFC3339 timestamp'),
  TimestampLessThanPath: withPath(asInstant, less),
  TimestampGreaterThan: withConstant(asInstant, greater, 'an RFC3339 timestamp'),
  TimestampGreaterThanPath: withPath(asInstant, greater),
  TimestampLessThanEquals: withConstant(asInstant, lessOrEqual, 'an RFC3339 timestamp'),
  TimestampLessThanEqualsPath: withPath(asInstant, lessOrEqual),
  TimestampGreaterThanEquals: withConstant(asInstant, greaterOrEqual, 'an RFC3339 timestamp'),
  TimestampGreaterThanEqualsPath: withPath(asInstant, greaterOrEqual),
  IsNull: withType((value) => value === null),
  IsPresent: isPresent,
  IsNumeric: withType((value) => typeof value === 'number'),
  IsString: withType((value) => typeof value === 'string'),
  IsBoolean: withType((value) => typeof value === 'boolean'),
  IsTimestamp: withType((value) => asInstant(value) !== undefined),
} as const satisfies Record<string, Compile>;

export type ComparisonOperator = keyof typeof OPERATORS;
export const COMPARISON_OPERATORS = Object.keys(OPERATORS) as readonly ComparisonOperator[];
