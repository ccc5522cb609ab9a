/** Training jobs that go on after their task has ended: `createTrainingJob` without `.sync`. */

export interface BackgroundJobs {
  start(name: string, work: (signal: AbortSignal) => Promise<void>): void;
  /** Resolves when no job runs. */
  settle(): Promise<void>;
  /** Aborts every job and waits for its end. */
  stop(): Promise<void>;
}

export function backgroundJobs(): BackgroundJobs {
  const running = new Set<Promise<void>>();
  const stopping = new AbortController();
  const settle = async (): Promise<void> => {
    while (running.size > 0) await Promise.allSettled([...running]);
  };
  return {
    start: (_name, work) => {
      const job: Promise<void> = work(stopping.signal)
        .catch(() => undefined)
        .finally(() => running.delete(job));
      running.add(job);
    },
    settle,
    stop: async () => {
      stopping.abort(new Error('Stepwell is shutting down.'));
      await settle();
    },
  };
}
