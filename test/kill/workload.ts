/**
 * What is killed, and the ledger outside: a machine with functions that write down when they begin and
 * end, a callback, a wait and a Map; and a client that notes everything it was acknowledged.
 */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '../../src/lib/json.js';

export const MACHINE_ARN = 'arn:aws:states:us-east-1:123456789012:stateMachine:Killed';

/** Writes one line as it begins and one when it is done. */
const STEP = `
import { appendFileSync } from 'node:fs';
const note = (what, state, key) => appendFileSync('LEDGER', what + ' ' + state + ' ' + key + '\\n');
export async function handler(event, context) {
  const { stateName, executionName } = context.task;
  const key = executionName + ' ' + context.idempotencyKey;
  note('begin', stateName, key);
  if (event.token) appendFileSync('TOKENS', executionName + ' ' + event.token + '\\n');
  await new Promise((resolve) => setTimeout(resolve, 20));
  note('end', stateName, key);
  return { by: stateName };
}`;

const task = (more: JsonObject): JsonObject => ({ Type: 'Task', Resource: 'step', ...more });

export const MACHINE: JsonObject = {
  StartAt: 'A',
  States: {
    A: task({ ResultPath: '$.a', Next: 'Ask' }),
    Ask: task({
      Resource: 'step.waitForTaskToken',
      Parameters: { 'token.$': '$$.Task.Token' },
      ResultPath: '$.answer',
      Next: 'Rest',
    }),
    Rest: { Type: 'Wait', Seconds: 1, Next: 'Each' },
    Each: {
      Type: 'Map',
      ItemsPath: '$.items',
      MaxConcurrency: 2,
      ItemProcessor: { StartAt: 'M', States: { M: task({ End: true }) } },
      ResultPath: '$.each',
      Next: 'Z',
    },
    Z: task({ ResultPath: '$.z', End: true }),
  },
};

export function prepare(folder: string): void {
  const paths = { LEDGER: join(folder, 'ledger.txt'), TOKENS: join(folder, 'tokens.txt') };
  const source = STEP.replace('LEDGER', paths.LEDGER).replace('TOKENS', paths.TOKENS);
  writeFileSync(join(folder, 'step.mjs'), source);
  const target = './step.mjs#handler';
  const functions = { step: target, 'step.waitForTaskToken': target };
  writeFileSync(join(folder, 'stepwell.config.json'), JSON.stringify({ functions }));
  appendFileSync(paths.LEDGER, '');
  appendFileSync(paths.TOKENS, '');
}

export interface Line {
  readonly what: string;
  readonly state: string;
  readonly execution: string;
  readonly key: string;
}

export function ledgerOf(folder: string): Line[] {
  return readFileSync(join(folder, 'ledger.txt'), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [what = '', state = '', execution = '', key = ''] = line.split(' ');
      return { what, state, execution, key };
    });
}

/** Tokens handed out so far, the newest of each execution last. */
export function tokensOf(folder: string, from: number): { execution: string; token: string }[] {
  const file = join(folder, 'tokens.txt');
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .slice(from)
    .filter((line) => line.includes(' '))
    .map((line) => {
      const [execution = '', token = ''] = line.split(' ');
      return { execution, token };
    });
}
