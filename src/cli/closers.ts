/** What a long-running command has opened so far: closed in reverse, also when a later step fails. */

export class Closers {
  private readonly steps: (() => Promise<unknown>)[] = [];

  add(close: () => Promise<unknown>): void {
    this.steps.push(close);
  }

  /** Every step is tried; the first failure is thrown. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (let step = this.steps.pop(); step !== undefined; step = this.steps.pop()) {
      await step().catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }
}
