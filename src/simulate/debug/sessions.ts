/** Debuggers held for clients that come and go: bounded in number, ended when nobody asks for them. */
import type { FrameId } from '../../lib/brand.js';
import type { Json } from '../../lib/json.js';
import type { Breakpoint, BreakpointWish } from './breakpoints.js';
import type { Debugger } from './debugger.js';
import type { Stop } from './stops.js';
import { type Scopes, scopesOf, stackOf, type ThreadView, threadsOf } from './view.js';

/** Our reason: each holds a world, or holds an execution back. */
export const MAX_SESSIONS = 8;
export const IDLE_MS = 15 * 60_000;
const SWEEP_MS = 30_000;

export class TooManySessions extends Error {
  override readonly name = 'TooManySessions';
}

/** A move was asked for while another one runs. */
export class SessionRunning extends Error {
  override readonly name = 'SessionRunning';
}

export type Move = (session: Debugger) => Promise<Stop>;

export interface SessionView {
  readonly sessionId: string;
  readonly kind: string;
  readonly executionArn: string;
  readonly status: 'stopped' | 'running';
  readonly expiresAt: number;
  readonly stop: Stop | null;
  readonly executionStatus: string | null;
  readonly outcome: Json;
  readonly threads: readonly ThreadView[];
  readonly breakpoints: readonly (Omit<BreakpointWish, 'condition'> & {
    readonly id: number;
    readonly condition: string | null;
    readonly hits: number;
  })[];
}

export class Session {
  private running: Promise<Stop> | null = null;
  private usedAt: number;

  constructor(
    readonly id: string,
    readonly inner: Debugger,
    private readonly now: () => number,
  ) {
    this.usedAt = now();
  }

  get expiresAt(): number {
    return this.usedAt + IDLE_MS;
  }

  touch(): void {
    this.usedAt = this.now();
  }

  /** Moves, and waits at most `waitMs` for the stop: a longer run goes on by itself. */
  async move(move: Move, waitMs: number): Promise<SessionView> {
    if (this.running !== null) throw new SessionRunning('The session is running: pause it first.');
    const running = move(this.inner);
    this.running = running;
    const settle = (): void => {
      this.running = null;
      this.touch();
    };
    running.then(settle, settle);
    await this.wait(running, waitMs);
    return this.view();
  }

  private async wait(running: Promise<unknown>, waitMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, waitMs);
    });
    await Promise.race([running, late]).finally(() => clearTimeout(timer));
  }

  async pause(waitMs: number): Promise<SessionView> {
    this.inner.pause();
    if (this.running !== null)
      await this.wait(
        this.running.catch(() => undefined),
        waitMs,
      );
    return this.view();
  }

  /** The debugger itself, which stands still. */
  get still(): Debugger {
    if (this.running !== null) throw new SessionRunning('The session is running: pause it first.');
    return this.inner;
  }

  view(): SessionView {
    const { inner, running } = this;
    const { execution } = inner;
    return {
      sessionId: this.id,
      kind: inner.timeline.kind,
      executionArn: inner.timeline.arn,
      status: running === null ? 'stopped' : 'running',
      expiresAt: this.expiresAt,
      stop: running === null ? inner.stop : null,
      executionStatus: execution?.status ?? null,
      outcome: (execution?.outcome ?? null) as Json,
      threads: running === null ? threadsOf(inner) : [],
      breakpoints: inner.breakpoints.list().map(shown),
    };
  }

  /** A frame with those around it and its scopes; null when it is gone. */
  async frame(
    of: FrameId,
  ): Promise<{ readonly stack: readonly ThreadView[]; readonly scopes: Scopes } | null> {
    const scopes = await scopesOf(this.still, of);
    return scopes === null ? null : { stack: stackOf(this.still, of), scopes };
  }
}

function shown({
  evaluate: _compiled,
  ...breakpoint
}: Breakpoint): SessionView['breakpoints'][number] {
  return breakpoint;
}

export class Sessions {
  private readonly all = new Map<string, Session>();
  private sweeper: NodeJS.Timeout | null = null;
  private opening = 0;

  constructor(
    private readonly uuid: () => string,
    private readonly now: () => number = Date.now,
  ) {}

  /** `make` opens the debugger; it stands at its beginning when this resolves. */
  async open(make: () => Promise<Debugger>): Promise<Session> {
    if (this.all.size + this.opening >= MAX_SESSIONS) {
      throw new TooManySessions(
        `There are ${MAX_SESSIONS} debug sessions already: end one of them.`,
      );
    }
    this.opening++;
    try {
      const session = new Session(this.uuid(), await make(), this.now);
      this.all.set(session.id, session);
      this.sweeper ??= setInterval(() => this.sweep(), SWEEP_MS).unref();
      return session;
    } finally {
      this.opening--;
    }
  }

  get(id: string): Session | null {
    const session = this.all.get(id) ?? null;
    session?.touch();
    return session;
  }

  list(): readonly Session[] {
    return [...this.all.values()];
  }

  /** `stop`: a live execution does not go on without its debugger. */
  async end(id: string, stop: boolean): Promise<boolean> {
    const session = this.all.get(id);
    if (session === undefined) return false;
    this.all.delete(id);
    if (this.all.size === 0 && this.sweeper !== null) {
      clearInterval(this.sweeper);
      this.sweeper = null;
    }
    await session.inner.close(stop);
    return true;
  }

  /** Ends sessions that nobody asked for in a while; what they held back goes on. */
  sweep(): void {
    for (const { id, expiresAt } of this.all.values()) {
      if (expiresAt <= this.now()) this.end(id, false).catch(() => undefined);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.all.keys()].map((id) => this.end(id, false)));
  }
}
