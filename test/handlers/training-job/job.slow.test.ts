import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tarGz } from '../../../src/handlers/training-job/archive.js';
import {
  createTrainingJobHandler,
  type TrainingJobTarget,
} from '../../../src/handlers/training-job/job.js';
import type { HandlerContext } from '../../../src/handlers/handler.js';
import type { JsonObject } from '../../../src/lib/json.js';
import { createWorld, failureOf, type World } from '../world.js';

const PYTHON = '/usr/bin/python3';
const pythonIsHere = ((): boolean => {
  try {
    execFileSync(PYTHON, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    console.warn('SKIPPED: Python training scripts; there is no /usr/bin/python3');
    return false;
  }
})();

let world: World;
beforeEach(async () => {
  world = await createWorld();
  await mkdir(join(world.folder, 'data'));
  await writeFile(join(world.folder, 'data/train.csv'), 'x,y\n1,2\n2,4\n3,6\n');
});
afterEach(() => world.close());

/** A least-squares slope through the origin, in the way of a SageMaker script. */
const PYTHON_SCRIPT = `
import argparse, csv, json, os
parser = argparse.ArgumentParser()
parser.add_argument('--scale', type=float)
parser.add_argument('--model-dir', default=os.environ['SM_MODEL_DIR'])
args = parser.parse_args()
base = os.environ['SAGEMAKER_BASE_DIR']
hps = json.load(open(base + '/input/config/hyperparameters.json'))
assert hps == {'scale': '2.0', 'name': 'line'}, hps
assert json.loads(os.environ['SM_HPS']) == {'scale': 2.0, 'name': 'line'}
assert json.loads(os.environ['SM_CHANNELS']) == ['train']
assert json.load(open(base + '/input/config/resourceconfig.json'))['current_host'] == os.environ['SM_CURRENT_HOST']
rows = list(csv.DictReader(open(os.environ['SM_CHANNEL_TRAIN'] + '/train.csv')))
xy = sum(float(r['x']) * float(r['y']) for r in rows)
slope = args.scale * xy / sum(float(r['x']) ** 2 for r in rows)
for epoch in range(3):
    print('::progress %d/3 epoch' % (epoch + 1))
    print('epoch %d loss: %.2f;' % (epoch, 1 / (epoch + 1)))
open(os.path.join(args.model_dir, 'slope.txt'), 'w').write(str(slope))
os.makedirs(args.model_dir + '/deep', exist_ok=True)
open(args.model_dir + '/deep/notes.txt', 'w').write('made by python')
open(os.environ['SM_OUTPUT_DATA_DIR'] + '/report.json', 'w').write('{}')
`;

/** Fails after a checkpoint the first time, goes on from it the second. */
const NODE_SCRIPT = `
import { existsSync, writeFileSync } from 'node:fs';
const checkpoint = process.env.SM_CHECKPOINT_DIR + '/step';
if (!existsSync(checkpoint)) {
  writeFileSync(checkpoint, '5');
  writeFileSync(process.env.SM_OUTPUT_DIR + '/failure', 'the loss became NaN at step 5');
  process.exit(1);
}
writeFileSync(process.env.SM_MODEL_DIR + '/weights', 'after a retry');
`;

async function handlerOf(command: readonly string[], script: string, more: JsonObject = {}) {
  const file = join(world.folder, 'train');
  await writeFile(file, script);
  const config = world.config({
    functions: { job: { process: [...command, file], contract: 'sagemaker', ...more } },
  });
  const target = config.functions.get('job') as TrainingJobTarget;
  const handler = createTrainingJobHandler('job', target);
  return (parameters: JsonObject, changes: Partial<HandlerContext> = {}) =>
    handler.run(parameters, world.context(config, changes)) as Promise<JsonObject>;
}

describe('a training job in the contract of SageMaker', () => {
  it.skipIf(!pythonIsHere)('runs a Python script, and its model becomes an artifact', async () => {
    const run = await handlerOf([PYTHON], PYTHON_SCRIPT);
    const result = await run({
      hyperparameters: { scale: '2.0', name: 'line' },
      channels: { train: 'data/train.csv' },
      metricDefinitions: [{ Name: 'train:loss', Regex: 'loss: ([0-9.]+);' }],
    }).catch(async (error) => {
      // argparse does not know --name: the script reads it from SM_HPS.
      return { error };
    });
    expect(String(result.error)).toMatch(/AlgorithmError.*unrecognized arguments: --name line/s);
    const tolerant = await handlerOf(
      [PYTHON],
      PYTHON_SCRIPT.replace('parser.parse_args()', 'parser.parse_known_args()[0]'),
    );
    const trained = await tolerant({
      hyperparameters: { scale: '2.0', name: 'line' },
      channels: { train: { uri: 'data/train.csv' } },
      metricDefinitions: [{ Name: 'train:loss', Regex: 'loss: ([0-9.]+);' }],
    });
    expect(trained).toMatchObject({
      jobName: 'Work-execution',
      metrics: { 'train:loss': 0.33 },
      hyperparameters: { scale: '2.0', name: 'line' },
      outputData: { uri: expect.stringMatching(/^artifact:/) },
    });
    expect(world.progress.at(-1)).toEqual([3, 3, 'epoch']);
    const store = world.context(world.config({})).artifacts;
    const model = await store.path((trained.model as JsonObject).uri as string);
    expect(await readFile(join(model, 'slope.txt'), 'utf8')).toBe('4.0');
    expect(await readFile(join(model, 'deep/notes.txt'), 'utf8')).toBe('made by python');
  });

  it('shows the failure file as the cause, and a retry finds its checkpoints', async () => {
    const run = await handlerOf([process.execPath, '--input-type=module', '-e'], '', {
      process: [process.execPath, join(world.folder, 'train.mjs')],
    });
    await writeFile(join(world.folder, 'train.mjs'), NODE_SCRIPT);
    const failure = await failureOf(run({}));
    expect({ error: failure.error, reason: failure.reason }).toEqual({
      error: 'AlgorithmError',
      reason: 'the loss became NaN at step 5',
    });
    const again = await run({ modelFormat: 'tar.gz' });
    expect((again.model as JsonObject).uri).toMatch(/\/model\.tar\.gz$/);
  });

  it('stops with its task: SIGTERM, then SIGKILL', async () => {
    await writeFile(
      join(world.folder, 'train.mjs'),
      'setInterval(() => {}, 1000); console.log("up");',
    );
    const run = await handlerOf([process.execPath], '', {
      process: [process.execPath, join(world.folder, 'train.mjs')],
      graceSeconds: 0.2,
    });
    const controller = new AbortController();
    const reason = new Error('stopped by a person');
    const running = run(
      {},
      { signal: controller.signal, heartbeat: () => controller.abort(reason) },
    );
    await expect(running).rejects.toBe(reason);
  });

  it.each<[JsonObject, RegExp]>([
    [{ environment: { LD_PRELOAD: '/tmp/x.so' } }, /"LD_PRELOAD" may not be set by a task/],
    [{ hyperparameters: { '--exec': '1' } }, /"--exec" is no name/],
    [{ metricDefinitions: [{ Name: 'a', Regex: '(' }] }, /is no regular expression/],
    [{ channels: { train: '../../etc/passwd' } }, /outside|not in|allowed|roots/],
  ])('refuses %j', async (parameters, message) => {
    const run = await handlerOf([process.execPath], '');
    await expect(run(parameters)).rejects.toThrow(message);
  });

  it('mounts its folder as /opt/ml in a container, values of variables out of sight', async () => {
    // Stands for docker: writes its arguments and what a container would leave in /opt/ml/model.
    const engine = join(world.folder, 'engine');
    await writeFile(
      engine,
      `#!/bin/sh
if [ "$1" = rm ]; then echo "$@" > "\${0}.removed"; exit 0; fi
for argument in "$@"; do
  case "$argument" in *:/opt/ml) base="\${argument%:/opt/ml}" ;; esac
done
printf '%s\\n' "$@" > "$base/model/arguments"
printf '%s' "$SM_MODEL_DIR $SM_HP_LR" > "$base/model/seen"
`,
    );
    await chmod(engine, 0o755);
    const config = world.config({
      functions: {
        job: { image: 'example/train:1', engine, environment: { TOKEN: 'secret://key' } },
      },
      secrets: { key: { env: 'API_KEY' } },
    });
    const target = config.functions.get('job') as TrainingJobTarget;
    const context = world.context(config);
    const result = (await createTrainingJobHandler('job', target).run(
      { hyperparameters: { lr: 0.1 }, channels: { train: 'data' } },
      context,
    )) as JsonObject;
    const model = await context.artifacts.path((result.model as JsonObject).uri as string);
    const given = (await readFile(join(model, 'arguments'), 'utf8')).trim().split('\n');
    expect(given.slice(-2)).toEqual(['example/train:1', 'train']);
    expect(given).toContain(`${join(world.folder, 'data')}:/opt/ml/input/data/train:ro`);
    expect(given).toContain('TOKEN');
    expect(given.join(' ')).not.toContain('canary');
    // What a killed run left under the same name is ended first.
    const name = given[given.indexOf('--name') + 1];
    expect((await readFile(`${engine}.removed`, 'utf8')).trim()).toBe(`rm -f ${name}`);
    expect(await readFile(join(model, 'seen'), 'utf8')).toBe('/opt/ml/model 0.1');
  });
});

describe('model.tar.gz', () => {
  it('is the same bytes for the same files, and tar reads it', async () => {
    const folder = join(world.folder, 'model');
    await mkdir(join(folder, 'a'.repeat(90), 'b'.repeat(60)), { recursive: true });
    await writeFile(join(folder, 'weights'), Buffer.alloc(700, 7));
    await writeFile(join(folder, 'a'.repeat(90), 'b'.repeat(60), 'deep.txt'), 'é');
    const archive = await tarGz(folder);
    expect(Buffer.from(archive).equals(Buffer.from(await tarGz(folder)))).toBe(true);
    expect(gunzipSync(archive).length % 512).toBe(0);
    const file = join(world.folder, 'model.tar.gz');
    await writeFile(file, archive);
    const names = execFileSync('tar', ['-tzf', file], { encoding: 'utf8' }).trim().split('\n');
    expect(names).toEqual([`${'a'.repeat(90)}/${'b'.repeat(60)}/deep.txt`, 'weights']);
    const weights = execFileSync('tar', ['-xzOf', file, 'weights']);
    expect(weights.equals(Buffer.alloc(700, 7))).toBe(true);
  });
});
