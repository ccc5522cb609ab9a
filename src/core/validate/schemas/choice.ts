/** Choice rules. How many operators a rule has is counted in `choice-rules.ts`, not here. */
import type { JsonObject } from '../../../lib/json.js';
import { anything, assign, name, path, type Schema, text } from './common.js';

const COMPARISONS = ['Equals', 'LessThan', 'GreaterThan', 'LessThanEquals', 'GreaterThanEquals'];

function family(prefix: string, names: readonly string[], operand: Schema): JsonObject {
  const entries: Record<string, Schema> = {};
  for (const one of names) {
    entries[prefix + one] = operand;
    entries[`${prefix}${one}Path`] = path;
  }
  return entries;
}

const TYPE_TESTS = ['IsNull', 'IsPresent', 'IsNumeric', 'IsString', 'IsBoolean', 'IsTimestamp'];

const operators: JsonObject = {
  ...family('String', COMPARISONS, text),
  StringMatches: text,
  ...family('Numeric', COMPARISONS, { type: 'number' }),
  ...family('Boolean', ['Equals'], { type: 'boolean' }),
  ...family('Timestamp', COMPARISONS, text),
  ...Object.fromEntries(TYPE_TESTS.map((one) => [one, { type: 'boolean' }])),
};

/** Every comparison operator of the language: 39. */
export const CHOICE_OPERATORS: readonly string[] = Object.keys(operators);
/** What a rule may be: exactly one of these. */
export const RULE_KINDS: readonly string[] = ['And', 'Or', 'Not', 'Variable', 'Condition'];

const nested: Schema = { type: 'array', minItems: 1, items: { $ref: '#/$defs/nestedRule' } };
const test: JsonObject = {
  ...operators,
  Variable: path,
  Condition: { type: ['boolean', 'string'] },
  And: nested,
  Or: nested,
  Not: { $ref: '#/$defs/nestedRule' },
  Comment: text,
};

export const choiceDefinitions: JsonObject = {
  rule: {
    type: 'object',
    properties: { ...test, Next: name, ...assign, Output: anything },
    required: ['Next'],
    additionalProperties: false,
  },
  nestedRule: { type: 'object', properties: test, additionalProperties: false },
};
