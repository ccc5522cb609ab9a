/** `--limits` of the commands that drive executions, over the configuration: AWS's, or lifted. */
import type { Command } from 'commander';
import { AWS_LIMITS, EXTENDED_LIMITS, type Limits } from '../core/limits.js';
import type { LimitsChoice, LimitsConfig } from '../handlers/config/config.js';
import { Problem } from './problem.js';

export interface LimitsOption {
  readonly limits?: string;
}

export function withLimitsOption(command: Command): Command {
  return command.option(
    '--limits <which>',
    "'aws', or 'extended': payloads up to 64 MiB, histories up to 10 million events",
  );
}

export interface ChosenLimits {
  readonly limits: Limits;
  readonly limitsOf: (stateMachineName: string) => Limits | null;
  /** Longest payload of any machine; 0 when none has more than AWS allows. */
  readonly lifted: number;
}

/** The option decides for all machines that the configuration does not name. */
export function chooseLimits(config: LimitsConfig, given: string | undefined): ChosenLimits {
  if (given !== undefined && given !== 'aws' && given !== 'extended') {
    throw new Problem(`--limits '${given}' is unknown.`, "Write 'aws' or 'extended'.");
  }
  const limits = limitsOf(given ?? config.default);
  const machines = new Map([...config.machines].map(([name, choice]) => [name, limitsOf(choice)]));
  const longest = Math.max(...[limits, ...machines.values()].map((one) => one.payloadBytes));
  return {
    limits,
    limitsOf: (name) => machines.get(name) ?? null,
    lifted: longest > AWS_LIMITS.payloadBytes ? longest : 0,
  };
}

function limitsOf(choice: LimitsChoice): Limits {
  if (choice === 'aws') return AWS_LIMITS;
  if (choice === 'extended') return EXTENDED_LIMITS;
  return { ...AWS_LIMITS, ...choice };
}
