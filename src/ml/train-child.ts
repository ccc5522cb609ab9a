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

/** Sends and waits until the message is handed over, so that exiting cannot lose it. */
function send(message: TrainMessage): Promise<void> {
  return new Promise((resolve) => process.send!(message, () => resolve()));
}

async function answer({ settings }: TrainRequest): Promise<void> {
  try {
    const result = await runFineTune(settings, (event) => {
      void send({ type: 'progress', event });
    });
    await send({ type: 'done', result });
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    await send({ type: 'failed', name, message });
  }
  process.exit(0);
}

process.once('message', (request: TrainRequest) => void answer(request));
// Without a parent there is nobody to train for.
process.on('disconnect', () => process.exit(1));
