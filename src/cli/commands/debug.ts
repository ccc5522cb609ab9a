/** `stepwell debug`: breakpoints, steps forth and back, changes: on the command line or for an editor. */
import { type Command, InvalidArgumentError } from 'commander';
import { getOwn, type Json } from '../../lib/json.js';
import type { AdapterWorld } from '../../simulate/dap/adapter.js';
import { converse, listenForEditors } from '../../simulate/dap/server.js';
import { debugShell } from '../debug-shell.js';
import { type DebugTarget, openDebugger } from '../debugging.js';
import { readInput } from '../input.js';
import { cannotListen } from '../listening.js';
import { Problem } from '../problem.js';
import { STORE_OPTION } from '../store-option.js';
import { green } from '../style.js';
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
  readonly dap?: boolean;
  readonly dapPort?: number;
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
    .option(...STORE_OPTION)
    .option('--config <file>', 'configuration file (default: stepwell.config.json if present)')
    .option('--dap', 'speak the Debug Adapter Protocol on standard input and output', false)
    .option('--dap-port <port>', 'the same on this loopback port (0: any free one)', parsePort)
    .option('--json', 'commands as lines on standard input, JSON lines out', false)
    .addHelpText(
      'after',
      `
Examples:
  $ stepwell debug state-machines/hello.asl.json --break Formal
  $ stepwell debug order.asl.json --mocks order.mocks.yaml --break 'fail' --break 'Gate if $.n > 3'
  $ stepwell debug run-1a2b3c4d5e                what a finished execution did, forth and back
  $ stepwell debug --dap                         for editors; docs/debugging.md has a launch.json
  $ printf 'next\\nprint $\\n' | stepwell debug state-machines/hello.asl.json`,
    )
    .action(async (what: string | undefined, options: DebugOptions) => {
      if (options.dap || options.dapPort !== undefined) return speakToEditors(options);
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

function parsePort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new InvalidArgumentError('A port is a number from 0 to 65535.');
}

/** Until the editor has gone, or, on a port, until a signal comes. */
async function speakToEditors(options: DebugOptions): Promise<void> {
  const open = openerFor(options);
  if (options.dapPort === undefined) {
    await converse(process.stdin, process.stdout, open);
    process.stdin.destroy();
    return;
  }
  const { dapPort } = options;
  const server = await listenForEditors(dapPort, open).catch((error) =>
    cannotListen(error, '127.0.0.1', dapPort),
  );
  process.stderr.write(`${green('listening')} on 127.0.0.1:${server.port} for editors\n`);
  await new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
  await server.close();
}

/** Arguments of launch and attach: the options of this command under the same names. */
function openerFor(options: DebugOptions): AdapterWorld['open'] {
  return async (args, how) => {
    const text = (name: string): string | undefined => {
      const value = getOwn(args, name);
      return typeof value === 'string' && value !== '' ? value : undefined;
    };
    const what = text('program') ?? text('machine') ?? text('execution');
    if (what === undefined) {
      throw new Error(
        how === 'attach'
          ? '"execution" in the attach configuration names what to attach to.'
          : '"program" in the launch configuration is the file with the definition.',
      );
    }
    const given = {
      mocks: text('mocks') ?? options.mocks,
      testCase: text('case') ?? options.case,
      store: text('store') ?? options.store,
      config: text('config') ?? options.config,
      name: text('executionName') ?? options.name,
      seed: typeof args.seed === 'number' ? args.seed : options.seed,
      live: args.live === true || options.live,
      input: await inputOf(getOwn(args, 'input')),
    };
    const chosen = Object.entries(given).filter(([, value]) => value !== undefined);
    const of = how === 'attach' ? (text('execution') ?? what) : what;
    return openDebugger({ what: of, ...Object.fromEntries(chosen) } as DebugTarget);
  };
}

/** Text is read as on the command line (`@file` too); anything else is the input itself. */
async function inputOf(given: Json | undefined): Promise<Json | undefined> {
  return typeof given === 'string' ? readInput(given) : given;
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
