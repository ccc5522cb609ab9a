/**
 * The hook after every step of an evaluation that can be long or make much: charges what the step
 * made. Values that are only passed on cost nothing.
 */
import { charge, type Environment, MEMORY_EXCEEDED, paceStep } from './jsonata-pace.js';
import { JSONATA_STRING } from './limits.js';

/** A concatenation keeps its two parts and adds a small node. */
const CONCATENATION = 4;

type Node = { readonly type?: string };

/** jsonata awaits what this returns. */
export function chargeStep(
  node: Node,
  _input: unknown,
  environment: Environment,
  result: unknown,
): Promise<void> | undefined {
  const units = typeof result === 'string' ? ofString(node, result) : ofArray(node, result);
  if (units > 0) charge(environment, units);
  return paceStep(environment);
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
