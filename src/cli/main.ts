#!/usr/bin/env node
/** `stepwell`: the commands and the one place where a mistake becomes a message and an exit status. */
import { Command, CommanderError } from 'commander';
import { ConfigError } from '../handlers/config.js';
import { StoreUnavailable } from '../store/unavailable.js';
import { addExecutions } from './commands/executions.js';
import { addRun } from './commands/run.js';
import { addServe } from './commands/serve.js';
import { addValidate } from './commands/validate.js';
import { EXIT, Problem } from './problem.js';
import { red } from './style.js';
import { VERSION } from './version.js';

function program(): Command {
  const command = new Command('stepwell')
    .description('Runs Amazon States Language state machines, durably, and the life of a model with them.')
    .version(VERSION)
    .showSuggestionAfterError()
    .showHelpAfterError('(stepwell <command> --help shows its options)')
    .exitOverride();
  addRun(command);
  addExecutions(command);
  addValidate(command);
  addServe(command);
  for (const sub of command.commands) sub.exitOverride();
  return command;
}

async function main(): Promise<void> {
  try {
    await program().parseAsync(process.argv);
  } catch (error) {
    process.exitCode = explain(error);
  }
}

function explain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.succeeded : EXIT.badInput;
  if (error instanceof Problem) {
    process.stderr.write(`${red('error')} ${error.message}\n`);
    if (error.mend !== null) process.stderr.write(`  ${error.mend}\n`);
    return EXIT.badInput;
  }
  if (error instanceof ConfigError || error instanceof StoreUnavailable) {
    process.stderr.write(`${red('error')} ${error.message}\n`);
    return EXIT.badInput;
  }
  process.stderr.write(`${red('error')} ${error instanceof Error ? error.stack : String(error)}\n`);
  return EXIT.failed;
}

await main();
