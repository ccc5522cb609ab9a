/** Which branches and iterations a frame runs in: read off the fan-outs of its ancestors. */
import type { ExecutionState } from '../core/state.js';
import type { TaskScope } from '../handlers/handler.js';
import type { FrameId } from '../lib/brand.js';

/** Outermost first; empty for the root frame. */
export function scopesOf(state: ExecutionState, frame: FrameId): readonly TaskScope[] {
  const scopes: TaskScope[] = [];
  let child = state.frames.get(frame);
  while (child?.parent != null) {
    const parent = state.frames.get(child.parent);
    if (parent === undefined) break;
    const { phase } = parent;
    if (phase.is === 'fan-out') {
      const item = phase.items?.[child.index];
      scopes.unshift({
        state: parent.state,
        kind: phase.kind,
        index: child.index,
        ...(item === undefined ? {} : { item }),
      });
    }
    child = parent;
  }
  return scopes;
}
