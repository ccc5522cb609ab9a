/** Outputs of children by index, held while they fit into the state's result. */
import type { ExecutionState } from '../../core/state.js';
import { outputOf } from './results.js';

export class HeldOutputs {
  /** Null: too much to hold, or never held; they are read from the children at the end. */
  texts: Map<number, string> | null = null;
  private bytes = 2;

  constructor(private readonly limitBytes: number) {}

  begin(): void {
    this.texts = new Map();
  }

  add(index: number, state: ExecutionState): void {
    if (this.texts === null) return;
    const text = JSON.stringify(outputOf(state));
    this.bytes += Buffer.byteLength(text) + 1;
    // Whether it is too much for the state is seen at the end.
    if (this.bytes > this.limitBytes + 1) this.texts = null;
    else this.texts.set(index, text);
  }
}
