/**
 * What one evaluation may allocate. V8 ends the whole process when its heap is full, so a loop that
 * makes large values must end before that: every value an evaluation makes is charged to it, whether
 * or not it is garbage soon. Values that are only passed on cost nothing.
 */
import type { Focus } from 'jsonata';
import { JSONATA_ALLOCATIONS, JSONATA_STRING } from './limits.js';

export const MEMORY_EXCEEDED = 'Expression evaluation memory limit exceeded';

/** A concatenation keeps its two parts and adds a small node. */
const CONCATENATION = 4;

type Environment = Focus['environment'] & { readonly base?: object };
type Node = { readonly type?: string };

const charged = new WeakMap<object, number>();

/** One unit is an element of an array or a character of a string. */
export function charge(environment: Environment, units: number): void {
  const { base } = environment;
  if (base === undefined) return;
  const total = (charged.get(base) ?? 0) + units;
  if (total > JSONATA_ALLOCATIONS) throw new RangeError(MEMORY_EXCEEDED);
  charged.set(base, total);
}

/** jsonata calls this after every step of an evaluation. */
export function chargeStep(
  node: Node,
  _input: unknown,
  environment: Environment,
  result: unknown,
): void {
  const units = typeof result === 'string' ? ofString(node, result) : ofArray(node, result);
  if (units > 0) charge(environment, units);
}

function ofString(node: Node, text: string): number {
  if (text.length > JSONATA_STRING) throw new RangeError(MEMORY_EXCEEDED);
  if (node.type === 'binary') return CONCATENATION;
  return isCall(node) ? text.length : 0;
}

function ofArray(node: Node, value: unknown): number {
  if (!Array.isArray(value)) return 0;
  const isMade =
    node.type === 'unary' ||
    node.type === 'binary' ||
    isCall(node) ||
    (node.type === 'path' && (value as { readonly sequence?: unknown }).sequence === true);
  return isMade ? value.length : 0;
}

function isCall({ type }: Node): boolean {
  return type === 'function' || type === 'apply';
}
