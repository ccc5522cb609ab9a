/**
 * How many Map Runs may be open at a time (an AWS quota): one more waits after its MapRunStarted, in
 * order. Who is told to stop does not wait any longer.
 */
export class Quota {
  private open = 0;
  private readonly waiting = new Map<string, () => void>();

  constructor(private readonly most: number) {}

  /** Resolves when `work` may go on; every enter is followed by one leave. */
  async enter(work: string): Promise<void> {
    this.open++;
    if (this.open <= this.most) return;
    await new Promise<void>((resolve) => {
      this.waiting.set(work, resolve);
    });
    this.waiting.delete(work);
  }

  leave(): void {
    this.open--;
    for (const work of this.waiting.keys()) return this.release(work);
  }

  release(work: string): void {
    this.waiting.get(work)?.();
    this.waiting.delete(work);
  }

  releaseAll(): void {
    for (const work of [...this.waiting.keys()]) this.release(work);
  }
}
