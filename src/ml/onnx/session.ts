/**
 * ONNX Runtime behind two verbs: run a graph once, or step training state forward in place.
 * `InferenceSession.run` blocks its thread for the whole run (reference/dependencies.md, 0.3), so
 * all of this belongs in a child process when it lasts.
 */
import * as ort from 'onnxruntime-node';
import type { FloatTensor, FloatTensors, Tensor } from './tensor.js';
import { floatTensor } from './tensor.js';

/** More threads than this are never used: the work shares its machine. */
export const MAX_THREADS = 2;

export type Session = ort.InferenceSession;
export type Feeds = Record<string, Tensor>;

export async function openSession(model: Uint8Array, threads: number): Promise<Session> {
  return await ort.InferenceSession.create(model, {
    intraOpNumThreads: Math.max(1, Math.min(MAX_THREADS, threads)),
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
    // Spinning workers tripled the step time (120 to 377 ms) on two cores shared with other work.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
}

/** One run; outputs by name. */
export async function runSession(session: Session, feeds: Feeds): Promise<Map<string, Tensor>> {
  const results = await session.run(toOrt(feeds));
  return new Map(Object.entries(results).map(([name, value]) => [name, fromOrt(value)]));
}

/**
 * Tensors that a training graph reads under their name and writes under `name.next`. Two sets of
 * buffers are swapped after each step, so nothing is copied and no run reads what it writes.
 */
export class TrainingState {
  private current: Map<string, ort.Tensor>;
  private following: Map<string, ort.Tensor>;
  private readonly loss = new ort.Tensor('float32', new Float32Array(1), []);

  constructor(tensors: FloatTensors) {
    const allocate = (fill: boolean): Map<string, ort.Tensor> =>
      new Map(
        [...tensors].map(([name, { shape, data }]) => {
          const values = fill ? data.slice() : new Float32Array(data.length);
          return [name, new ort.Tensor('float32', values, shape as number[])];
        }),
      );
    this.current = allocate(true);
    this.following = allocate(false);
  }

  /** Runs one step of a graph that updates all of the state, and returns its loss. */
  async step(session: Session, feeds: Feeds): Promise<number> {
    const inputs = { ...toOrt(feeds), ...Object.fromEntries(this.current) };
    const outputs: Record<string, ort.Tensor> = { loss: this.loss };
    for (const [name, tensor] of this.following) outputs[`${name}.next`] = tensor;
    await session.run(inputs, outputs);
    [this.current, this.following] = [this.following, this.current];
    return (this.loss.data as Float32Array)[0]!;
  }

  /** The current tensors; valid until the next step but one, copy what must stay. */
  tensors(): Map<string, FloatTensor> {
    return new Map(
      [...this.current].map(([name, tensor]) => [
        name,
        floatTensor(tensor.dims, tensor.data as Float32Array),
      ]),
    );
  }
}

function toOrt(feeds: Feeds): Record<string, ort.Tensor> {
  return Object.fromEntries(
    Object.entries(feeds).map(([name, tensor]) => [
      name,
      new ort.Tensor(tensor.type, tensor.data as never, tensor.shape as number[]),
    ]),
  );
}

function fromOrt(value: ort.Tensor): Tensor {
  return { type: value.type as Tensor['type'], shape: value.dims, data: value.data as never };
}
