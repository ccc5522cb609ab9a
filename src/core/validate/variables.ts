/**
 * Variables: well-formed names, the reserved one, and inner scopes that would redefine an outer
 * name. Codes and wording as reported from AWS.
 */
import { isVariableName } from '../../expr/variables.js';
import type { JsonObject } from '../../lib/json.js';
import { type Diagnostic, error } from '../diagnostic.js';
import { objectIn, objectsIn, type ScopeSite, type StateSite, under } from './site.js';

interface Assignment {
  readonly name: string;
  readonly at: string;
}

export function checkVariables(scopes: readonly ScopeSite[]): readonly Diagnostic[] {
  const diagnostics: Diagnostic[] = [];
  const assigned = new Map<ScopeSite, ReadonlySet<string>>();
  for (const scope of scopes) {
    const assignments = scope.states.flatMap(assignmentsOf);
    assigned.set(scope, new Set(assignments.map((one) => one.name)));
    for (const one of assignments) {
      const problem = nameProblem(one);
      if (problem !== null) diagnostics.push(problem);
      else if (isOuter(one.name, scope, assigned)) {
        const message = `The variable name '${one.name}' was already defined in a parent scope.`;
        diagnostics.push(error('DUPLICATE_VARIABLE_NAME', message, one.at));
      }
    }
  }
  return diagnostics;
}

function nameProblem({ name, at }: Assignment): Diagnostic | null {
  if (name === 'states') {
    const message = "Cannot assign to reserved variable '$states'.";
    return error('RESERVED_VARIABLE_NAME', message, at);
  }
  if (isVariableName(name)) return null;
  const reason =
    [...name].length > 80
      ? 'the variable name has more than 80 characters.'
      : 'the variable name contains invalid characters.';
  const shownName = name.slice(0, 200);
  return error('INVALID_VARIABLE_NAME', `Invalid variable name '${shownName}': ${reason}`, at);
}

/** The items of a distributed Map are executions of their own: outer names are free there. */
function isOuter(
  name: string,
  scope: ScopeSite,
  assigned: ReadonlyMap<ScopeSite, ReadonlySet<string>>,
): boolean {
  for (let inner = scope; inner.owner !== null; inner = inner.owner.scope) {
    if (inner.kind === 'distributed') return false;
    if (assigned.get(inner.owner.scope)?.has(name)) return true;
  }
  return false;
}

export function assignmentsOf(site: StateSite): readonly Assignment[] {
  const { state, at, language } = site;
  const places = [
    { item: state, at },
    ...objectsIn(state, 'Choices', at),
    ...objectsIn(state, 'Catch', at),
  ];
  return places.flatMap((place) => namesIn(place.item, language === 'JSONPath', place.at));
}

function namesIn(object: JsonObject, isPath: boolean, at: string): readonly Assignment[] {
  return Object.keys(objectIn(object, 'Assign') ?? {}).map((key) => ({
    name: isPath && key.endsWith('.$') ? key.slice(0, -2) : key,
    at: under(at, 'Assign', key),
  }));
}
