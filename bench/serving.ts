/**
 * Serving against bare onnxruntime-node on the same model: texts a second, and the time that an endpoint
 * adds at half of the bare server's load. The model is the shipped base with a head trained on the
 * shipped rows. Server, bare server and client take turns on the same machine; medians of rounds.
 * The ratio that counts is that of processor time per text in the process that runs the model: it is
 * the bottleneck as long as a second core serves HTTP, and does not depend on what else the machine does.
 * `tsx bench/serving.ts` runs this file alone.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'csv-parse/sync';
import { fineTune } from '../src/ml/fine-tune.js';
import { endpointsFolder, openEndpoints } from '../src/serving/index.js';
import { median } from './median.js';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
const ROUND_MS = Number(process.env.BENCH_MS ?? 2000);
const BATCH = 32;

export interface ServingFigures {
  readonly bareTextsPerS: number;
  readonly endpointTextsPerS: number;
  readonly ratio: number;
  /** Processor time per text, bare by endpoint's model process; null where there is no /proc. */
  readonly cpuRatio: number | null;
  /** Processor time of the HTTP process by that of the model process. */
  readonly httpShare: number | null;
  readonly bareP99Ms: number;
  readonly endpointP99Ms: number;
  readonly overheadP50Ms: number;
  readonly overheadP99Ms: number;
}

export async function measureServing(): Promise<ServingFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-serving-'));
  const children: ChildProcess[] = [];
  try {
    const texts = await feedbackTexts();
    const modelDir = await trained(folder);
    const home = join(folder, 'home');
    await openEndpoints(endpointsFolder(home)).switchTo('e', {
      who: 'bench',
      why: 'bench',
      variants: [
        {
          name: 'AllTraffic',
          weight: 1,
          instanceCount: 1,
          model: { name: null, version: null, uri: modelDir, path: modelDir },
        },
      ],
    });
    const bare = await server(folder, 'bare', bareSource(modelDir), children);
    const ours = await server(folder, 'ours', endpointSource(home), children);
    const targets = [
      { name: 'bare', url: `${bare.url}/endpoints/e/invocations` },
      { name: 'ours', url: `${ours.url}/endpoints/e/invocations` },
    ];
    const rates = await throughput(bare, ours, texts);
    const latencies = await latency(targets, texts);
    return { ...rates, ...latencies };
  } finally {
    for (const child of children) child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  }
}

async function feedbackTexts(): Promise<string[]> {
  const csv = await readFile(join(ROOT, 'data/customer_feedback.csv'), 'utf8');
  return (parse(csv, { columns: true }) as { text: string }[]).map((row) => row.text);
}

async function trained(folder: string): Promise<string> {
  const csv = await readFile(join(ROOT, 'data/customer_feedback.csv'), 'utf8');
  const rows = (parse(csv, { columns: true }) as { text: string; sentiment: string }[]).slice(
    0,
    200,
  );
  const path = join(folder, 'train.jsonl');
  const lines = rows.map(({ text, sentiment }) => JSON.stringify({ text, label: sentiment }));
  await writeFile(path, `${lines.join('\n')}\n`);
  const result = await fineTune({
    model: join(ROOT, 'models/stepwell-mini-bert'),
    trainPath: path,
    labels: ['positive', 'neutral', 'negative'],
    outputDir: join(folder, 'model'),
    strategy: 'feature-extraction',
    epochs: 1,
  });
  return result.modelDir;
}

/** `express` with `session.run` behind it: what the endpoint's overhead is measured against. */
function bareSource(modelDir: string): string {
  return `
import express from ${JSON.stringify(import.meta.resolve('express'))};
import { loadClassifier } from ${JSON.stringify(new URL('../src/ml/encoder/classifier.ts', import.meta.url).href)};
const classifier = await loadClassifier(${JSON.stringify(modelDir)}, { threads: 1 });
const app = express();
app.post('/endpoints/e/invocations', express.json({ limit: '6mb' }), async (request, response) => {
  response.json(await classifier.predict(request.body.inputs));
});
// Texts a second without HTTP: the same batches, one after the other.
app.post('/loop', express.json({ limit: '6mb' }), async (request, response) => {
  const { batches, ms } = request.body;
  const begun = performance.now();
  let texts = 0;
  for (let n = 0; performance.now() - begun < ms; n++) {
    const batch = batches[n % batches.length];
    await classifier.predict(batch);
    texts += batch.length;
  }
  response.json({ texts, perSecond: (texts * 1000) / (performance.now() - begun) });
});
const server = app.listen(0, '127.0.0.1', () => process.send(server.address().port));
`;
}

function endpointSource(home: string): string {
  return `
import { startServing } from ${JSON.stringify(new URL('../src/serving/index.ts', import.meta.url).href)};
const serving = await startServing({ home: ${JSON.stringify(home)} });
await serving.ready();
process.send(serving.port);
process.on('disconnect', () => process.exit(0));
`;
}

interface Running {
  readonly url: string;
  readonly pid: number;
}

async function server(
  folder: string,
  name: string,
  source: string,
  children: ChildProcess[],
): Promise<Running> {
  const path = join(folder, `${name}.mts`);
  await writeFile(path, source);
  const child = fork(path, [], {
    execArgv: ['--import', import.meta.resolve('tsx')],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  children.push(child);
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve(Number(message)));
    child.once('exit', (code) => reject(new Error(`The ${name} server ended with ${code}.`)));
  });
  return { url: `http://127.0.0.1:${port}`, pid: child.pid as number };
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

function post(url: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { agent, method: 'POST', headers: { 'content-type': 'application/json' } },
      (reply) => {
        const parts: Buffer[] = [];
        reply.on('data', (part: Buffer) => parts.push(part));
        reply.once('end', () => {
          const text = Buffer.concat(parts).toString('utf8');
          if (reply.statusCode === 200) resolve(text);
          else reject(new Error(`${reply.statusCode}: ${text.slice(0, 200)}`));
        });
      },
    );
    sent.once('error', reject);
    sent.end(body);
  });
}

async function throughput(bare: Running, ours: Running, texts: readonly string[]) {
  const batches = Array.from({ length: 24 }, (_, n) => texts.slice(n * BATCH, (n + 1) * BATCH));
  const bodies = batches.map((inputs) => JSON.stringify({ inputs }));
  const modelPid = await servingChild(ours.url);
  const seen = { bare: [], ours: [], ratio: [], cpu: [], http: [] } as Record<string, number[]>;
  for (let round = -1; round < ROUNDS; round++) {
    const before = [cpuOf(bare.pid), cpuOf(modelPid), cpuOf(ours.pid)];
    const answer = await post(`${bare.url}/loop`, JSON.stringify({ batches, ms: ROUND_MS }));
    const loop = JSON.parse(answer) as { perSecond: number; texts: number };
    const endpoint = await saturate(`${ours.url}/endpoints/e/invocations`, bodies);
    const [bareCpu = 0, modelCpu = 0, httpCpu = 0] = [
      cpuOf(bare.pid),
      cpuOf(modelPid),
      cpuOf(ours.pid),
    ].map((after, index) => after - (before[index] as number));
    if (round < 0) continue;
    seen.bare?.push(loop.perSecond);
    seen.ours?.push(endpoint.perSecond);
    seen.ratio?.push(endpoint.perSecond / loop.perSecond);
    seen.cpu?.push(bareCpu / loop.texts / (modelCpu / endpoint.texts));
    seen.http?.push(httpCpu / modelCpu);
  }
  const known = existsSync('/proc');
  return {
    bareTextsPerS: Math.round(median(seen.bare ?? [])),
    endpointTextsPerS: Math.round(median(seen.ours ?? [])),
    ratio: median(seen.ratio ?? []),
    cpuRatio: known ? median(seen.cpu ?? []) : null,
    httpShare: known ? median(seen.http ?? []) : null,
  };
}

async function servingChild(url: string): Promise<number> {
  const response = await fetch(`${url}/endpoints/e`);
  const view = (await response.json()) as { variants: { pids: number[] }[] };
  return view.variants[0]?.pids[0] ?? 0;
}

/** User and system time of a process in clock ticks; 0 where there is no /proc. */
function cpuOf(pid: number): number {
  if (!existsSync('/proc')) return 0;
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

/** Four requests at a time keep the child busy. */
async function saturate(
  url: string,
  bodies: readonly string[],
): Promise<{ readonly perSecond: number; readonly texts: number }> {
  const begun = performance.now();
  let done = 0;
  let next = 0;
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      while (performance.now() - begun < ROUND_MS) {
        await post(url, bodies[next++ % bodies.length] as string);
        done += BATCH;
      }
    }),
  );
  return { perSecond: (done * 1000) / (performance.now() - begun), texts: done };
}

/** Open loop with single texts at half of what the bare server can do. */
async function latency(
  targets: readonly { readonly name: string; readonly url: string }[],
  texts: readonly string[],
) {
  const bodies = texts.slice(0, 200).map((text) => JSON.stringify({ inputs: [text] }));
  const capacity = await singles(targets[0]?.url as string, bodies);
  const perSecond = capacity / 2;
  const seen = new Map<string, { p50: number[]; p99: number[] }>();
  for (let round = -1; round < ROUNDS; round++) {
    for (const { name, url } of targets) {
      const times = await openLoop(url, bodies, perSecond);
      const known = seen.get(name) ?? { p50: [], p99: [] };
      seen.set(name, known);
      if (round < 0) continue;
      known.p50.push(times[Math.ceil(times.length * 0.5) - 1] as number);
      known.p99.push(times[Math.ceil(times.length * 0.99) - 1] as number);
    }
  }
  const at = (name: string, which: 'p50' | 'p99'): number => median(seen.get(name)?.[which] ?? []);
  return {
    bareP99Ms: at('bare', 'p99'),
    endpointP99Ms: at('ours', 'p99'),
    overheadP50Ms: at('ours', 'p50') - at('bare', 'p50'),
    overheadP99Ms: at('ours', 'p99') - at('bare', 'p99'),
  };
}

async function singles(url: string, bodies: readonly string[]): Promise<number> {
  const begun = performance.now();
  let done = 0;
  while (performance.now() - begun < ROUND_MS) {
    await post(url, bodies[done++ % bodies.length] as string);
  }
  return (done * 1000) / (performance.now() - begun);
}

async function openLoop(
  url: string,
  bodies: readonly string[],
  perSecond: number,
): Promise<number[]> {
  const begun = performance.now();
  const times: number[] = [];
  const sent: Promise<void>[] = [];
  for (let n = 0; ; n++) {
    const due = begun + (n * 1000) / perSecond;
    if (due - begun > ROUND_MS) break;
    const wait = due - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    // From when it was due, so that a late start counts too.
    sent.push(
      post(url, bodies[n % bodies.length] as string).then(
        () => void times.push(performance.now() - due),
      ),
    );
  }
  await Promise.all(sent);
  return times.sort((a, b) => a - b);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const figures = await measureServing();
  console.log('Serving the shipped base with a head, batches of 32 texts');
  console.log(`  bare onnxruntime-node   ${figures.bareTextsPerS} texts/s`);
  console.log(
    `  endpoint over HTTP      ${figures.endpointTextsPerS} texts/s, ${(figures.ratio * 100).toFixed(1)} % of bare`,
  );
  if (figures.cpuRatio !== null && figures.httpShare !== null) {
    console.log(
      `  by processor time       ${(figures.cpuRatio * 100).toFixed(1)} % of bare in the model's process; HTTP takes ${(figures.httpShare * 100).toFixed(0)} % of a core beside it`,
    );
  }
  console.log(
    `  p99 at half load        bare ${figures.bareP99Ms.toFixed(2)} ms, endpoint ${figures.endpointP99Ms.toFixed(2)} ms`,
  );
  console.log(
    `  added by the endpoint   p50 ${figures.overheadP50Ms.toFixed(2)} ms, p99 ${figures.overheadP99Ms.toFixed(2)} ms`,
  );
}
