/**
 * The training process. ONNX Runtime blocks its thread for a whole run and cannot be interrupted,
 * so training lives in a process of its own that its parent may kill at any moment.
 * Messages in: one `TrainRequest`. Messages out: `TrainMessage`, ending with done or failed.
 */
import { runFineTune } from './train/run.js';
import type { FineTuneResult, ProgressEvent } from './train/run.js';
import type { Settings } from './train/settings.js';

export interface TrainRequest {
  readonly type: 'train';
  readonly settings: Settings;
}

export type TrainMessage =
  | { readonly type: 'progress'; readonly event: ProgressEvent }
  | { readonly type: 'done'; readonly result: FineTuneResult }
  | { readonly type: 'failed'; readonly name: string; readonly message: string };

function send(message: TrainMessage): void {
  process.send!(message);
}

async function answer({ settings }: TrainRequest): Promise<void> {
  try {
    const result = await runFineTune(settings, (event) => {
      send({ type: 'progress', event });
    });
    send({ type: 'done', result });
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    send({ type: 'failed', name, message });
  }
}

// The process stays until its parent, having read the answer, ends it: exiting here could lose the
// message. Without a parent there is nobody to train for.
process.on('message', (request: TrainRequest) => void answer(request));
process.on('disconnect', () => process.exit(1));
