/** Work that needs the store: tried again while the store is away, given up when the engine closes. */
import type { EpochMs } from '../../lib/brand.js';
import type { World } from './world.js';

const RETRY_MS = 1_000;
/** Our reason: an error that is not the store's may be one too, but hardly three times. */
const ATTEMPTS = 3;

export class Patience {
  /** The engine is closing: everything stays as it is. */
  isOver = false;

  constructor(
    private readonly world: Pick<World, 'clock' | 'report'>,
    private readonly mapRunArn: string,
  ) {}

  /** Undefined when the engine closes meanwhile. */
  async insist<T>(work: () => Promise<T>): Promise<T | undefined> {
    for (let attempt = 1; ; attempt++) {
      if (this.isOver) return undefined;
      try {
        return await work();
      } catch (error) {
        if (this.isOver) return undefined;
        if (!isPassing(error) && attempt >= ATTEMPTS) throw error;
        this.world.report('A Map Run waits for its store.', error, { arn: this.mapRunArn });
        await this.sleep();
      }
    }
  }

  private sleep(): Promise<void> {
    const { clock } = this.world;
    return new Promise((resolve) => {
      clock.at((clock.now() + RETRY_MS) as EpochMs, resolve);
    });
  }
}

/** The store is away for now. */
function isPassing(error: unknown): boolean {
  return error instanceof Error && error.name === 'StoreUnavailable';
}
