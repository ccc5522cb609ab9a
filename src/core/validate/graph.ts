/**
 * Transitions: every target exists in the same scope, something leads to every state, and a
 * workflow can end. Wording, order and silence (no unreachable states when there is no end) as
 * measured on AWS; AWS calls a state reachable as soon as any transition names it.
 */
import { getOwn, hasOwn } from '../../lib/json.js';
import { type Diagnostic, error, withHint } from '../diagnostic.js';
import { objectsIn, type ScopeSite, shown, type StateSite, stringIn, under } from './site.js';

const TARGET = 'MISSING_TRANSITION_TARGET';

export interface Transition {
  readonly target: string;
  readonly at: string;
}

/** `loose` scopes (TestState: one state without its machine) may point anywhere. */
export function checkGraph(scope: ScopeSite, isLoose: boolean): readonly Diagnostic[] {
  if (isLoose || !isSound(scope)) return [];
  const start: Transition = {
    target: stringIn(scope.definition, 'StartAt') ?? '',
    at: under(scope.at, 'StartAt'),
  };
  const transitions = [start, ...scope.states.flatMap(transitionsOf)];
  const names = new Set(scope.states.map((site) => site.name));
  const similar = new Map(scope.states.map(({ name }) => [name.toLowerCase(), name]));
  const diagnostics = transitions
    .filter((one) => !names.has(one.target))
    .map((one) => missing(one, similar.get(one.target.toLowerCase())));
  if (!scope.states.some(isTerminal)) {
    const location = scope.at === '' ? null : shown(scope.at);
    const hint = 'Give a state "End": true, or add a Succeed or Fail state.';
    diagnostics.push(
      withHint(error('MISSING_END_STATE', 'Workflow has no terminal state', location), hint),
    );
    return diagnostics;
  }
  const targets = new Set(transitions.map((one) => one.target));
  for (const site of scope.states) {
    if (targets.has(site.name)) continue;
    const hint = 'Point a transition at this state, or remove it.';
    diagnostics.push(
      withHint(error(TARGET, `State "${site.name}" is not reachable.`, site.at), hint),
    );
  }
  return diagnostics;
}

function missing({ target, at }: Transition, similar: string | undefined): Diagnostic {
  const diagnostic = error(TARGET, `Missing 'Next' target: ${target}`, at);
  if (similar === undefined) return diagnostic;
  return withHint(diagnostic, `State names are case-sensitive: did you mean "${similar}"?`);
}

export function transitionsOf(site: StateSite): readonly Transition[] {
  const { state, at } = site;
  const found: Transition[] = [];
  const add = (target: string | undefined, location: string) => {
    if (target !== undefined) found.push({ target, at: location });
  };
  if (site.type !== 'Choice') add(stringIn(state, 'Next'), under(at, 'Next'));
  for (const { item, at: ruleAt } of objectsIn(state, 'Choices', at)) {
    add(stringIn(item, 'Next'), under(ruleAt, 'Next'));
  }
  add(stringIn(state, 'Default'), under(at, 'Default'));
  for (const { item, at: catcherAt } of objectsIn(state, 'Catch', at)) {
    add(stringIn(item, 'Next'), under(catcherAt, 'Next'));
  }
  return found;
}

function isTerminal(site: StateSite): boolean {
  return site.type === 'Succeed' || site.type === 'Fail' || getOwn(site.state, 'End') === true;
}

/** Only a scope whose skeleton is right is judged as a graph: one mistake, one message. */
function isSound(scope: ScopeSite): boolean {
  const all = getOwn(scope.definition, 'States');
  if (stringIn(scope.definition, 'StartAt') === undefined) return false;
  if (typeof all !== 'object' || all === null) return false;
  if (Object.keys(all).length === 0 || Object.keys(all).length !== scope.states.length)
    return false;
  return scope.states.every(canLeave);
}

function canLeave(site: StateSite): boolean {
  if (site.type === 'Choice') {
    const rules = objectsIn(site.state, 'Choices', '');
    return rules.length > 0 && rules.every(({ item }) => stringIn(item, 'Next') !== undefined);
  }
  const catchers = objectsIn(site.state, 'Catch', '');
  if (catchers.some(({ item }) => stringIn(item, 'Next') === undefined)) return false;
  if (isTerminal(site)) return true;
  return hasOwn(site.state, 'Next') && stringIn(site.state, 'Next') !== undefined;
}
