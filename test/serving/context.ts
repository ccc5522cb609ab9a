/** A HandlerContext for tests: a real artifact store in a temporary home, everything else recorded. */
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createArtifactStore } from '../../src/handlers/artifacts.js';
import type { HandlerContext } from '../../src/handlers/handler.js';
import type { Json } from '../../src/lib/json.js';

export interface TestContext extends HandlerContext {
  readonly submissions: Json[];
  readonly shown: { done: number; total: number; note: string | undefined; details: Json }[];
  readonly warnings: string[];
}

export function testContext(
  home: string,
  {
    visit = 'v1',
    attempt = 0,
    execution = 'weekly',
    state = 'Train',
    ...extra
  }: Partial<HandlerContext> & {
    visit?: string;
    attempt?: number;
    execution?: string;
    state?: string;
  } = {},
): TestContext {
  const submissions: Json[] = [];
  const shown: TestContext['shown'] = [];
  const warnings: string[] = [];
  return {
    signal: new AbortController().signal,
    idempotencyKey: `${execution}/${visit}/${attempt}`,
    visitKey: `${execution}/${visit}`,
    task: {
      executionArn: `arn:aws:states:eu-west-1:123456789012:execution:ml-training:${execution}`,
      executionName: execution,
      stateMachineName: 'ml-training',
      stateName: state,
      resource: 'test',
      attempt,
    },
    heartbeat: () => undefined,
    progress: (done, total, note, details) => {
      shown.push({ done, total, note, details: details ?? null });
    },
    submitted: async (output) => {
      submissions.push(output);
    },
    submission: null,
    taskToken: null,
    log: {
      debug: () => undefined,
      info: () => undefined,
      warn: (message) => void warnings.push(message),
      error: () => undefined,
    },
    fetch: () => Promise.reject(new Error('no network here')),
    files: {
      resolveReadable: async (path) => resolve(home, path),
      resolveWritable: async (path) => resolve(home, path),
    },
    artifacts: createArtifactStore(join(home, 'artifacts')),
    scratch: async () => {
      const folder = join(home, 'scratch', visit);
      await mkdir(folder, { recursive: true });
      return folder;
    },
    secret: () => '',
    submissions,
    shown,
    warnings,
    ...extra,
  };
}
