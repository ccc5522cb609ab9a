/** What a schema cannot count: one kind and one operator per rule, and what operands must be. */
import { hasOwn, type JsonObject } from '../../lib/json.js';
import { parseTimestamp } from '../../expr/timestamp.js';
import { type Diagnostic, schemaError } from '../diagnostic.js';
import { CHOICE_OPERATORS, RULE_KINDS } from './schemas/choice.js';
import { type Item, objectIn, objectsIn, type StateSite, stringIn, under } from './site.js';

const TIMESTAMP_OPERATORS = CHOICE_OPERATORS.filter((one) => /^Timestamp.*(?<!Path)$/.test(one));

export function checkChoiceRules(site: StateSite): readonly Diagnostic[] {
  if (site.type !== 'Choice') return [];
  const found: Diagnostic[] = [];
  for (const { item, at } of objectsIn(site.state, 'Choices', site.at)) {
    checkRule(item, site, at, found);
  }
  return found;
}

function checkRule(rule: JsonObject, site: StateSite, at: string, found: Diagnostic[]): void {
  const kinds = RULE_KINDS.filter((kind) => hasOwn(rule, kind));
  if (kinds.length !== 1) {
    const message = `The object must have only one of the following fields, [${RULE_KINDS.join(', ')}]`;
    found.push(schemaError(message, at));
    return;
  }
  const isTest = site.language === 'JSONPath' && hasOwn(rule, 'Variable');
  if (isTest) found.push(...checkTest(rule, at));
  for (const { item, at: innerAt } of innerRules(rule, at)) checkRule(item, site, innerAt, found);
}

/** The rules directly inside And, Or and Not. */
export function innerRules(rule: JsonObject, at: string): readonly Item[] {
  const negated = objectIn(rule, 'Not');
  return [
    ...objectsIn(rule, 'And', at),
    ...objectsIn(rule, 'Or', at),
    ...(negated === undefined ? [] : [{ item: negated, at: under(at, 'Not') }]),
  ];
}

function* checkTest(rule: JsonObject, at: string): Generator<Diagnostic> {
  const present = CHOICE_OPERATORS.filter((operator) => hasOwn(rule, operator));
  const all = `[${CHOICE_OPERATORS.join(', ')}]`;
  if (present.length === 0) {
    yield schemaError(`This object should have only one of the following fields: ${all}`, at);
  }
  if (present.length > 1) {
    yield schemaError(`There should only be one of the following fields: ${all}`, at);
  }
  for (const operator of TIMESTAMP_OPERATORS) {
    const operand = stringIn(rule, operator);
    if (operand !== undefined && parseTimestamp(operand) === null) {
      yield schemaError('String does not match RFC3339 timestamp', under(at, operator));
    }
  }
}
