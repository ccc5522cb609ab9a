/** Which limits hold for an execution: those of its machine, else of the engine. */
import { AWS_LIMITS, type Limits } from '../core/limits.js';
import type { ExecutionArn } from '../lib/brand.js';
import type { EngineOptions } from './engine-options.js';

export function limitsOf(
  { limits = AWS_LIMITS, limitsOf: ofMachine, isStepped }: EngineOptions,
  arn: ExecutionArn,
): Limits {
  const usual = ofMachine?.(machineNameOf(arn)) ?? limits;
  return isStepped?.(arn) === true ? { ...usual, factsPerTurn: 1 } : usual;
}

/** `…:execution:<machine>:…`; a Map Run's child `<machine>/<label>` has the limits of its machine. */
function machineNameOf(arn: ExecutionArn): string {
  let from = -1;
  for (let colons = 0; colons < MACHINE_COLONS; colons++) from = arn.indexOf(':', from + 1);
  const end = arn.indexOf(':', from + 1);
  const name = arn.slice(from + 1, end === -1 ? undefined : end);
  const label = name.indexOf('/');
  return label === -1 ? name : name.slice(0, label);
}

/** Colons before the machine's name in the ARN of an execution. */
const MACHINE_COLONS = 6;
