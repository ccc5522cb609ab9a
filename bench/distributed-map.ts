/**
 * A Distributed Map over a JSONL file: items per second, and how much memory 10,000 and 100,000
 * items need beyond 1,000. Each size runs in a process of its own, so that one leaves nothing behind
 * for the next. `tsx bench/distributed-map.ts` runs it alone.
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createGuardedFiles } from '../src/handlers/files.js';
import { createMapItems } from '../src/handlers/map-items/index.js';
import type { ExecutionArn } from '../src/lib/brand.js';
import type { JsonObject } from '../src/lib/json.js';
import { createEngine } from '../src/runtime/engine.js';
import { revisionOf } from '../src/runtime/machines.js';
import { SqliteStore } from '../src/store/sqlite.js';
import { median } from './median.js';

const ROUNDS = 5;
const MIB = 1024 * 1024;
const TIMEOUT_MS = 300_000;
const SCOPE = 'arn:aws:states:us-east-1:123456789012';

interface Figures {
  readonly itemsPerS: number;
  readonly peakMiB: number;
}

const MACHINE: JsonObject = {
  StartAt: 'Each',
  States: {
    Each: {
      Type: 'Map',
      MaxConcurrency: 100,
      ItemReader: {
        Resource: 'file:read',
        ReaderConfig: { InputType: 'JSONL' },
        Parameters: { Path: 'items.jsonl' },
      },
      ItemProcessor: {
        ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
        StartAt: 'Item',
        States: { Item: { Type: 'Pass', End: true } },
      },
      ResultWriter: { Resource: 'file:write', Parameters: { Path: 'out' } },
      End: true,
    },
  },
};

/** One Map Run of `count` items over SQLite. */
async function runOnce(count: number): Promise<Figures> {
  const folder = await mkdtemp(join(tmpdir(), 'stepwell-bench-'));
  const lines = Array.from({ length: count }, (_, id) =>
    JSON.stringify({ id, text: 'x'.repeat(80) }),
  );
  await writeFile(join(folder, 'items.jsonl'), `${lines.join('\n')}\n`);
  const store = SqliteStore.open(join(folder, 'store.db'));
  const silent = (): void => undefined;
  const log = { debug: silent, info: silent, warn: silent, error: console.error };
  const engine = await createEngine({
    store,
    resources: { resolve: () => null, explainUnknown: () => 'unknown' },
    services: { scratchRoot: '/nonexistent', log } as never,
    log,
    mapItems: createMapItems({ files: createGuardedFiles({ roots: [folder], base: folder }) }),
  });
  let peak = 0;
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 20);
  try {
    const arn = `${SCOPE}:execution:Bench:run` as ExecutionArn;
    const startedAt = performance.now();
    await engine.start({
      identity: {
        arn,
        name: 'run',
        stateMachineArn: `${SCOPE}:stateMachine:Bench`,
        stateMachineName: 'Bench',
        stateMachineVersionArn: null,
        stateMachineAliasArn: null,
        mapRunArn: null,
        roleArn: 'arn:aws:iam::123456789012:role/bench',
        type: 'STANDARD',
      },
      revision: revisionOf(JSON.stringify(MACHINE), 'STANDARD'),
      input: {},
      traceHeader: null,
    });
    const state = await engine.ended(arn);
    if (state.status !== 'SUCCEEDED') throw new Error(JSON.stringify(state.outcome));
    const seconds = (performance.now() - startedAt) / 1000;
    const {
      items: [run],
    } = await engine.mapRuns.list(arn, 1, null);
    const done = run?.itemCounts.succeeded ?? 0;
    if (done !== count) throw new Error(`${done} of ${count} items succeeded.`);
    return { itemsPerS: count / seconds, peakMiB: Math.max(peak, process.memoryUsage.rss()) / MIB };
  } finally {
    clearInterval(watch);
    await engine.close();
    await store.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function measured(count: number): Figures {
  const args = [...process.execArgv, fileURLToPath(import.meta.url), String(count)];
  const { status, stdout } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: TIMEOUT_MS,
  });
  if (status !== 0) throw new Error(`The run over ${count} items ended with ${status}.`);
  return JSON.parse(stdout.trim().split('\n').at(-1) as string) as Figures;
}

export async function measureDistributedMap(): Promise<JsonObject> {
  console.log(`\nDistributed Map over a JSONL file, sqlite (median of ${ROUNDS})`);
  const rounds = Array.from({ length: ROUNDS }, () => ({
    few: measured(1000),
    many: measured(10_000),
  }));
  const itemsPerS = median(rounds.map(({ many }) => many.itemsPerS));
  const growthMiB = median(rounds.map(({ few, many }) => many.peakMiB - few.peakMiB));
  console.log(`  10,000 items ${Math.round(itemsPerS).toLocaleString('en')} items/s`);
  console.log(
    `  memory from 1,000 to 10,000 items: ${growthMiB.toFixed(0)} MiB; bar 150 ` +
      `${growthMiB < 150 ? 'met' : 'MISSED'}`,
  );
  const most = measured(100_000);
  const few = median(rounds.map(({ few: { peakMiB } }) => peakMiB));
  console.log(
    `  100,000 items complete: ${Math.round(most.itemsPerS).toLocaleString('en')} items/s, ` +
      `${(most.peakMiB - few).toFixed(0)} MiB more than 1,000`,
  );
  return {
    itemsPerS: Math.round(itemsPerS),
    growthMiB: Math.round(growthMiB),
    hundredThousand: { itemsPerS: Math.round(most.itemsPerS), peakMiB: Math.round(most.peakMiB) },
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const count = Number(process.argv[2] ?? 0);
  const result = count > 0 ? await runOnce(count) : await measureDistributedMap();
  console.log(JSON.stringify(result));
}
