/** All checks of one machine, in AWS's order: shape, languages, fields, expressions, then graph. */
import type { JsonObject } from '../../lib/json.js';
import { getOwn } from '../../lib/json.js';
import { type Diagnostic, hasErrors, ranked } from '../diagnostic.js';
import { checkChoiceRules } from './choice-rules.js';
import { checkGraph } from './graph.js';
import { checkJsonata } from './jsonata.js';
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
  const found = [
    ...shape,
    ...scopes.flatMap((scope) =>
      scope.states.flatMap((site) => checkState(site, language, options)),
    ),
    ...checkVariables(scopes),
    ...checkNames(scopes),
    ...scopes.flatMap((scope) => checkGraph(scope, isLoose && scope.owner === null)),
  ];
  if (!hasErrors(found) && !isLoose) {
    found.push(...scopes.flatMap(lintReachability), ...lintVariables(scopes));
  }
  found.push(
    ...scopes.flatMap((scope) => scope.states.flatMap((site) => lintState(site, options))),
  );
  return distinct(found);
}

function checkState(site: StateSite, machine: Language, options: CheckOptions) {
  return [
    ...checkLanguage(site, machine),
    ...checkChoiceRules(site),
    ...checkRecovery(site),
    ...checkMapState(site),
    ...checkResource(site, options.strict),
    ...checkPaths(site, options.strict),
    ...checkJsonata(site),
  ];
}

/** Our reason: no list shown to anyone is longer, and hostile text could name a million mistakes. */
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
