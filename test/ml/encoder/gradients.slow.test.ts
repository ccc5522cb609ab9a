import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { classifierGradients } from '../../../src/ml/encoder/training-graph.js';
import { encodeSafetensors } from '../../../src/ml/onnx/safetensors.js';
import { SeededRandom } from '../../../src/ml/onnx/seeded-random.js';
import { type Feeds, openSession, runSession } from '../../../src/ml/onnx/session.js';
import { floatTensor, type Tensor } from '../../../src/ml/onnx/tensor.js';
import {
  headed,
  LABELS,
  SHAPE,
  SMALL_DISTILBERT,
  seededBatch,
  seededParameters,
  smallConfig,
  visionConfig,
} from './fixture.js';
import { PYTHON, torchIsHere } from './torch.js';

const CASES = [
  ['bert, first token', smallConfig('cls')],
  ['bert, mean', smallConfig('mean')],
  ['roberta, positions from 2', smallConfig('mean', { model_type: 'roberta', pad_token_id: 1 })],
  ['bert with its pooler', headed('bert', { hidden_act: 'gelu_new' })],
  ['distilbert with its pre_classifier', headed('distilbert', SMALL_DISTILBERT)],
  ['roberta with its dense head', headed('roberta', { pad_token_id: 1 })],
  ['vit', visionConfig()],
] as const;

describe.each(CASES)('encoder gradients: %s', (_, config) => {
  test('a step along any direction changes the loss as the gradient says', async () => {
    const session = await openSession(classifierGradients(config, LABELS, SHAPE), 1);
    const parameters = seededParameters(config, 5);
    const feeds: Feeds = { ...seededBatch(config, 5), ...Object.fromEntries(parameters) };
    const base = await runSession(session, feeds);
    const random = new SeededRandom(9);
    for (const [name, tensor] of parameters) {
      const direction = tensor.data.map(() => random.normal());
      const norm = Math.hypot(...direction);
      const slope = dot(base.get(`${name}.gradient`)!, direction) / norm;
      const step = 4e-3;
      const lossAt = async (sign: number): Promise<number> => {
        const moved = tensor.data.map((v, i) => v + (sign * step * direction[i]!) / norm);
        const result = await runSession(session, {
          ...feeds,
          [name]: floatTensor(tensor.shape, moved),
        });
        return result.get('loss')!.data[0] as number;
      };
      const measured = ((await lossAt(1)) - (await lossAt(-1))) / (2 * step);
      // float32 losses near 1 carry 1e-7, so a difference quotient carries about 3e-5.
      expect(Math.abs(measured - slope), name).toBeLessThan(2e-4 + 0.01 * Math.abs(slope));
    }
  });

  test.skipIf(!torchIsHere)('they equal torch within 1e-5', async () => {
    const session = await openSession(classifierGradients(config, LABELS, SHAPE), 1);
    const parameters = seededParameters(config, 7);
    const feeds: Feeds = { ...seededBatch(config, 7), ...Object.fromEntries(parameters) };
    const result = await runSession(session, feeds);
    const loss = result.get('loss')!.data[0] as number;
    const gradients = [...result].filter(([name]) => name.endsWith('.gradient'));
    const tensors = new Map<string, Tensor>([...Object.entries(feeds), ...gradients]);
    const verdict = askTorch(tensors, { config: JSON.stringify(config), loss: String(loss) });
    expect(verdict.tensors).toBe(parameters.size);
    expect(Math.abs(verdict.torchLoss - loss)).toBeLessThan(1e-6 * Math.max(1, loss));
    expect(verdict.worst, verdict.where).toBeLessThan(1e-5);
  });
});

test.skipIf(!torchIsHere)('label smoothing with class weights is that of torch', async () => {
  const config = smallConfig('cls');
  const classWeights = [1, 0.5, 2];
  const smoothing = { share: 0.2, classWeights };
  const model = classifierGradients(config, LABELS, SHAPE, smoothing);
  const session = await openSession(model, 1);
  const parameters = seededParameters(config, 3);
  const labels = [0n, 1n, 2n, 1n];
  // The last row only fills the batch.
  const weights = labels.map((label, row) => (row === 3 ? 0 : classWeights[Number(label)]!));
  const feeds: Feeds = {
    ...seededBatch(config, 3),
    weights: floatTensor([4], Float32Array.from(weights)),
    ...Object.fromEntries(parameters),
  };
  const result = await runSession(session, feeds);
  const loss = result.get('loss')!.data[0] as number;
  const gradients = [...result].filter(([name]) => name.endsWith('.gradient'));
  const verdict = askTorch(new Map<string, Tensor>([...Object.entries(feeds), ...gradients]), {
    config: JSON.stringify(config),
    loss: String(loss),
    smoothing: JSON.stringify(smoothing),
  });
  expect(Math.abs(verdict.torchLoss - loss)).toBeLessThan(1e-6 * Math.max(1, loss));
  expect(verdict.worst, verdict.where).toBeLessThan(1e-5);
});

interface Verdict {
  readonly torchLoss: number;
  readonly worst: number;
  readonly where: string;
  readonly tensors: number;
}

function askTorch(tensors: Map<string, Tensor>, metadata: Record<string, string>): Verdict {
  const folder = mkdtempSync(join(tmpdir(), 'stepwell-oracle-'));
  try {
    const file = join(folder, 'case.safetensors');
    writeFileSync(file, encodeSafetensors({ tensors, metadata }));
    const script = join(import.meta.dirname, '../onnx/torch-oracle.py');
    const verdict = execFileSync(PYTHON, [script, file], { encoding: 'utf8' });
    console.log(verdict.trim());
    return JSON.parse(verdict) as Verdict;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function dot(tensor: Tensor, direction: Float32Array): number {
  return (tensor.data as Float32Array).reduce((sum, value, i) => sum + value * direction[i]!, 0);
}
