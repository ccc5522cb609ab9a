/** Reads what the command line points to: machines and inputs, with errors that name the place. */
import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { Diagnostic } from '../core/diagnostic.js';
import { exceedsDepth, type Json } from '../lib/json.js';
import { MAX_JSON_DEPTH } from '../core/limits.js';
import { validateDefinition } from '../core/validate.js';
import { Problem } from './problem.js';

export interface MachineFile {
  readonly path: string;
  /** File name without `.asl.json`. */
  readonly name: string;
  readonly text: string;
}

export async function readMachine(path: string): Promise<MachineFile> {
  const text = await readText(path, 'state machine');
  const name = basename(path).replace(/(\.asl)?\.json$/, '');
  return { path, name: name.replaceAll(/[^A-Za-z0-9_-]/g, '-').slice(0, 60) || 'machine', text };
}

export async function readText(path: string, what: string): Promise<string> {
  try {
    return await readFile(resolve(path), 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') {
      throw new Problem(
        `There is no ${what} at ${path}.`,
        'Check the path; it is relative to the current folder.',
      );
    }
    if (code === 'EISDIR') throw new Problem(`${path} is a folder, not a ${what}.`);
    throw new Problem(`Cannot read ${path}: ${(error as Error).message}`);
  }
}

/** `--input`: JSON text, `@file`, or `-` for standard input; `{}` when absent. */
export async function readInput(option: string | undefined): Promise<Json> {
  if (option === undefined) return {};
  const [text, where] =
    option === '-'
      ? [await readStandardInput(), 'standard input']
      : option.startsWith('@')
        ? [await readText(option.slice(1), 'input file'), option.slice(1)]
        : [option, '--input'];
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (error) {
    throw new Problem(
      `The input (${where}) is not JSON: ${(error as Error).message}`,
      `Give JSON such as --input '{"key": "value"}', or --input @file.json.`,
    );
  }
  if (exceedsDepth(value, MAX_JSON_DEPTH)) {
    throw new Problem(`The input (${where}) is nested deeper than ${MAX_JSON_DEPTH} levels.`);
  }
  return value;
}

async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

/** Validates; errors end the command, warnings come back. */
export function checkMachine(
  machine: MachineFile,
  options: { readonly type: 'STANDARD' | 'EXPRESS'; readonly strict: boolean },
): readonly Diagnostic[] {
  const { diagnostics } = validateDefinition(machine.text, options);
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'ERROR');
  if (errors.length > 0) {
    const lines = errors.map((error) => `  ${describeDiagnostic(error)}`).join('\n');
    throw new Problem(`${machine.path} is not a valid state machine:\n${lines}`);
  }
  return diagnostics;
}

export function describeDiagnostic(diagnostic: Diagnostic): string {
  const { code, message, location, hint } = diagnostic;
  const place = location === null ? '' : ` at ${location}`;
  return `${code}: ${message}${place}${hint === undefined ? '' : `\n    mend: ${hint}`}`;
}
