/** All checks of one machine, in AWS's order: shape, languages, fields, expressions, then graph. */
import type { JsonObject } from '../../lib/json.js';
import { getOwn } from '../../lib/json.js';
import { type Diagnostic, hasErrors, ranked } from '../diagnostic.js';
import { checkChoiceRules } from './choice-rules.js';
import { checkGraph } from './graph.js';
import { type Budget, checkJsonata } from './jsonata.js';
import { checkLanguage } from './language.js';
import { lintReachability, lintState } from './lint.js';
import { checkMapState } from './map-state.js';
import { checkNames } from './names.js';
import { checkPaths } from './paths.js';
import { checkRecovery } from './recovery.js';
import { checkResource } from './resource.js';
import type { Language, MachineType, StateSite } from './site.js';
import { lintVariables } from './undefined-variables.js';
import { checkVariables } from './variables.js';
import { survey } from './walk.js';

export interface CheckOptions {
  readonly type: MachineType;
  readonly strict: boolean;
  readonly now?: number;
}

/** `isLoose`: the outermost scope is one state without its machine, whose targets are elsewhere. */
export function checkMachine(
  machine: JsonObject,
  options: CheckOptions,
  isLoose: boolean,
): readonly Diagnostic[] {
  const { scopes, diagnostics: shape } = survey(machine, options);
  const language = getOwn(machine, 'QueryLanguage') === 'JSONata' ? 'JSONata' : 'JSONPath';
  const sites = scopes.flatMap((scope) => scope.states);
  const found = [...shape];
  const budget: Budget = { expressions: 0 };
  for (const site of sites) {
    // Hostile text could name a million mistakes; what is not shown is not looked for.
    if (found.length > MAX_KEPT) break;
    append(found, checkState(site, language, options, budget));
  }
  append(found, checkVariables(scopes));
  append(found, checkNames(scopes));
  for (const scope of scopes) append(found, checkGraph(scope, isLoose && scope.owner === null));
  if (!isLoose && !hasErrors(found)) {
    append(found, scopes.flatMap(lintReachability));
    append(found, lintVariables(scopes));
  }
  for (const site of sites) append(found, lintState(site, options));
  return distinct(found);
}

/** Not `push(...more)`: arguments live on the stack, and hostile text makes long lists. */
function append(found: Diagnostic[], more: readonly Diagnostic[]): void {
  for (const one of more) found.push(one);
}

function checkState(site: StateSite, machine: Language, options: CheckOptions, budget: Budget) {
  return [
    ...checkLanguage(site, machine),
    ...checkChoiceRules(site),
    ...checkRecovery(site),
    ...checkMapState(site),
    ...checkResource(site, options.strict),
    ...checkPaths(site, options.strict),
    ...checkJsonata(site, budget),
  ];
}

/** Our reason: AWS shows 100 diagnostics, and no one reads more than this. */
const MAX_KEPT = 1000;

/** Errors first, each said once. */
function distinct(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const kept = new Map<string, Diagnostic>();
  for (const one of ranked(diagnostics)) {
    if (kept.size === MAX_KEPT) break;
    const key = `${one.code}\n${one.message}\n${one.location}`;
    if (!kept.has(key)) kept.set(key, one);
  }
  return [...kept.values()];
}
