import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseConfig } from '../../../src/ml/encoder/config.js';
import { logitGraph } from '../../../src/ml/encoder/training-graph.js';
import { loadWeights } from '../../../src/ml/encoder/weights.js';
import { openSession, runSession } from '../../../src/ml/onnx/session.js';
import type { Tensor } from '../../../src/ml/onnx/tensor.js';
import { PYTHON, torchIsHere } from './torch.js';

const root = mkdtempSync(join(tmpdir(), 'stepwell-huggingface-'));
beforeAll(() => {
  if (!torchIsHere) return;
  const script = join(import.meta.dirname, 'huggingface.py');
  execFileSync(PYTHON, [script, root], { stdio: ['ignore', 'ignore', 'pipe'] });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Expected {
  readonly ids: readonly (readonly number[])[];
  readonly mask: readonly (readonly number[])[];
  readonly logits: readonly (readonly number[])[];
}

const read = (path: string) => JSON.parse(readFileSync(path, 'utf8'));
const int64 = (rows: readonly (readonly number[])[]): Tensor => ({
  type: 'int64',
  shape: [rows.length, rows[0]!.length],
  data: BigInt64Array.from(rows.flat().map(BigInt)),
});

describe.each(['bert', 'distilbert', 'roberta'])('%s as torch saves and exports it', (family) => {
  test.skipIf(!torchIsHere).each(['model.safetensors', 'onnx/model.onnx'])(
    'loaded from %s it gives the logits of torch',
    async (source) => {
      const folder = join(root, family);
      const expected = read(join(folder, 'expected.json')) as Expected;
      const config = parseConfig(read(join(folder, 'config.json')));
      if (source === 'onnx/model.onnx') rmSync(join(folder, 'model.safetensors'));
      const loaded = loadWeights(folder, config);
      expect(loaded.source).toBe(source);
      const shape = { batch: 2, sequence: 6 };
      const session = await openSession(logitGraph(config, 3, shape), 1);
      const result = await runSession(session, {
        input_ids: int64(expected.ids),
        attention_mask: int64(expected.mask),
        ...Object.fromEntries([...loaded.parameters, ...loaded.head]),
      });
      const logits = result.get('logits')!.data as Float32Array;
      const largest = Math.max(...expected.logits.flat().map(Math.abs));
      expected.logits.flat().forEach((value, i) => {
        expect(Math.abs(logits[i]! - value) / largest).toBeLessThan(1e-5);
      });
    },
  );
});
