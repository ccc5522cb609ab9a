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
  | { readonly type: 'rows'; readonly done: number; readonly total: number }
  | { readonly type: 'done'; readonly result: FineTuneResult }
  | { readonly type: 'failed'; readonly name: string; readonly message: string };

function send(message: TrainMessage): void {
  process.send!(message);
}

/** At most one call a second, the others left out. */
function everySecond(tell: (done: number, total: number) => void): typeof tell {
  let last = 0;
  return (done, total) => {
    if (performance.now() - last < 1000) return;
    last = performance.now();
    tell(done, total);
  };
}

async function answer({ settings }: TrainRequest): Promise<void> {
  try {
    const result = await runFineTune(
      settings,
      (event) => send({ type: 'progress', event }),
      everySecond((done, total) => send({ type: 'rows', done, total })),
    );
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
