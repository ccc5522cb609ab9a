/**
 * Checkpoints: one safetensors file with weights, optimiser state and where the run stands, written
 * beside its final name and renamed, so a kill leaves the old one or the new one, never half. The
 * file carries the identity of its run; another run's checkpoint is not continued.
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { decodeSafetensors, encodeSafetensors } from '../onnx/safetensors.js';
import { type FloatTensor, type FloatTensors, isFloat } from '../onnx/tensor.js';
import type { Scores } from './scores.js';

export interface EpochMetrics {
  /** From 1. */
  readonly epoch: number;
  readonly trainLoss: number;
  readonly validation: Scores | null;
}

/** Where a run stands between two steps. */
export interface Progress {
  /** Steps done. */
  readonly step: number;
  /** Sum of the losses since the epoch began. */
  readonly epochLoss: number;
  readonly metrics: readonly EpochMetrics[];
  /** Best epoch so far by the early-stop metric, from 1; null before the first evaluation. */
  readonly bestEpoch: number | null;
  readonly epochsWithoutGain: number;
  readonly stopped: boolean;
}

export const FRESH: Progress = {
  step: 0,
  epochLoss: 0,
  metrics: [],
  bestEpoch: null,
  epochsWithoutGain: 0,
  stopped: false,
};

export interface Checkpoint {
  readonly progress: Progress;
  readonly tensors: FloatTensors;
}

const STATE = 'checkpoint.safetensors';
const BEST = 'best.safetensors';
const FORMAT = '1';

export class CheckpointFolder {
  constructor(
    private readonly folder: string,
    private readonly identity: string,
  ) {
    mkdirSync(folder, { recursive: true });
  }

  save(checkpoint: Checkpoint): void {
    const progress = JSON.stringify(checkpoint.progress);
    this.write(STATE, checkpoint.tensors, { progress });
  }

  /** The last checkpoint of this very run, or null. */
  load(): Checkpoint | null {
    const file = this.read(STATE);
    if (file === null) return null;
    return { progress: JSON.parse(file.metadata.progress!) as Progress, tensors: file.tensors };
  }

  saveBest(tensors: FloatTensors): void {
    this.write(BEST, tensors, {});
  }

  loadBest(): FloatTensors | null {
    return this.read(BEST)?.tensors ?? null;
  }

  private write(name: string, tensors: FloatTensors, metadata: Record<string, string>): void {
    const stamp = { format: FORMAT, identity: this.identity };
    const bytes = encodeSafetensors({ tensors, metadata: { ...stamp, ...metadata } });
    writeDurably(join(this.folder, name), bytes);
  }

  private read(
    name: string,
  ): { tensors: Map<string, FloatTensor>; metadata: Readonly<Record<string, string>> } | null {
    let bytes: Uint8Array;
    try {
      bytes = readFileSync(join(this.folder, name));
    } catch {
      return null;
    }
    const { tensors, metadata } = decodeSafetensors(bytes);
    if (metadata.format !== FORMAT || metadata.identity !== this.identity) return null;
    const floats = [...tensors].filter((entry): entry is [string, FloatTensor] =>
      isFloat(entry[1]),
    );
    return { tensors: new Map(floats), metadata };
  }
}

/** Writes, syncs, renames. */
export function writeDurably(path: string, bytes: Uint8Array | string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  const content = typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : bytes;
  const handle = openSync(temporary, 'w');
  try {
    for (let offset = 0; offset < content.length; ) {
      offset += writeSync(handle, content, offset);
    }
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(temporary, path);
}
