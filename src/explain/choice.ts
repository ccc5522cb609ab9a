/** Why a Choice went where it went: each rule in order, what it compared, and whether it held. */
import { compileChoiceRule, isComparisonOperator } from '../expr/choice.js';
import { compileJsonataTemplate, isExpression } from '../expr/jsonata.js';
import { compilePath } from '../expr/path.js';
import { evaluateIn } from '../core/bindings.js';
import type { FrameScope } from '../core/context.js';
import type { State } from '../core/machine.js';
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../lib/json.js';

export interface RuleExplanation {
  readonly index: number;
  readonly rule: JsonObject;
  readonly next: string;
  /** Null: an earlier rule held, so this one was never asked. */
  readonly holds: boolean | null;
  /** What its parts saw: `$.accuracy is 0.71`. */
  readonly because: readonly string[];
}

const MAX_REASONS = 20;

/** `scope.input` is the raw input of the state. */
export async function explainChoice(
  state: State,
  raw: FrameScope,
): Promise<readonly RuleExplanation[]> {
  const rules = getOwn(state.definition, 'Choices');
  if (!isArray(rules)) return [];
  const scope = raw.with(state.flow.effectiveInput(raw));
  const explained: RuleExplanation[] = [];
  let decided = false;
  for (const [index, rule] of rules.entries()) {
    if (!isObject(rule)) continue;
    const next = String(getOwn(rule, 'Next') ?? '');
    if (decided) {
      explained.push({ index, rule, next, holds: null, because: [] });
      continue;
    }
    const { holds, because } =
      state.flow.language === 'JSONata'
        ? await judgeJsonata(rule, index, scope)
        : judge(rule, scope);
    explained.push({ index, rule, next, holds, because });
    // A rule that cannot be judged fails the state: nothing after it is asked.
    decided = holds !== false;
  }
  return explained;
}

interface Judgement {
  readonly holds: boolean | null;
  readonly because: readonly string[];
}

function judge(rule: JsonObject, scope: FrameScope): Judgement {
  const because = reasonsOf(rule, scope).slice(0, MAX_REASONS);
  try {
    return { holds: compileChoiceRule(rule)(scope), because };
  } catch (error) {
    return { holds: null, because: [...because, messageOf(error)] };
  }
}

async function judgeJsonata(
  rule: JsonObject,
  index: number,
  scope: FrameScope,
): Promise<Judgement> {
  const condition = getOwn(rule, 'Condition');
  if (typeof condition !== 'string' || !isExpression(condition)) {
    return { holds: condition === true, because: [] };
  }
  try {
    const template = compileJsonataTemplate(condition, `Choices[${index}]/Condition`);
    const value = await evaluateIn(template, scope);
    return { holds: value === true, because: [`it is ${shown(value)}`] };
  } catch (error) {
    return { holds: null, because: [messageOf(error)] };
  }
}

/** Every comparison in a rule, with what its path selects. */
function reasonsOf(rule: JsonObject, scope: FrameScope): readonly string[] {
  for (const name of ['And', 'Or']) {
    const nested = getOwn(rule, name);
    if (isArray(nested)) {
      return nested.flatMap((one) => (isObject(one) ? reasonsOf(one, scope) : []));
    }
  }
  const not = getOwn(rule, 'Not');
  if (isObject(not)) return reasonsOf(not, scope);
  const paths = [getOwn(rule, 'Variable')];
  const operator = Object.keys(rule).find(isComparisonOperator);
  if (operator?.endsWith('Path')) paths.push(getOwn(rule, operator));
  return paths.flatMap((path) => (typeof path === 'string' ? [reason(path, scope)] : []));
}

function reason(path: string, scope: FrameScope): string {
  try {
    const found = compilePath(path).find(scope);
    return found.found ? `${path} is ${shown(found.value)}` : `${path} selects nothing`;
  } catch (error) {
    return `${path}: ${messageOf(error)}`;
  }
}

const SHOWN = 80;

function shown(value: Json | undefined): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > SHOWN ? `${text.slice(0, SHOWN - 1)}…` : text;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
