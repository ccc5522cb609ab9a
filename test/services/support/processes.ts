/** `stepwell serve` and `stepwell worker` as processes of their own, and calls to what is served. */
import type { ChildProcess } from 'node:child_process';
import type { JsonObject } from '../../../src/lib/json.js';
import type { Folder } from '../../support/command-line.js';

export interface Running {
  readonly child: ChildProcess;
  /** What it printed so far, both streams. */
  said(): string;
  /** Resolves with the exit code, after `signal`. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

export async function startProcess(
  folder: Folder,
  args: readonly string[],
  ready: RegExp,
): Promise<Running> {
  const child = folder.start(args);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
  }
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const killLate = (): void => void child.kill('SIGKILL');
  process.once('exit', killLate);
  for (let tries = 0; !ready.test(text); tries++) {
    if (tries > 600 || child.exitCode !== null)
      throw new Error(`${args[0]} did not start: ${text}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    child,
    said: () => text,
    end: (signal) => {
      process.off('exit', killLate);
      child.kill(signal);
      return exited;
    },
  };
}

export function urlOf(serve: Running): string {
  return /listens on (\S+)/.exec(serve.said())?.[1] ?? '';
}

/** One operation of the Step Functions API. */
export async function call(url: string, operation: string, body: JsonObject): Promise<JsonObject> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': `AWSStepFunctions.${operation}`,
    },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as JsonObject;
  if (!response.ok) throw new Error(`${operation}: ${JSON.stringify(answer)}`);
  return answer;
}

export async function createMachine(url: string, definition: JsonObject, name = 'M') {
  const { stateMachineArn } = await call(url, 'CreateStateMachine', {
    name,
    definition: JSON.stringify(definition),
    roleArn: 'arn:aws:iam::123456789012:role/x',
  });
  return stateMachineArn as string;
}

export async function start(url: string, stateMachineArn: string, name: string, input: JsonObject) {
  const { executionArn } = await call(url, 'StartExecution', {
    stateMachineArn,
    name,
    input: JSON.stringify(input),
  });
  return executionArn as string;
}

/** Describes it until it is over. */
export async function ended(url: string, executionArn: string, ms = 60_000): Promise<JsonObject> {
  for (const until = Date.now() + ms; ; ) {
    const described = await call(url, 'DescribeExecution', { executionArn });
    if (described.status !== 'RUNNING') return described;
    if (Date.now() > until) throw new Error(`${executionArn} is still running.`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
