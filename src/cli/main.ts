#!/usr/bin/env node
/** `stepwell`: the commands and the one place where a mistake becomes a message and an exit status. */
import { CommanderError } from 'commander';
import { ForkRefused } from '../core/fork/prepare.js';
import { ConfigError } from '../handlers/config/place.js';
import { StoreUnavailable } from '../store/unavailable.js';
import { EXIT, Problem } from './problem.js';
import { program } from './program.js';
import { red } from './style.js';

/** `stepwell history … | head` closes our output early: that is no error of ours. */
function endQuietlyWithThePipe(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? EXIT.succeeded);
    throw error;
  });
}

async function main(): Promise<void> {
  endQuietlyWithThePipe();
  try {
    await (await program(process.argv[2])).parseAsync(process.argv);
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
  if (error instanceof ForkRefused) {
    process.stderr.write(`${red('error')} ${error.message}\n  ${error.mend}\n`);
    return EXIT.badInput;
  }
  if (
    error instanceof ConfigError ||
    isProblemOfFiles(error) ||
    error instanceof StoreUnavailable
  ) {
    process.stderr.write(`${red('error')} ${error.message}\n`);
    return EXIT.badInput;
  }
  process.stderr.write(`${red('error')} ${error instanceof Error ? error.stack : String(error)}\n`);
  return EXIT.failed;
}

/** By name: the simulator is loaded only when it is used. */
function isProblemOfFiles(error: unknown): error is Error {
  return error instanceof Error && ['FileProblems', 'InvalidMachine'].includes(error.name);
}

await main();
