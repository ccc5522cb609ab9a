/**
 * From parsed JSON to sites: visits every scope, judges the shape of every state, and stops at a
 * depth that no real machine reaches. Returns what it could understand even when parts are wrong.
 */
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { type Diagnostic, error, schemaError } from '../diagnostic.js';
import { STATE_TYPES, type StateType } from './schemas/index.js';
import {
  type Language,
  type MachineType,
  objectIn,
  objectsIn,
  type ScopeSite,
  type StateSite,
  stringIn,
  under,
} from './site.js';
import { checkMachineShape, checkStateShape } from './structure.js';

/** Our reason: AWS has TOO_DEEPLY_NESTED but names no depth; real machines nest less than ten. */
const MAX_SCOPE_DEPTH = 100;

export interface Survey {
  /** Outer scopes before inner ones, in the order of the text. */
  readonly scopes: readonly ScopeSite[];
  readonly diagnostics: readonly Diagnostic[];
}

export interface SurveyOptions {
  readonly type: MachineType;
  readonly strict: boolean;
}

export function survey(machine: JsonObject, options: SurveyOptions): Survey {
  const diagnostics: Diagnostic[] = [...checkMachineShape(machine, options.strict)];
  const scopes: ScopeSite[] = [];
  const language = languageOf(getOwn(machine, 'QueryLanguage'), 'JSONPath');
  const root = { kind: 'machine', definition: machine, at: '', owner: null } as const;
  const { strict } = options;
  visitScope(
    { ...root, machineType: options.type },
    { language, strict, depth: 1, scopes, diagnostics },
  );
  return { scopes, diagnostics };
}

interface Visit {
  readonly language: Language;
  readonly strict: boolean;
  readonly depth: number;
  readonly scopes: ScopeSite[];
  readonly diagnostics: Diagnostic[];
}

function visitScope(bare: Omit<ScopeSite, 'states'>, visit: Visit): void {
  if (visit.depth > MAX_SCOPE_DEPTH) {
    const message = 'The states are too deeply nested.';
    visit.diagnostics.push(error('TOO_DEEPLY_NESTED', message, bare.at));
    return;
  }
  const states: StateSite[] = [];
  const scope: ScopeSite = { ...bare, states };
  visit.scopes.push(scope);
  const all = objectIn(scope.definition, 'States') ?? {};
  for (const name of Object.keys(all)) {
    const site = understand(name, all[name] as Json, scope, visit);
    if (site !== null) states.push(site);
  }
  for (const site of states) {
    for (const inner of innerScopes(site)) visitScope(inner, { ...visit, depth: visit.depth + 1 });
  }
}

function understand(name: string, state: Json, scope: ScopeSite, visit: Visit): StateSite | null {
  const at = under(scope.at, 'States', name);
  if (!isObject(state)) {
    visit.diagnostics.push(schemaError('Expected value of type Object', at));
    return null;
  }
  const type = getOwn(state, 'Type');
  if (type === undefined) {
    visit.diagnostics.push(schemaError('These fields are required: [Type]', at));
    return null;
  }
  if (!isStateType(type)) {
    const message = `The field 'Type' should have one of these values: [${STATE_TYPES.join(', ')}]`;
    visit.diagnostics.push(schemaError(message, under(at, 'Type')));
    return null;
  }
  for (const one of checkStateShape(type, { state, at }, visit.strict)) visit.diagnostics.push(one);
  const language = languageOf(getOwn(state, 'QueryLanguage'), visit.language);
  return { name, type, state, language, at, scope };
}

function isStateType(type: Json): type is StateType {
  return typeof type === 'string' && (STATE_TYPES as readonly string[]).includes(type);
}

/** Measured on AWS: only the exact word is JSONPath, any other value given is taken as JSONata. */
function languageOf(value: Json | undefined, inherited: Language): Language {
  if (value === undefined) return inherited;
  return value === 'JSONPath' ? 'JSONPath' : 'JSONata';
}

function innerScopes(site: StateSite): readonly Omit<ScopeSite, 'states'>[] {
  const { state, at, scope } = site;
  if (site.type === 'Parallel' && isArray(getOwn(state, 'Branches'))) {
    return objectsIn(state, 'Branches', at).map(({ item, at: branchAt }) => ({
      kind: 'branch',
      definition: item,
      at: branchAt,
      owner: site,
      machineType: scope.machineType,
    }));
  }
  if (site.type !== 'Map') return [];
  return ['ItemProcessor', 'Iterator'].flatMap((field) => {
    const definition = objectIn(state, field);
    if (definition === undefined) return [];
    const distributed = isDistributed(definition);
    return {
      kind: distributed ? ('distributed' as const) : ('inline' as const),
      definition,
      at: under(at, field),
      owner: site,
      machineType: distributed ? executionType(definition) : scope.machineType,
    };
  });
}

export function isDistributed(processor: JsonObject): boolean {
  const config = objectIn(processor, 'ProcessorConfig');
  return config !== undefined && stringIn(config, 'Mode') === 'DISTRIBUTED';
}

function executionType(processor: JsonObject): MachineType {
  const config = objectIn(processor, 'ProcessorConfig') ?? {};
  return stringIn(config, 'ExecutionType') === 'EXPRESS' ? 'EXPRESS' : 'STANDARD';
}
