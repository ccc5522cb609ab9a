/**
 * ONNX Runtime behind two verbs: run a graph once, or step training state forward in place.
 * `InferenceSession.run` blocks its thread for the whole run (reference/dependencies.md, 0.3), so
 * all of this belongs in a child process when it lasts.
 */
import * as ort from 'onnxruntime-node';
import type { FloatTensor, FloatTensors, Tensor } from './tensor.js';
import { floatTensor } from './tensor.js';

/** More threads than this are never used: small graphs only get slower. */
export const MAX_THREADS = 64;

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
 * Tensors that a training graph reads under their name and writes under `name.next`. Every tensor has
 * two buffers, swapped when a step has written it, so nothing is copied and no run reads what it
 * writes. A graph may read and write only some of the state.
 */
export class TrainingState {
  private readonly current: Map<string, ort.Tensor>;
  private readonly following: Map<string, ort.Tensor>;
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

  /** Runs one step and returns its loss, 0 from a graph that has none. */
  async step(session: Session, feeds: Feeds): Promise<number> {
    const inputs = toOrt(feeds);
    for (const name of session.inputNames) {
      const tensor = this.current.get(name);
      if (tensor !== undefined) inputs[name] = tensor;
    }
    const outputs: Record<string, ort.Tensor> = {};
    const written: string[] = [];
    for (const output of session.outputNames) {
      if (output === 'loss') outputs.loss = this.loss;
      else written.push(output.slice(0, -'.next'.length));
    }
    for (const name of written) outputs[`${name}.next`] = this.following.get(name)!;
    await session.run(inputs, outputs);
    for (const name of written) {
      const before = this.current.get(name)!;
      this.current.set(name, this.following.get(name)!);
      this.following.set(name, before);
    }
    return outputs.loss === undefined ? 0 : (this.loss.data as Float32Array)[0]!;
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
