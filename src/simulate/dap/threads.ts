/** Frames as the editor's threads: a number each, the root is 1, and a frame keeps its number. */
import { ROOT_FRAME } from '../../core/state.js';
import type { FrameId } from '../../lib/brand.js';
import type { Json } from '../../lib/json.js';

export class Threads {
  private readonly ids = new Map<FrameId, number>([[ROOT_FRAME, 1]]);

  idOf(frame: FrameId): number {
    const known = this.ids.get(frame);
    if (known !== undefined) return known;
    this.ids.set(frame, this.ids.size + 1);
    return this.ids.size;
  }

  /** The root for a number that was never given. */
  frameOf(id: Json | undefined): FrameId {
    for (const [frame, known] of this.ids) if (known === Number(id)) return frame;
    return ROOT_FRAME;
  }
}
