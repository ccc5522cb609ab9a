/**
 * Distributed Map: children per second and memory. `node --expose-gc --import tsx bench/map-run.mts
 * <memory|sqlite> <items> <pass|task|slow|wait>`; items from a CSV file, results to files.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMapItems } from '../src/handlers/map-items/index.js';
import { createGuardedFiles } from '../src/handlers/files.js';
import type { Json, JsonObject } from '../src/lib/json.js';
import { openStore } from '../src/store/open.js';
import { createWorld, mapMachine, PASS, task } from '../test/runtime/map-run-world.js';

const [kind = 'sqlite', items = '10000', work = 'pass'] = process.argv.slice(2);
const count = Number(items);
const folder = mkdtempSync(join(tmpdir(), 'map-bench-'));
const rows = Array.from({ length: count }, (_, index) => `${index},${'x'.repeat(60)}`);
writeFileSync(join(folder, 'items.csv'), `id,text\n${rows.join('\n')}\n`);

const CHILDREN: Record<string, JsonObject> = {
  pass: PASS,
  task: task('fn:echo'),
  slow: task('fn:slow'),
  wait: { Wait: { Type: 'Wait', Seconds: 3, End: true } },
};
const slow = (value: Json) =>
  new Promise<Json>((resolve) => {
    setTimeout(() => resolve(value), 3_000);
  });
const world = await createWorld({
  ...(kind === 'sqlite' ? { store: await openStore(`sqlite:${folder}/store.db`) } : {}),
  mapItems: createMapItems({ files: createGuardedFiles({ roots: [folder], base: folder }) }),
  functions: { 'fn:echo': (value) => value, 'fn:slow': slow },
});
const machine = mapMachine(
  {
    ItemReader: {
      Resource: 'file:read',
      ReaderConfig: { InputType: 'CSV', CSVHeaderLocation: 'FIRST_ROW' },
      Parameters: { Path: 'items.csv' },
    },
    ResultWriter: { Resource: 'file:write', Parameters: { Path: 'out' } },
  },
  CHILDREN[work] ?? PASS,
);

let peak = 0;
const watch = setInterval(() => {
  peak = Math.max(peak, process.memoryUsage().rss);
}, 20);
const before = process.memoryUsage().rss;
const start = Date.now();
const { status } = await world.run(machine, {});
const ms = Date.now() - start;
clearInterval(watch);
const mb = (bytes: number) => Math.round(bytes / 1024 / 1024);
const figures = { kind, count, work, status, ms, perSecond: Math.round((count / ms) * 1000) };
globalThis.gc?.();
const heapMb = mb(process.memoryUsage().heapUsed);
console.log(JSON.stringify({ ...figures, beforeMb: mb(before), peakMb: mb(peak), heapMb }));
await world.engine.close();
await world.store.close();
rmSync(folder, { recursive: true });
process.exit(0);
