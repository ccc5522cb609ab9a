/**
 * Records what a training or evaluation handler was given, says on its way and results in, as a run. A
 * failing record (a full disk) never fails the work: it is a warning in the log.
 */
import { userInfo } from 'node:os';
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../../../lib/json.js';
import type { RunStore, RunWriter } from '../../../ml/tracking/run-store.js';
import { type Handler, type HandlerContext, narrowed } from '../../handler.js';

export function tracked(handler: Handler, runs: RunStore): Handler {
  return {
    ...handler,
    run: async (parameters, context) => {
      const record = await begin(handler, parameters as JsonObject, context, runs);
      if (record === null) return await handler.run(parameters, context);
      const progress: HandlerContext['progress'] = (done, total, note, details) => {
        record.progress(details ?? {});
        context.progress(done, total, note, details);
      };
      try {
        const result = await handler.run(parameters, narrowed(context, { progress }));
        await record.finish(result);
        return result;
      } catch (error) {
        await record.fail(error, context.signal.aborted);
        throw error;
      }
    },
  };
}

interface Recording {
  progress(details: JsonObject): void;
  finish(result: Json): Promise<void>;
  fail(error: unknown, aborted: boolean): Promise<void>;
}

async function begin(
  handler: Handler,
  parameters: JsonObject,
  context: HandlerContext,
  runs: RunStore,
): Promise<Recording | null> {
  const { task, log } = context;
  try {
    const writer = await runs.start({
      key: context.visitKey,
      experiment: task.stateMachineName,
      name: `${task.executionName}/${task.stateName}`,
      user: userName(),
      tags: {
        'mlflow.source.name': handler.resource,
        'mlflow.source.type': 'JOB',
        'stepwell.execution': task.executionArn,
        'stepwell.state': task.stateName,
        'stepwell.attempt': String(task.attempt),
      },
    });
    const recording = new Recorder(writer, context);
    await recording.params(parameters);
    return recording;
  } catch (error) {
    log.warn('The run could not be recorded.', { error: String(error) });
    return null;
  }
}

/** Say where a run is, not how good it is. */
const COUNTERS: ReadonlySet<string> = new Set(['step', 'totalSteps', 'epoch']);

class Recorder implements Recording {
  private writing: Promise<void> = Promise.resolve();
  private warned = false;
  private lastStep = 0;
  private lastKey = '';

  constructor(
    private readonly writer: RunWriter,
    private readonly context: HandlerContext,
  ) {}

  async params(values: JsonObject): Promise<void> {
    for (const [name, value] of flat(values)) {
      const warning = await this.writer.param(name, value);
      if (warning !== null) this.context.log.warn(warning);
    }
  }

  progress(details: JsonObject): void {
    const step = getOwn(details, 'step');
    if (typeof step !== 'number') return;
    this.lastStep = Math.max(this.lastStep, step);
    const numbers = numbersOf(details).filter(([name]) => !COUNTERS.has(name));
    // An epoch's end repeats its last step with the mean loss: that is another metric.
    const key = `${step}`;
    const isRepeated = key === this.lastKey;
    this.lastKey = key;
    for (const [name, value] of numbers) {
      const metric = isRepeated && name === 'loss' ? 'epochLoss' : name;
      this.later(() => this.writer.metric(metric, value, step));
    }
  }

  async finish(result: Json): Promise<void> {
    this.later(async () => {
      if (!isObject(result)) return;
      const { writer, lastStep } = this;
      for (const [name, value] of finalMetrics(result)) {
        await writer.metric(name, value, lastStep);
      }
      const settled = getOwn(result, 'parameters');
      if (isObject(settled)) await this.params(settled);
      const links = linksIn(result);
      await writer.artifact('links.json', `${JSON.stringify(links, null, 2)}\n`);
      for (const name of ['dataVersion', 'runId']) {
        const value = getOwn(result, name);
        if (typeof value === 'string') await writer.tag(`stepwell.${name}`, value);
      }
      await writer.end('FINISHED');
    });
    await this.writing;
  }

  async fail(error: unknown, aborted: boolean): Promise<void> {
    this.later(async () => {
      await this.writer.tag(
        'stepwell.error',
        error instanceof Error ? error.message : String(error),
      );
      await this.writer.end(aborted ? 'KILLED' : 'FAILED');
    });
    await this.writing;
  }

  /** One after the other; the first failure is said, the rest is silent. */
  private later(work: () => Promise<void>): void {
    this.writing = this.writing.then(work).catch((error) => {
      if (!this.warned)
        this.context.log.warn('A run is recorded in part.', { error: String(error) });
      this.warned = true;
    });
  }
}

/** `hyperparameters.learningRate` -> `2e-05`; addresses as they are, lists as JSON. */
export function flat(value: JsonObject, prefix = ''): readonly (readonly [string, string])[] {
  return Object.entries(value).flatMap(([key, item]): (readonly [string, string])[] => {
    const name = prefix === '' ? key : `${prefix}.${key}`;
    if (isObject(item)) return [...flat(item, name)];
    return [[name, typeof item === 'string' ? item : JSON.stringify(item)]];
  });
}

function numbersOf(value: Json, prefix = ''): readonly (readonly [string, number])[] {
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, item]): (readonly [string, number])[] => {
    const name = prefix === '' ? key : `${prefix}.${key}`;
    if (typeof item === 'number') return [[name, item]];
    return isObject(item) ? [...numbersOf(item, name)] : [];
  });
}

/** `metrics` of our own handlers, `FinalMetricDataList` of a SageMaker training job. */
function finalMetrics(result: JsonObject): readonly (readonly [string, number])[] {
  const list = getOwn(result, 'FinalMetricDataList');
  if (!isArray(list)) return numbersOf(getOwn(result, 'metrics') ?? {});
  return list.flatMap((item): (readonly [string, number])[] => {
    const [name, value] = isObject(item) ? [item.MetricName, item.Value] : [];
    return typeof name === 'string' && typeof value === 'number' ? [[name, value]] : [];
  });
}

/** Addresses of everything a result points at, by where they stand in it. */
export function linksIn(value: Json, prefix = ''): Readonly<Record<string, string>> {
  const links: [string, string][] = [];
  const visit = (item: Json, name: string): void => {
    if (typeof item === 'string' && item.startsWith('artifact://')) links.push([name, item]);
    else if (isArray(item)) for (const [i, part] of item.entries()) visit(part, `${name}[${i}]`);
    else if (isObject(item)) {
      for (const [key, part] of Object.entries(item))
        visit(part, name === '' ? key : `${name}.${key}`);
    }
  };
  visit(value, prefix);
  return Object.fromEntries(links);
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'unknown';
  }
}
