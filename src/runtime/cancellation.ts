/**
 * Whether a running attempt is still wanted. An AbortSignal costs as much as a short task does, and
 * most handlers never look at theirs: it is made when it is asked for.
 */
export class Cancellation {
  private controller: AbortController | null = null;
  private because: Error | null = null;

  /** Why nobody waits any more; null while somebody does. */
  get reason(): Error | null {
    return this.because;
  }

  get signal(): AbortSignal {
    if (this.controller === null) {
      this.controller = new AbortController();
      if (this.because !== null) this.controller.abort(this.because);
    }
    return this.controller.signal;
  }

  /** The first reason counts, as with an AbortController. */
  abort(reason: Error): void {
    if (this.because !== null) return;
    this.because = reason;
    this.controller?.abort(reason);
  }
}
