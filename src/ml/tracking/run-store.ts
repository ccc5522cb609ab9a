/**
 * Runs of training and evaluation in the folder layout of MLflow's file store (`mlruns`): its own tools
 * read them (`mlflow ui --backend-store-uri .stepwell/mlruns`). Parameters are written once; another
 * value for one is a warning and the first stays. Metrics are lines `timestamp value step`.
 */
import { appendFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parse, stringify } from 'yaml';
import { sha256 } from '../../lib/digest.js';
import { replaceFile } from '../registry/files.js';
import { numberOf, numberText } from './numbers.js';

export type RunStatus = 'RUNNING' | 'SCHEDULED' | 'FINISHED' | 'FAILED' | 'KILLED';

const STATUS_CODES: Readonly<Record<RunStatus, number>> = {
  RUNNING: 1,
  SCHEDULED: 2,
  FINISHED: 3,
  FAILED: 4,
  KILLED: 5,
};

export interface RunInfo {
  readonly runId: string;
  readonly name: string;
  readonly experiment: string;
  readonly experimentId: string;
  readonly status: RunStatus;
  readonly startTime: number;
  readonly endTime: number | null;
  readonly user: string;
}

export interface MetricPoint {
  readonly timestamp: number;
  readonly value: number;
  readonly step: number;
}

export interface Run extends RunInfo {
  readonly params: ReadonlyMap<string, string>;
  readonly tags: ReadonlyMap<string, string>;
  /** In the order of their steps. */
  readonly metrics: ReadonlyMap<string, readonly MetricPoint[]>;
  readonly artifacts: readonly string[];
}

export interface NewRun {
  /** Names the run: the same key is the same run, so a resumed attempt goes on in it. */
  readonly key: string;
  readonly experiment: string;
  readonly name: string;
  readonly user: string;
  readonly tags?: Readonly<Record<string, string>>;
}

export interface RunWriter {
  readonly runId: string;
  /** Returns a warning when the parameter has another value already. */
  param(name: string, value: string): Promise<string | null>;
  metric(name: string, value: number, step: number): Promise<void>;
  tag(name: string, value: string): Promise<void>;
  artifact(name: string, content: string | Uint8Array): Promise<void>;
  end(status: RunStatus): Promise<void>;
}

export interface RunStore {
  start(run: NewRun): Promise<RunWriter>;
  /** Newest first. */
  list(): Promise<readonly RunInfo[]>;
  /** By its id or the start of it; null when there is none, throws RangeError when there are several. */
  find(id: string): Promise<Run | null>;
}

const VALUE_MAX = 6_000;
const TAG_MAX = 8_000;

export function openRuns(folder: string, now: () => number = Date.now): RunStore {
  return {
    start: (run) => startRun(folder, run, now),
    list: async () => {
      const found = await allRuns(folder);
      return found.map(({ info }) => info).sort((a, b) => b.startTime - a.startTime);
    },
    find: async (id) => {
      const found = (await allRuns(folder)).filter(({ info }) => info.runId.startsWith(id));
      if (found.length > 1) throw new RangeError(`"${id}" is the start of ${found.length} runs.`);
      return found[0] === undefined ? null : await readRun(found[0].path, found[0].info);
    },
  };
}

async function startRun(folder: string, run: NewRun, now: () => number): Promise<RunWriter> {
  const experimentId = idOfExperiment(run.experiment);
  const home = join(folder, experimentId);
  await writeExperiment(home, experimentId, run.experiment, now);
  const runId = sha256(`run\n${run.experiment}\n${run.key}`).slice(0, 32);
  const path = join(home, runId);
  const before = await infoOf(path, run.experiment);
  const info: RunInfo = {
    runId,
    name: run.name,
    experiment: run.experiment,
    experimentId,
    status: 'RUNNING',
    startTime: before?.startTime ?? now(),
    endTime: null,
    user: run.user,
  };
  for (const part of ['params', 'metrics', 'tags', 'artifacts']) {
    await mkdir(join(path, part), { recursive: true });
  }
  await writeInfo(path, info);
  const writer = writerOf(path, info, now);
  const tags = { 'mlflow.runName': run.name, 'mlflow.user': run.user, ...run.tags };
  for (const [name, value] of Object.entries(tags)) await writer.tag(name, value);
  return writer;
}

function writerOf(path: string, info: RunInfo, now: () => number): RunWriter {
  return {
    runId: info.runId,
    async param(name, value) {
      const file = join(path, 'params', fileName(name));
      const text = value.slice(0, VALUE_MAX);
      try {
        await write(file, text, 'wx');
        return null;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        const kept = await readFile(file, 'utf8');
        if (kept === text) return null;
        return `Parameter "${name}" of run ${info.runId} is "${kept}"; "${text}" was not recorded.`;
      }
    },
    async metric(name, value, step) {
      const file = join(path, 'metrics', fileName(name));
      await mkdir(dirname(file), { recursive: true });
      await appendFile(file, `${now()} ${numberText(value)} ${step}\n`);
    },
    tag: (name, value) => write(join(path, 'tags', fileName(name)), value.slice(0, TAG_MAX), 'w'),
    artifact: (name, content) => write(join(path, 'artifacts', fileName(name)), content, 'w'),
    end: (status) => writeInfo(path, { ...info, status, endTime: now() }),
  };
}

async function write(file: string, content: string | Uint8Array, flag: 'w' | 'wx'): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content, { flag });
}

/** MLflow's alphabet for keys; a slash makes a folder there, and never leads out of the run. */
function fileName(name: string): string {
  const plain = name.replaceAll(/[^\w\-. :/]/g, '_').slice(0, 250);
  const parts = plain.split('/').filter((part) => part !== '' && part !== '.' && part !== '..');
  return parts.length === 0 ? '_' : parts.join('/');
}

/** As MLflow makes them: eighteen digits; from the name here, so that no counter is needed. */
function idOfExperiment(name: string): string {
  const digits = BigInt(`0x${sha256(`experiment\n${name}`).slice(0, 15)}`) % 10n ** 17n;
  return `1${digits.toString().padStart(17, '0')}`;
}

async function writeExperiment(
  home: string,
  id: string,
  name: string,
  now: () => number,
): Promise<void> {
  await mkdir(home, { recursive: true });
  const at = now();
  const meta = {
    artifact_location: pathToFileURL(home).href,
    creation_time: at,
    experiment_id: id,
    last_update_time: at,
    lifecycle_stage: 'active',
    name,
  };
  // Quoted, for YAML would read an id of digits as a number, and lose its last ones.
  const text = stringify(meta, { defaultStringType: 'QUOTE_SINGLE', defaultKeyType: 'PLAIN' });
  await writeFile(join(home, 'meta.yaml'), text, { flag: 'wx' }).catch((error) => {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  });
}

async function writeInfo(path: string, info: RunInfo): Promise<void> {
  const meta = {
    artifact_uri: pathToFileURL(join(path, 'artifacts')).href,
    end_time: info.endTime,
    entry_point_name: '',
    experiment_id: info.experimentId,
    lifecycle_stage: 'active',
    run_id: info.runId,
    run_name: info.name,
    run_uuid: info.runId,
    source_name: 'stepwell',
    source_type: 4,
    source_version: '',
    start_time: info.startTime,
    status: STATUS_CODES[info.status],
    tags: [],
    user_id: info.user,
  };
  const text = stringify(meta, { defaultStringType: 'QUOTE_SINGLE', defaultKeyType: 'PLAIN' });
  await replaceFile(join(path, 'meta.yaml'), text);
}

interface Found {
  readonly path: string;
  readonly info: RunInfo;
}

async function allRuns(folder: string): Promise<readonly Found[]> {
  const found: Found[] = [];
  for (const experimentId of await namesIn(folder)) {
    const home = join(folder, experimentId);
    const experiment = await metaOf(home);
    if (experiment === null) continue;
    for (const runId of await namesIn(home)) {
      const path = join(home, runId);
      const info = await infoOf(path, String(experiment.name ?? experimentId));
      if (info !== null) found.push({ path, info });
    }
  }
  return found;
}

async function infoOf(path: string, experiment: string): Promise<RunInfo | null> {
  const meta = await metaOf(path);
  if (meta === null || typeof meta.run_id !== 'string') return null;
  const known = Object.entries(STATUS_CODES).find(([, code]) => code === meta.status);
  return {
    runId: meta.run_id,
    name: String(meta.run_name ?? ''),
    experiment,
    experimentId: String(meta.experiment_id ?? ''),
    status: (known?.[0] ?? 'RUNNING') as RunStatus,
    startTime: Number(meta.start_time ?? 0),
    endTime: typeof meta.end_time === 'number' ? meta.end_time : null,
    user: String(meta.user_id ?? ''),
  };
}

async function metaOf(path: string): Promise<Record<string, unknown> | null> {
  const text = await readFile(join(path, 'meta.yaml'), 'utf8').catch(() => null);
  if (text === null) return null;
  const meta: unknown = parse(text);
  return typeof meta === 'object' && meta !== null ? (meta as Record<string, unknown>) : null;
}

async function readRun(path: string, info: RunInfo): Promise<Run> {
  const metrics = new Map<string, readonly MetricPoint[]>();
  for (const [name, text] of await filesIn(join(path, 'metrics'))) {
    metrics.set(name, pointsIn(text));
  }
  return {
    ...info,
    params: await filesIn(join(path, 'params')),
    tags: await filesIn(join(path, 'tags')),
    metrics,
    artifacts: (await namesIn(join(path, 'artifacts'), true)).filter((name) => name !== ''),
  };
}

function pointsIn(text: string): readonly MetricPoint[] {
  const points = text.split('\n').flatMap((line) => {
    const [timestamp, word, step] = line.split(' ');
    const value = word === undefined ? null : numberOf(word);
    return value === null ? [] : [{ timestamp: Number(timestamp), value, step: Number(step ?? 0) }];
  });
  return points.sort((a, b) => a.step - b.step || a.timestamp - b.timestamp);
}

async function filesIn(folder: string): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const name of (await namesIn(folder, true)).sort()) {
    const text = await readFile(join(folder, name), 'utf8').catch(() => null);
    if (text !== null) files.set(name, text);
  }
  return files;
}

async function namesIn(folder: string, recursive = false): Promise<string[]> {
  return await readdir(folder, { recursive }).catch(() => []);
}
