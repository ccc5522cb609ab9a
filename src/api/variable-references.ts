/** What DescribeStateMachine tells of a definition's variables: `variableReferences`, above all. */
import { isExpression, compileJsonata } from '../expr/jsonata.js';
import { compileTemplateValue } from '../expr/template.js';
import { survey } from '../core/validate/walk.js';
import { leaves, type StateSite } from '../core/validate/site.js';
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../lib/json.js';

/** Fields that hold no expressions of the state itself. */
const SKIPPED = ['Comment', 'Branches', 'ItemProcessor', 'Iterator', 'Result', 'Resource', 'Retry'];

export function variableReferences(definition: JsonObject): {
  readonly [state: string]: readonly string[];
} {
  const { scopes } = survey(definition, { type: 'STANDARD', strict: false });
  const entries = scopes
    .flatMap((scope) => scope.states)
    .map((site) => [site.name, referencesOf(site)] as const)
    .filter(([, names]) => names.length > 0);
  return Object.fromEntries(entries);
}

/** Whether any state speaks JSONata or assigns variables: AWS has both since November 2024. */
export function isSinceVariables(definition: JsonObject): boolean {
  const { scopes } = survey(definition, { type: 'STANDARD', strict: false });
  return scopes
    .flatMap((scope) => scope.states)
    .some(({ state, language }) => language === 'JSONata' || assigns(state));
}

/** In the state itself, a Choice rule or a catcher. */
function assigns(state: JsonObject): boolean {
  const parts = ['Choices', 'Catch'].flatMap((field) => {
    const list = getOwn(state, field);
    return isArray(list) ? list : [];
  });
  return [state, ...parts].some((part) => isObject(part) && Object.hasOwn(part, 'Assign'));
}

function referencesOf(site: StateSite): readonly string[] {
  const names = Object.keys(site.state)
    .filter((field) => !SKIPPED.includes(field))
    .flatMap((field) => expressionsIn(getOwn(site.state, field) as Json, field, site.language))
    .flatMap(([text, language]) => variablesOf(text, language));
  return [...new Set(names)].sort();
}

type Expression = readonly [text: string, language: StateSite['language']];

function expressionsIn(
  value: Json,
  field: string,
  language: StateSite['language'],
): readonly Expression[] {
  if (language === 'JSONPath') return pathsIn(value, field);
  return leaves(value, '')
    .filter((leaf) => isExpression(leaf.value))
    .map((leaf) => [leaf.value, language]);
}

/** A member that ends in `.$` or `Path`, or a Choice rule's Variable, holds an expression. */
function pathsIn(value: Json, key: string): readonly Expression[] {
  if (isArray(value)) return value.flatMap((item) => pathsIn(item, ''));
  if (isObject(value)) {
    return Object.keys(value).flatMap((inner) => pathsIn(getOwn(value, inner) as Json, inner));
  }
  const holds = typeof value === 'string' && /(\.\$|Path|^Variable)$/.test(key);
  return holds ? [[value, 'JSONPath']] : [];
}

/** A stored definition is valid; one that an older release let pass may still not compile. */
function variablesOf(text: string, language: StateSite['language']): readonly string[] {
  try {
    return (language === 'JSONPath' ? compileTemplateValue(text) : compileJsonata(text)).variables;
  } catch {
    return [];
  }
}
