/** `stepwell debug`: breakpoints, steps forth and back, changes: on the command line or for an editor. */
import type { Command } from 'commander';
import { debugShell } from '../debug-shell.js';
import { type DebugTarget, openDebugger } from '../debugging.js';
import { readInput } from '../input.js';
import { Problem } from '../problem.js';
import { parseSeed } from './simulate.js';

interface DebugOptions {
  readonly input?: string;
  readonly mocks?: string;
  readonly case?: string;
  readonly seed?: number;
  readonly break: readonly string[];
  readonly live?: boolean;
  readonly name?: string;
  readonly store?: string;
  readonly config?: string;
  readonly json?: boolean;
}

export function addDebug(program: Command): void {
  program
    .command('debug')
    .argument('[machine|execution]', 'file with the ASL definition, or name or ARN of an execution')
    .description('step through a machine (simulated, or --live), or through what an execution did')
    .option(
      '--break <where>',
      "stop there: a state, 'exit State', 'fail', 'State if $.n > 3'",
      collect,
      [],
    )
    .option('--input <json>', "input: JSON, '@file' or '-'; made up when absent")
    .option('--mocks <file>', "mocks: our YAML or JSON, or AWS's MockConfigFile.json")
    .option('--case <name>', 'test case of a MockConfigFile.json')
    .option(
      '--seed <number>',
      'seed of uuids, jitter and the order of simultaneous events',
      parseSeed,
    )
    .option('--live', 'real handlers and real time instead of mocks', false)
    .option('--name <name>', 'name of the execution')
    .option('--store <spec>', "where executions are kept: 'sqlite:PATH'")
    .option('--config <file>', 'configuration file (default: stepwell.config.json if present)')
    .option('--json', 'commands as lines on standard input, JSON lines out', false)
    .addHelpText(
      'after',
      `
Examples:
  $ stepwell debug state-machines/hello.asl.json --break Formal
  $ stepwell debug order.asl.json --mocks order.mocks.yaml --break 'fail' --break 'Gate if $.n > 3'
  $ stepwell debug run-1a2b3c4d5e                what a finished execution did, forth and back
  $ printf 'next\\nprint $\\n' | stepwell debug state-machines/hello.asl.json`,
    )
    .action(async (what: string | undefined, options: DebugOptions) => {
      if (what === undefined) {
        throw new Problem(
          'Name a state machine or an execution.',
          'stepwell debug --help shows examples.',
        );
      }
      process.exitCode = await debug(what, options);
    });
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

async function debug(what: string, options: DebugOptions): Promise<number> {
  const { mocks, seed, live, name, store, config } = options;
  const chosen = { mocks, testCase: options.case, seed, live, name, store, config };
  const given = Object.fromEntries(
    Object.entries(chosen).filter(([, value]) => value !== undefined),
  );
  const input = options.input === undefined ? {} : { input: await readInput(options.input) };
  const opened = await openDebugger({ what, ...given, ...input } as DebugTarget);
  return debugShell(opened, {
    json: options.json ?? false,
    breaks: options.break,
    input: process.stdin,
    output: process.stdout,
  });
}
