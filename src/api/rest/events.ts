/**
 * Live events of one execution as server-sent events. The id of each is the event's own, so a client
 * that reconnects with Last-Event-ID misses nothing and sees nothing twice.
 */
import { once } from 'node:events';
import type { Request, Response } from 'express';
import type { ExecutionArn } from '../../lib/brand.js';
import { historyEvent } from '../../wire/describe.js';
import { ApiError, executionDoesNotExist } from '../../wire/errors.js';
import type { HistoryEvent } from '../../wire/history.js';
import type { ApiContext } from '../context.js';
import { clientGone } from '../waiters.js';
import { restful } from './shape.js';

/** Keeps proxies from closing a silent connection. */
const COMMENT_MS = 15_000;
/** Commits that come within this time are sent together. */
const COLLECT_MS = 50;
/** Ours: streams of one execution at a time. */
const MAX_STREAMS = 1000;

export async function streamEvents(
  api: ApiContext,
  arn: ExecutionArn,
  request: Request,
  response: Response,
): Promise<void> {
  if (!api.waiters.enter(`stream ${arn}`, MAX_STREAMS)) {
    throw new ApiError('ThrottlingException', 'Too many open streams.');
  }
  const last = Number(request.headers['last-event-id'] ?? 0);
  const stream = new EventStream(api, arn, response, Number.isInteger(last) ? last : 0);
  try {
    await stream.run();
  } finally {
    api.waiters.leave(`stream ${arn}`);
  }
}

class EventStream {
  private news = true;
  private wake: () => void = () => {};

  constructor(
    private readonly api: ApiContext,
    private readonly arn: ExecutionArn,
    private readonly response: Response,
    private lastId: number,
  ) {}

  async run(): Promise<void> {
    const gone = clientGone(this.response);
    gone.addEventListener('abort', () => this.wake());
    // Subscribed before the first look, so that nothing falls in between.
    const unsubscribe = this.api.engine.subscribe(this.arn, () => this.notice());
    const comments = setInterval(() => {
      if (this.response.headersSent) this.response.write(': still here\n\n');
    }, COMMENT_MS);
    try {
      while (!gone.aborted && (await this.sendNews())) await this.pause(gone);
    } finally {
      clearInterval(comments);
      unsubscribe();
      if (!this.response.destroyed && this.response.headersSent) this.response.end();
    }
  }

  private notice(): void {
    this.news = true;
    this.wake();
  }

  private async pause(gone: AbortSignal): Promise<void> {
    if (!this.news && !gone.aborted) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    if (!gone.aborted) await new Promise((resolve) => setTimeout(resolve, COLLECT_MS));
  }

  /** Sends what is new; false when nothing more can come. */
  private async sendNews(): Promise<boolean> {
    this.news = false;
    const state = await this.api.engine.state(this.arn);
    const events = state === null ? null : await this.api.engine.history(this.arn);
    if (state === null || events === null) throw executionDoesNotExist(this.arn);
    const fresh = events.filter((event) => event.id > this.lastId);
    const over = state.status !== 'RUNNING' && !this.news;
    if (over && fresh.length === 0 && !this.response.headersSent) {
      // 204 tells an EventSource to stop reconnecting.
      this.response.status(204).end();
      return false;
    }
    this.open();
    for (const event of fresh) await this.send(event);
    return !over;
  }

  private open(): void {
    if (this.response.headersSent) return;
    this.response.status(200).set({
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-store',
      'X-Accel-Buffering': 'no',
    });
    this.response.flushHeaders();
  }

  private async send(event: HistoryEvent): Promise<void> {
    const data = JSON.stringify(restful(historyEvent(event, true)));
    const text = `id: ${event.id}\nevent: ${event.type}\ndata: ${data}\n\n`;
    this.lastId = event.id;
    if (this.response.destroyed || this.response.write(text)) return;
    await Promise.race([once(this.response, 'drain'), once(this.response, 'close')]);
  }
}
