/** Values as an editor opens them, member by member, and where in which scope a changed one belongs. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { FrameId } from '../../lib/brand.js';
import { isArray, isObject, type Json, shallowCopy, setOwn } from '../../lib/json.js';
import type { Scopes } from '../debug/view.js';

export type ScopeName = keyof Scopes;

interface Container {
  readonly frame: FrameId;
  readonly scope: ScopeName;
  /** Members from the scope's value down to this one. */
  readonly path: readonly string[];
  readonly value: Json;
}

/** Our reason: an editor that is sent more does not show more. */
const MAX_MEMBERS = 1_000;
const MAX_SHOWN = 400;

/** References live until the next stop. */
export class VariableTable {
  private containers: Container[] = [];

  clear(): void {
    this.containers = [];
  }

  add(container: Container): number {
    return this.containers.push(container);
  }

  get(reference: number): Container | null {
    return this.containers[reference - 1] ?? null;
  }

  membersOf(reference: number, start = 0, count = MAX_MEMBERS): DebugProtocol.Variable[] {
    const container = this.get(reference);
    if (container === null) return [];
    return entriesOf(container.value)
      .slice(start, start + Math.min(count || MAX_MEMBERS, MAX_MEMBERS))
      .map(([name, value]) => this.shown(container, name, value));
  }

  /** A value for an answer to evaluate: opened like any other, but changed nowhere. */
  evaluated(
    frame: FrameId,
    value: Json,
  ): { readonly result: string; readonly variablesReference: number } {
    const container = { frame, scope: 'Data flow', path: [], value } as const;
    return { result: textOf(value), variablesReference: opens(value) ? this.add(container) : 0 };
  }

  private shown(parent: Container, name: string, value: Json): DebugProtocol.Variable {
    const path = [...parent.path, name];
    const variablesReference = opens(value) ? this.add({ ...parent, path, value }) : 0;
    return {
      name,
      value: textOf(value),
      type: typeOf(value),
      variablesReference,
      ...(isArray(value) ? { indexedVariables: value.length } : {}),
      ...(parent.scope === 'Input' ? { evaluateName: pathOf(path) } : {}),
    };
  }
}

export function entriesOf(value: Json): readonly [string, Json][] {
  if (isArray(value)) return value.map((item, index) => [String(index), item]);
  if (isObject(value)) return Object.entries(value);
  // A scope that is no object or array shows itself.
  return [['$', value]];
}

/** `value` with the member at `path` replaced. */
export function replaced(value: Json, path: readonly string[], made: Json): Json {
  const [name, ...rest] = path;
  if (name === undefined || (name === '$' && !opens(value))) return made;
  if (isArray(value)) {
    return value.map((item, index) => (String(index) === name ? replaced(item, rest, made) : item));
  }
  if (!isObject(value)) return made;
  const copy = shallowCopy(value);
  setOwn(copy, name, replaced(copy[name] ?? null, rest, made));
  return copy;
}

function opens(value: Json): boolean {
  return typeof value === 'object' && value !== null;
}

function textOf(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN - 1)}…` : text;
}

function typeOf(value: Json): string {
  if (value === null) return 'null';
  return isArray(value) ? 'array' : typeof value;
}

function pathOf(path: readonly string[]): string {
  return `$${path.map((name) => (/^\d+$/.test(name) ? `[${name}]` : /^[A-Za-z_]\w*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`)).join('')}`;
}

/** What a person typed: JSON; what is none is a string. */
export function parseValue(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
