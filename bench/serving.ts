/**
 * Serving against bare onnxruntime-node on the same model: texts a second, and the time that an endpoint
 * adds at half of the bare server's load. The model is the shipped base with a head trained on the
 * shipped rows. Server, bare server and client take turns on the same machine; medians of rounds.
 * `tsx bench/serving.ts` runs this file alone.
 */
import { type ChildProcess, fork } from 'node:child_process';
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
      { name: 'bare', url: `${bare}/endpoints/e/invocations` },
      { name: 'ours', url: `${ours}/endpoints/e/invocations` },
    ];
    const rates = await throughput(bare, targets[1]?.url as string, texts);
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
  response.json({ perSecond: (texts * 1000) / (performance.now() - begun) });
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

async function server(
  folder: string,
  name: string,
  source: string,
  children: ChildProcess[],
): Promise<string> {
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
  return `http://127.0.0.1:${port}`;
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

async function throughput(bare: string, url: string, texts: readonly string[]) {
  const batches = Array.from({ length: 24 }, (_, n) => texts.slice(n * BATCH, (n + 1) * BATCH));
  const bodies = batches.map((inputs) => JSON.stringify({ inputs }));
  const rates = { bare: [] as number[], ours: [] as number[], ratio: [] as number[] };
  for (let round = -1; round < ROUNDS; round++) {
    const answer = await post(`${bare}/loop`, JSON.stringify({ batches, ms: ROUND_MS }));
    const bareRate = (JSON.parse(answer) as { perSecond: number }).perSecond;
    const oursRate = await saturate(url, bodies);
    if (round < 0) continue;
    rates.bare.push(bareRate);
    rates.ours.push(oursRate);
    rates.ratio.push(oursRate / bareRate);
  }
  return {
    bareTextsPerS: Math.round(median(rates.bare)),
    endpointTextsPerS: Math.round(median(rates.ours)),
    ratio: median(rates.ratio),
  };
}

/** Four requests at a time keep the child busy. */
async function saturate(url: string, bodies: readonly string[]): Promise<number> {
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
  return (done * 1000) / (performance.now() - begun);
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
  console.log(
    `  p99 at half load        bare ${figures.bareP99Ms.toFixed(2)} ms, endpoint ${figures.endpointP99Ms.toFixed(2)} ms`,
  );
  console.log(
    `  added by the endpoint   p50 ${figures.overheadP50Ms.toFixed(2)} ms, p99 ${figures.overheadP99Ms.toFixed(2)} ms`,
  );
}
