/** `--retain-*` of the commands that drive executions for long: what they mean, over the configuration. */
import type { Command } from 'commander';
import { Retention, type RetentionRule } from '../care/retention.js';
import { realClock } from '../runtime/clock.js';
import type { Parts } from './assemble.js';
import { Problem } from './problem.js';

export interface RetentionOptions {
  readonly retainDays?: string;
  readonly retainCount?: string;
  readonly retainBytes?: string;
}

export function withRetentionOptions(command: Command): Command {
  return command
    .option('--retain-days <n>', "keep ended executions so long; 'all' for ever (default: 90)")
    .option('--retain-count <n>', "keep at most so many ended executions; 'all'")
    .option('--retain-bytes <n>', "remove the oldest beyond so many bytes of store; 'all'");
}

export function retentionRule({ config }: Parts, options: RetentionOptions): RetentionRule {
  const { retention: configured } = config;
  return {
    days: boundOf('--retain-days', options.retainDays, configured.days),
    count: boundOf('--retain-count', options.retainCount, configured.count),
    bytes: boundOf('--retain-bytes', options.retainBytes, configured.bytes),
  };
}

/** Begins to sweep; the answer ends it. */
export function startRetention(parts: Parts, rule: RetentionRule): Retention {
  const retention = new Retention(parts.store, rule, realClock, (error) => {
    parts.log.error('Old executions could not be removed.', {
      error: error instanceof Error ? error.message : String(error),
    });
  });
  retention.start();
  return retention;
}

function boundOf(name: string, given: string | undefined, configured: number | null) {
  if (given === undefined) return configured;
  if (given === 'all') return null;
  const value = Number(given);
  if (Number.isFinite(value) && value > 0) return value;
  throw new Problem(`${name} '${given}' is not a number.`, "Write a number, or 'all'.");
}
