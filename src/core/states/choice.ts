/** Choice: the first rule that holds decides the next state; its own Assign and Output run, if any. */
import { compileChoiceRule } from '../../expr/choice.js';
import { compileJsonataTemplate, expectType, isExpression } from '../../expr/jsonata.js';
import { compileTemplate } from '../../expr/template.js';
import { chain, type Eventually } from '../../lib/eventually.js';
import { getOwn, type JsonObject } from '../../lib/json.js';
import { evaluateIn } from '../bindings.js';
import { nextOf, type StateContext } from '../compiler.js';
import type { FrameScope } from '../context.js';
import {
  type Completion,
  compileFlow,
  compileJsonataCompletion,
  type DataFlow,
} from '../data-flow.js';
import { runtimeError } from '../failure.js';
import { exitTo, scopeOf } from '../finish.js';
import type { State } from '../machine.js';
import { baseState } from './base-state.js';

interface Rule {
  readonly next: string;
  /** `scope.input` is the effective input. */
  holds(scope: FrameScope): Eventually<boolean>;
  complete(raw: FrameScope, effective: FrameScope): Eventually<Completion>;
}

export function compileChoice(definition: JsonObject, context: StateContext): State {
  const flow = compileFlow(definition, context.language, null);
  const choices = getOwn(definition, 'Choices') as readonly JsonObject[];
  const rules = choices.map((rule, index) =>
    context.language === 'JSONata' ? jsonataRule(rule, index) : jsonPathRule(rule, flow),
  );
  const fallback = getOwn(definition, 'Default');
  const state: State = {
    ...baseState('Choice', definition, context, flow),
    next: typeof fallback === 'string' ? fallback : null,
    start: (turn, id) => {
      const raw = scopeOf(turn, id, state);
      const effective = raw.with(flow.effectiveInput(raw));
      return chain(firstHolding(rules, effective, 0), (rule) => {
        if (rule !== null) {
          return chain(rule.complete(raw, effective), (completion) =>
            exitTo(turn, id, state, completion, rule.next, rules.indexOf(rule)),
          );
        }
        if (state.next === null) {
          // AWS reports this, not States.NoChoiceMatched (reference 9).
          throw runtimeError(
            'Failed to transition out of the state. The state does not point to a next state.',
          );
        }
        return chain(flow.pass(raw, effective.input), (completion) =>
          exitTo(turn, id, state, completion, state.next, null),
        );
      });
    },
  };
  return state;
}

function firstHolding(
  rules: readonly Rule[],
  scope: FrameScope,
  from: number,
): Eventually<Rule | null> {
  for (let index = from; index < rules.length; index++) {
    const rule = rules[index] as Rule;
    const holds = rule.holds(scope);
    if (holds instanceof Promise) {
      return holds.then((yes) => (yes ? rule : firstHolding(rules, scope, index + 1)));
    }
    if (holds) return rule;
  }
  return null;
}

function jsonPathRule(definition: JsonObject, flow: DataFlow): Rule {
  const test = compileChoiceRule(definition);
  const own = getOwn(definition, 'Assign');
  const assign = own === undefined ? null : compileTemplate(own);
  return {
    next: nextOf(definition) ?? '',
    holds: test,
    complete: (raw, effective) => ({
      output: flow.output(raw, effective.input),
      assigned: assign === null ? null : (assign.evaluate(effective) as JsonObject),
    }),
  };
}

function jsonataRule(definition: JsonObject, index: number): Rule {
  const at = `Choices[${index}]/`;
  const field = `${at}Condition`;
  const condition = getOwn(definition, 'Condition') ?? false;
  const expression =
    typeof condition === 'string' && isExpression(condition)
      ? compileJsonataTemplate(condition, field)
      : null;
  const completion = compileJsonataCompletion(definition, at);
  return {
    next: nextOf(definition) ?? '',
    holds: (scope) => {
      if (expression === null) return condition === true;
      return chain(evaluateIn(expression, scope), (value) => {
        expectType(value, 'boolean', expression.expression ?? '', field);
        return value === true;
      });
    },
    complete: (raw) => completion(raw, {}, raw.input),
  };
}
