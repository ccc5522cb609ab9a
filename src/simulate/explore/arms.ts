/**
 * Which values lead a Choice into one of its arms: for every place that the rules read, the values
 * that matter (on, between and beside the constants it is compared with, other types, absence), tried
 * by the rules themselves. Where the values that matter are all there are, an arm that none of them
 * reaches cannot be reached at all.
 */
import { compileChoiceRule, isComparisonOperator } from '../../expr/choice.js';
import { compileJsonataTemplate, isExpression } from '../../expr/jsonata.js';
import type { Scope } from '../../expr/scope.js';
import type { Eventually } from '../../lib/eventually.js';
import { getOwn, isArray, isObject, type Json, type JsonObject, withKey } from '../../lib/json.js';
import { ABSENT, type Location, readAt, startsWith, type Wanted, writeAt } from './location.js';
import { effectiveInput, type Slot, slotOf, slotsOfJsonata } from './slots.js';
import type { Sighting } from './sightings.js';
import { textValues, valuesForJsonata, valuesForOperator } from './values.js';

/** `null`: Default; `'none'`: no rule holds and there is no Default. */
export type Arm = number | null | 'none';

export interface Assignment {
  readonly slot: Slot;
  readonly value: Wanted;
}

export type Solution =
  | { readonly is: 'found'; readonly assignments: readonly (readonly Assignment[])[] }
  /** Every combination was tried, and they are all there are. */
  | { readonly is: 'contradiction'; readonly because: string }
  | { readonly is: 'unknown' };

/** Our reason: a Choice is solved in some milliseconds or left to other runs. */
const MAX_EVALUATIONS = 3000;
const MAX_SOLUTIONS = 4;
/** With more places than this not every combination is tried. */
const MAX_PROVEN = 4;

interface World {
  readonly doc: Json;
  readonly variables: JsonObject;
  readonly context: JsonObject;
}

type Test = (world: World) => Eventually<boolean>;

interface Domain {
  readonly slot: Slot;
  readonly values: readonly Wanted[];
  /** The values stand for all others. */
  readonly complete: boolean;
}

/** Assignments that lead a stay in a Choice into `arm`, those that change least first. */
export async function solveArm(sighting: Sighting, arm: Arm): Promise<Solution> {
  const { definition } = sighting.state;
  const rules = listOf(getOwn(definition, 'Choices'));
  const tests = rules.map((rule, index) => testOf(rule, index, sighting));
  const upTo = typeof arm === 'number' ? rules.slice(0, arm + 1) : rules;
  const domains = domainsOf(upTo, sighting);
  const world: World = {
    doc: effectiveInput(sighting),
    variables: sighting.variables,
    context: sighting.context,
  };
  const budget = { left: MAX_EVALUATIONS };
  const found: (readonly Assignment[])[] = [];
  for (const assignments of combinations(domains)) {
    if (budget.left-- <= 0 || found.length >= MAX_SOLUTIONS) break;
    const taken = await armOf(tests, assigned(world, assignments));
    if (taken === arm || (arm === 'none' && taken === null)) found.push(assignments);
  }
  if (found.length > 0) return { is: 'found', assignments: found };
  const all = domains.reduce((product, { values }) => product * values.length, 1);
  const isProof =
    budget.left > 0 &&
    all <= MAX_EVALUATIONS / 2 &&
    domains.length > 0 &&
    domains.length <= MAX_PROVEN &&
    domains.every(({ complete }) => complete) &&
    areApart(domains.map(({ slot }) => slot));
  if (!isProof || typeof arm !== 'number') return { is: 'unknown' };
  const names = domains.map(({ slot }) => slot.text).join(', ');
  return { is: 'contradiction', because: `no value of ${names} makes this rule the first to hold` };
}

/** The arm that is taken; undefined when a rule cannot be evaluated. */
async function armOf(tests: readonly Test[], world: World): Promise<number | null | undefined> {
  for (const [index, test] of tests.entries()) {
    try {
      if (await test(world)) return index;
    } catch {
      return undefined;
    }
  }
  return null;
}

function testOf(rule: JsonObject, index: number, sighting: Sighting): Test {
  const chance = {
    random: () => 0.5,
    uuid: () => '00000000-0000-4000-8000-000000000000',
    now: sighting.at,
  };
  if (sighting.state.flow.language !== 'JSONata') {
    const test = compileChoiceRule(rule);
    return ({ doc, ...world }) => test({ input: doc, ...world, chance } satisfies Scope);
  }
  const condition = getOwn(rule, 'Condition');
  if (typeof condition !== 'string' || !isExpression(condition)) return () => condition === true;
  const template = compileJsonataTemplate(condition, `Choices[${index}]/Condition`);
  return async ({ context, doc, variables }) => {
    const bindings = { ...variables, states: { input: doc, context } };
    return (await template.evaluate(bindings, chance)) === true;
  };
}

function domainsOf(rules: readonly JsonObject[], sighting: Sighting): readonly Domain[] {
  const isJsonata = sighting.state.flow.language === 'JSONata';
  const slots = new Map<string, { slot: Slot; values: Wanted[]; complete: boolean }>();
  const add = (slot: Slot | null, values: readonly Wanted[], complete: boolean): void => {
    if (slot === null) return;
    const known = slots.get(slot.text) ?? { slot, values: [], complete: true };
    known.values.push(...values);
    known.complete &&= complete && slot.whole;
    slots.set(slot.text, known);
  };
  for (const rule of rules) {
    if (isJsonata) {
      const condition = String(getOwn(rule, 'Condition') ?? '');
      for (const slot of slotsOfJsonata(condition)) {
        add(slot, valuesForJsonata(condition), false);
      }
    } else collect(rule, sighting, add);
  }
  return [...slots.values()].map(({ complete, slot, values }) => ({
    slot,
    complete,
    values: unique(complete ? [...values, ...between(values)] : values),
  }));
}

function collect(
  rule: JsonObject,
  sighting: Sighting,
  add: (slot: Slot | null, values: readonly Wanted[], complete: boolean) => void,
): void {
  for (const key of ['And', 'Or'])
    for (const one of listOf(getOwn(rule, key))) collect(one, sighting, add);
  const not = getOwn(rule, 'Not');
  if (isObject(not)) collect(not, sighting, add);
  const variable = getOwn(rule, 'Variable');
  const operator = Object.keys(rule).find(isComparisonOperator);
  if (typeof variable !== 'string' || operator === undefined) return;
  const operand = getOwn(rule, operator) as Json;
  const slot = slotOf(variable);
  if (!operator.endsWith('Path')) {
    add(slot, valuesForOperator(operator, operand), operator !== 'StringMatches');
    return;
  }
  const other = slotOf(String(operand));
  const values = valuesForPaths(operator, [slot, other], sighting);
  add(slot, values, false);
  add(other, values, false);
}

/** For two places that are compared: what stands there, and beside it. */
function valuesForPaths(
  operator: string,
  slots: readonly (Slot | null)[],
  sighting: Sighting,
): readonly Wanted[] {
  const now = slots.flatMap((slot) => {
    const value = slot === null ? undefined : currentValue(slot, sighting);
    return value === undefined ? [] : [value];
  });
  const base = operator.replace(/Path$/, '');
  const usual: Json = /^Numeric/.test(base)
    ? 5
    : /^Boolean/.test(base)
      ? true
      : /^Timestamp/.test(base)
        ? '2026-01-01T00:00:00Z'
        : 'text';
  return [...now, ...[usual, ...now].flatMap((value) => valuesForOperator(base, value))];
}

function currentValue(slot: Slot, sighting: Sighting): Json | undefined {
  return readAt(rootOf(slot, { doc: effectiveInput(sighting), ...sighting }), slot.location);
}

function rootOf(slot: Slot, world: World): Json | undefined {
  if (slot.root === '$') return world.doc;
  if (slot.root === '$$') return world.context;
  return getOwn(world.variables, slot.root.slice(1));
}

function assigned(world: World, assignments: readonly Assignment[]): World {
  let { context, doc, variables } = world;
  for (const { slot, value } of assignments) {
    const changed = writeAt(rootOf(slot, { context, doc, variables }), slot.location, value);
    if (slot.root === '$') doc = changed;
    else if (slot.root === '$$') context = changed as JsonObject;
    else variables = withKey(variables, slot.root.slice(1), changed);
  }
  return { context, doc, variables };
}

/** Nothing changed, one place, two, three, then all: the fewest changes first. */
function* combinations(domains: readonly Domain[]): Generator<readonly Assignment[]> {
  yield [];
  const sizes = domains.length <= MAX_PROVEN ? domains.map((_, index) => index + 1) : [1, 2, 3];
  for (const size of sizes) yield* chosen(domains, size, 0, []);
  if (domains.length <= MAX_PROVEN) return;
  // Many places at once: the same turn of every list (all equal, all above, …).
  const longest = Math.max(...domains.map(({ values }) => values.length));
  for (let turn = 0; turn < longest; turn++) {
    yield domains.map(({ slot, values }) => ({
      slot,
      value: values[turn % values.length] as Wanted,
    }));
  }
}

function* chosen(
  domains: readonly Domain[],
  size: number,
  from: number,
  made: readonly Assignment[],
): Generator<readonly Assignment[]> {
  if (made.length === size) {
    yield made;
    return;
  }
  for (let index = from; index < domains.length; index++) {
    const { slot, values } = domains[index] as Domain;
    for (const value of values) yield* chosen(domains, size, index + 1, [...made, { slot, value }]);
  }
}

/** Points between the numbers and texts of one place, so that every interval has one. */
function between(values: readonly Wanted[]): readonly Wanted[] {
  const numbers = values
    .filter((value): value is number => typeof value === 'number')
    .sort((a, b) => a - b);
  const texts = values.filter((value): value is string => typeof value === 'string').sort();
  return [
    ...numbers.slice(1).map((value, index) => (value + (numbers[index] as number)) / 2),
    ...texts.map((text) => `${text}\u0000`),
    ...textValues,
  ];
}

function areApart(slots: readonly Slot[]): boolean {
  return slots.every((one, i) =>
    slots.every(
      (other, j) =>
        i === j || one.root !== other.root || !startsWith(one.location, other.location as Location),
    ),
  );
}

function unique(values: readonly Wanted[]): readonly Wanted[] {
  const keyed = values.map((value): [string, Wanted] => [
    value === ABSENT ? 'absent' : JSON.stringify(value),
    value,
  ]);
  return [...new Map(keyed).values()];
}

function listOf(value: Json | undefined): readonly JsonObject[] {
  return isArray(value) ? value.filter(isObject) : [];
}
