/** How many tasks this process runs at a time. */

/** They only wait for other executions, whose tasks need the room. */
const WAITS_FOR_OTHERS = /(^|:)states:startExecution\.sync/;

export class Rooms {
  private used = 0;
  private changed: () => void = () => {};

  constructor(readonly size: number) {}

  /** Null when all are taken; else call the function once, when the task is over. */
  take(resource: string): (() => void) | null {
    if (WAITS_FOR_OTHERS.test(resource)) return () => undefined;
    if (this.used >= this.size) return null;
    this.used++;
    this.changed();
    let isFreed = false;
    return () => {
      if (isFreed) return;
      isFreed = true;
      this.used--;
      this.changed();
    };
  }

  get free(): number {
    return this.size - this.used;
  }

  onChange(listener: () => void): void {
    this.changed = listener;
  }
}
