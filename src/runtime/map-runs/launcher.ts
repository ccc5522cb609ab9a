/**
 * Starts the children of one Map Run while its concurrency allows, looks after those whose end nobody
 * told, and stops those that run.
 */
import { childIdentity, concurrencyOf } from '../../core/map-run.js';
import type { ExecutionState } from '../../core/state.js';
import type { ExecutionArn } from '../../lib/brand.js';
import type { ChildInput } from './children.js';
import { childArnOf } from './order.js';
import { NOT_GIVEN } from './outcome.js';
import type { Parts } from './parts.js';
import type { Child } from './roster.js';

/** Our reason: starts not yet durable at a time; enough to fill a group commit, little memory. */
export const START_WINDOW = 64;
/** Our reason: an end that was not told is found within `LOOK_AROUND_MS`, oldest children first. */
export const LOOK_AROUND_MS = 30_000;
const LOOKED_AT_ONCE = 500;

/** What the Map Run wants to know of its children. */
export interface LauncherEvents {
  /** No further child may start. */
  isOver(): boolean;
  childEnded(state: ExecutionState): void;
  startFailed(error: unknown): void;
  parentEnded(): void;
}

export class Launcher {
  /** Starts that are not durable yet. */
  starting = 0;

  constructor(
    private readonly parts: Parts,
    private readonly events: LauncherEvents,
  ) {}

  /** Waits until one more child may start; false when none may any more. */
  async slot(): Promise<boolean> {
    const { ledger, roster } = this.parts;
    for (;;) {
      if (this.events.isOver()) return false;
      const isFree = roster.running.size < concurrencyOf(ledger.settings);
      if (isFree && this.starting < START_WINDOW) return true;
      await this.wait();
    }
  }

  start(child: ChildInput): void {
    const { order, world } = this.parts;
    const { parent, request, revision } = order;
    this.launch(child, async () => {
      const started = await world.start({
        identity: childIdentity(parent.identity, request, child.index),
        revision,
        input: child.input,
        traceHeader: parent.traceHeader,
      });
      if (started.is === 'exists' && started.state.status !== 'RUNNING') {
        this.events.childEnded(started.state);
      }
    });
  }

  redrive(child: Child): void {
    const { order, world } = this.parts;
    this.launch(child, () => world.redrive(childArnOf(order, child.index)));
  }

  private launch(child: Child, start: () => Promise<void>): void {
    const { alarm, order, patience, roster } = this.parts;
    roster.runs(childArnOf(order, child.index), child);
    this.starting++;
    patience
      .insist(start)
      .catch((error) => this.events.startFailed(error))
      .finally(() => {
        this.starting--;
        alarm.wake();
      });
  }

  /** Until something happens; what happened elsewhere is looked for now and then. */
  async wait(): Promise<void> {
    if (!(await this.parts.alarm.wait())) await this.lookAround();
  }

  /** Another engine on the same store may have ended children, or the parent. */
  private async lookAround(): Promise<void> {
    const { order, patience, roster, world } = this.parts;
    const rowOf = (arn: string) => patience.insist(() => world.store.row(arn as ExecutionArn));
    const parent = await rowOf(order.parent.identity.arn);
    if (parent && parent.status !== 'RUNNING') this.events.parentEnded();
    for (const arn of [...roster.running.keys()].slice(0, LOOKED_AT_ONCE)) {
      const row = await rowOf(arn);
      if (!row || row.status === 'RUNNING') continue;
      const ended = await patience.insist(() => world.state(arn as ExecutionArn));
      if (ended) this.events.childEnded(ended);
    }
  }

  async abortAll(): Promise<void> {
    const { patience, roster, world } = this.parts;
    const arns = [...roster.running.keys()] as ExecutionArn[];
    for (let at = 0; at < arns.length && !patience.isOver; at += START_WINDOW) {
      const stops = arns.slice(at, at + START_WINDOW).map((arn) =>
        patience.insist(async () => {
          await world.stop(arn, NOT_GIVEN);
        }),
      );
      await Promise.all(stops);
    }
  }
}
