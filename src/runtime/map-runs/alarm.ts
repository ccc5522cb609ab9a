/** Waiting until something happens, or until it is time to look around by oneself. */
import type { EpochMs } from '../../lib/brand.js';
import type { Clock } from '../clock.js';

export class Alarm {
  private wakeUp: (() => void) | null = null;

  constructor(
    private readonly clock: Clock,
    private readonly lateMs: number,
  ) {}

  /** False when nothing happened for so long. */
  async wait(): Promise<boolean> {
    let wasWoken = true;
    await new Promise<void>((resolve) => {
      const cancel = this.clock.at((this.clock.now() + this.lateMs) as EpochMs, () => {
        wasWoken = false;
        resolve();
      });
      this.wakeUp = () => {
        cancel();
        resolve();
      };
    });
    return wasWoken;
  }

  wake(): void {
    this.wakeUp?.();
    this.wakeUp = null;
  }
}
