/**
 * Variables that are read but that nothing in sight assigns: usually a typing error, also in the
 * name of a function. AWS's code and wording for it; not an error, for AWS cannot be sure either.
 */
import { compileJsonata, isExpression } from '../../expr/jsonata.js';
import { compileTemplateValue } from '../../expr/template.js';
import { getOwn, isArray, isObject, type Json } from '../../lib/json.js';
import { type Diagnostic, warning } from '../diagnostic.js';
import { attempt } from './paths.js';
import { leaves, type ScopeSite, type StateSite, under } from './site.js';
import { assignmentsOf } from './variables.js';

/** Fields that hold no expressions of this state. */
const SKIPPED = ['Comment', 'Branches', 'ItemProcessor', 'Iterator', 'Result', 'Resource', 'Retry'];

export function lintVariables(scopes: readonly ScopeSite[]): readonly Diagnostic[] {
  const visible = new Map<ScopeSite, ReadonlySet<string>>();
  return scopes.flatMap((scope) => {
    const own = scope.states.flatMap(assignmentsOf).map((one) => one.name);
    const isApart = scope.owner === null || scope.kind === 'distributed';
    const outer = isApart ? [] : (visible.get((scope.owner as StateSite).scope) ?? []);
    const names = new Set([...outer, ...own]);
    visible.set(scope, names);
    return scope.states.flatMap((site) => [...unknownReads(site, names)]);
  });
}

function* unknownReads(site: StateSite, names: ReadonlySet<string>): Generator<Diagnostic> {
  for (const field of Object.keys(site.state)) {
    if (SKIPPED.includes(field)) continue;
    const value = getOwn(site.state, field) as Json;
    for (const { variables, at } of reads(value, site, field, under(site.at, field))) {
      for (const name of variables) {
        if (names.has(name)) continue;
        const message = `Variable '${name}' is possibly not defined.`;
        const hint = `No state before this one can have assigned it: check the spelling of $${name}.`;
        yield warning('POSSIBLY_UNDEFINED_VARIABLE', message, at, hint);
      }
    }
  }
}

interface Read {
  readonly variables: readonly string[];
  readonly at: string;
}

function reads(value: Json, site: StateSite, field: string, at: string): readonly Read[] {
  if (site.language === 'JSONPath') return pathReads(value, field, at, []);
  return leaves(value, at).flatMap((leaf) => {
    const expression = isExpression(leaf.value) ? attempt(() => compileJsonata(leaf.value)) : null;
    return expression === null ? [] : [{ variables: expression.variables, at: leaf.at }];
  });
}

/** A member that ends in `.$`, in `Path`, or is a Choice rule's Variable holds an expression. */
function pathReads(value: Json, key: string, at: string, found: Read[]): readonly Read[] {
  if (isArray(value)) {
    value.forEach((item, i) => {
      pathReads(item, '', `${at}[${i}]`, found);
    });
  } else if (isObject(value)) {
    for (const inner of Object.keys(value)) {
      pathReads(value[inner] as Json, inner, under(at, inner), found);
    }
  } else if (typeof value === 'string' && /(\.\$|Path|^Variable)$/.test(key)) {
    const expression = attempt(() => compileTemplateValue(value));
    if (expression !== null) found.push({ variables: expression.variables, at });
  }
  return found;
}
