/** Runs `stepwell` in a folder of its own and takes what it says. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { JsonObject } from '../../src/lib/json.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;

/** From source: needs no build. */
export const FROM_SOURCE = ['--import', TSX, join(ROOT, 'src/cli/main.ts')];
/** What a user runs: needs `npm run build`, which `npm test` does first. */
export const BUILT = [join(ROOT, 'dist/cli/main.js')];
/** Built when there is a build, from source otherwise. */
export const USUAL = existsSync(BUILT[0] as string) ? BUILT : FROM_SOURCE;

export interface Said {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Folder {
  readonly path = mkdtempSync(join(tmpdir(), 'stepwell-cli-'));

  write(name: string, content: unknown): string {
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    writeFileSync(join(this.path, name), text);
    return name;
  }

  start(args: readonly string[], program: readonly string[] = USUAL): ChildProcess {
    return spawn(process.execPath, [...program, ...args], {
      cwd: this.path,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, HOME: this.path, NO_COLOR: '1' },
    });
  }

  run(
    args: readonly string[],
    input = '',
    program: readonly string[] = FROM_SOURCE,
  ): Promise<Said> {
    const child = this.start(args, program);
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
    return said(child);
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export function said(child: ChildProcess): Promise<Said> {
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve) => {
    child.once('close', (status) => resolve({ status, stdout, stderr }));
  });
}

/** What a command printed with `--json`, one value a line. */
export function jsonLines({ stdout }: Said): JsonObject[] {
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as JsonObject);
}
