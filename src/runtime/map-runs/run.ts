/**
 * One Map Run while it runs: starts children while the concurrency allows, counts how they end, stops
 * when too many fail or the parent is over, and brings the outcome to the parent. Everything it knows
 * can be found again: children are named by index, their journals say how they ended, the document
 * says up to where all of them have. A crash at any point repeats work, never a child.
 */
import type { Failure, Outcome } from '../../core/fact.js';
import { failureOf, parametersTooLarge, RUNTIME, withinLimits } from '../../core/failure.js';
import {
  childIdentity,
  copyOf,
  emptyCursor,
  isThresholdExceeded,
  type MapRunSettings,
  THRESHOLD_EXCEEDED,
} from '../../core/map-run.js';
import { exceedsBytes } from '../../core/payload.js';
import type { ExecutionState } from '../../core/state.js';
import { TaskFailure } from '../../handlers/handler.js';
import { InvariantError } from '../../lib/assert.js';
import type { ExecutionArn } from '../../lib/brand.js';
import type { MapRun } from '../../wire/map-run.js';
import { Alarm } from './alarm.js';
import { type ChildInput, childInputs, ITEM_READER_FAILED, knownItems } from './children.js';
import { conclude, deliver, type Ending } from './conclude.js';
import { newBody } from './document.js';
import { HeldOutputs } from './held-outputs.js';
import { Launcher, LOOK_AROUND_MS } from './launcher.js';
import { Ledger } from './ledger.js';
import { childArnOf, type Order } from './order.js';
import type { Parts } from './parts.js';
import { Patience } from './patience.js';
import { Reconciliation } from './reconcile.js';
import { shapeOf } from './results.js';
import { Roster } from './roster.js';
import { shownBody } from './stored.js';
import type { World } from './world.js';

/** Our reason: the event loop breathes after this many starts. */
const STARTS_PER_BREATH = 50;

export class MapRunDrive {
  private readonly alarm: Alarm;
  private readonly patience: Patience;
  private readonly roster = new Roster();
  private readonly ledger: Ledger;
  private readonly parts: Parts;
  private readonly launcher: Launcher;
  /** Children of before a restart. */
  private readonly earlier: Reconciliation;
  private readonly outputs: HeldOutputs;
  private readonly stopReading = new AbortController();
  /** False for a Map Run that was over before this start: its stored counts are right. */
  private isCounting = false;
  private ending: Ending | null = null;
  /** Our own: the Map Run stays as it is and is reported. */
  private bug: InvariantError | null = null;

  constructor(
    private readonly world: World,
    private readonly order: Order,
  ) {
    this.alarm = new Alarm(world.clock, LOOK_AROUND_MS);
    this.patience = new Patience(world, order.request.mapRunArn);
    this.ledger = this.newLedger();
    this.outputs = new HeldOutputs(world.payloadBytes);
    const { alarm, ledger, patience, roster } = this;
    this.parts = { world, order, patience, ledger, roster, alarm };
    this.launcher = new Launcher(this.parts, {
      isOver: () => this.ending !== null || this.closed,
      childEnded: (state) => this.childEnded(state),
      startFailed: (error) => this.fail(this.failureOf(error)),
      parentEnded: () => this.abort(),
    });
    this.earlier = new Reconciliation(this.parts, (state) => this.childEnded(state));
  }

  private newLedger(): Ledger {
    const { order, patience, world } = this;
    const { request, parent } = order;
    const settings = {
      maxConcurrency: request.maxConcurrency,
      toleratedCount: request.toleratedCount,
      toleratedPercentage: request.toleratedPercentage,
    };
    const body = newBody({
      arn: request.mapRunArn,
      executionArn: parent.identity.arn,
      stateMachineArn: childIdentity(parent.identity, request, 0).stateMachineArn,
      startedAt: world.clock.now(),
      settings,
    });
    const progress = () => (this.isCounting ? this.roster.progress : null);
    return new Ledger(world, patience, body, settings, progress, () => this.alarm.wake());
  }

  private get closed(): boolean {
    return this.patience.isOver;
  }

  get arn(): string {
    return this.order.request.mapRunArn;
  }

  /** Runs to the end, or to `close`. Rejects only on our own bugs. */
  async drive(): Promise<void> {
    const isOver = await this.open();
    if (this.closed) return;
    let outcome: Outcome | null = null;
    if (!isOver) {
      await this.feedChildren();
      await this.drain();
      if (this.closed) return;
      if (this.bug !== null) throw this.bug;
      const { texts } = this.outputs;
      outcome = await conclude(this.parts, this.ending, texts, (version) =>
        this.checkVersion(version),
      );
    }
    if (this.closed) return;
    await deliver(this.parts, outcome);
  }

  /** True when the stored Map Run is over already and only its outcome has to be told again. */
  private async open(): Promise<boolean> {
    const { ledger, order } = this;
    const isStored = await ledger.load();
    if (this.closed) return false;
    const { body } = ledger;
    const isRedrive = body.redriveCount < order.redrives;
    if (body.status !== 'RUNNING' && !isRedrive) return true;
    if (isRedrive) this.reopen(order.redrives);
    this.roster.begin(ledger.body.driver.cursor, knownItems(order.request));
    this.isCounting = true;
    if (!isStored) this.startCollecting();
    if (!isStored || isRedrive) await ledger.save();
    if (isStored) await this.earlier.run();
    return false;
  }

  private reopen(redrives: number): void {
    const { body } = this.ledger;
    this.ledger.body = {
      ...body,
      status: 'RUNNING',
      stoppedAt: null,
      redriveCount: redrives,
      redrivenAt: this.world.clock.now(),
      driver: { ...body.driver, cursor: emptyCursor(), failure: null, output: null },
    };
  }

  private startCollecting(): void {
    const { writer } = this.order.request;
    const inline = writer === null || writer.resource === null;
    if (inline && shapeOf(writer).transformation === 'COMPACT') this.outputs.begin();
  }

  private async feedChildren(): Promise<void> {
    this.judge();
    try {
      await this.redriveFailed();
      await this.feed();
    } catch (error) {
      if (!this.closed && this.ending === null) this.fail(this.failureOf(error));
    }
  }

  private async redriveFailed(): Promise<void> {
    const { launcher, roster } = this;
    while (roster.redrivesWaiting.length > 0) {
      if (!(await launcher.slot())) return;
      const child = roster.nextToRedrive();
      if (child === null) return;
      launcher.redrive(child);
    }
  }

  private async feed(): Promise<void> {
    const { launcher, order, world, roster } = this;
    // While the source is read from the cursor on, the children after it are passed over.
    const { children, items } = copyOf(roster.progress.cursor);
    let started = 0;
    for await (const child of this.inputs({ children, items }, this.earlier.found)) {
      if (exceedsBytes(child.input, world.payloadBytes)) throw parametersTooLarge(order.stateName);
      if (!(await launcher.slot())) return;
      roster.takes(child.index, child.items);
      launcher.start(child);
      if (++started % STARTS_PER_BREATH === 0) await breath();
    }
    if (this.ending !== null || this.closed) return;
    this.earlier.found.clear();
    roster.complete();
    this.judge();
  }

  private inputs(
    from: { readonly children: number; readonly items: number },
    existing: ReadonlyMap<number, number>,
  ): AsyncGenerator<ChildInput> {
    const { request, plan, view } = this.order;
    const { payloadBytes, io } = this.world;
    return childInputs({
      request,
      plan,
      view,
      payloadBytes,
      io,
      place: this.order,
      signal: this.stopReading.signal,
      from,
      existing,
      onOpen: (version) => this.checkVersion(version),
    });
  }

  private checkVersion(version: string | null): void {
    const { body } = this.ledger;
    const { dataVersion } = body.driver;
    if (dataVersion !== null && version !== dataVersion) {
      throw new TaskFailure(
        ITEM_READER_FAILED,
        'The items were changed while the Map Run was interrupted; it cannot go on with others.',
      );
    }
    this.ledger.body = { ...body, driver: { ...body.driver, dataVersion: version } };
  }

  /** Told for every child that ends; ends of children that are not running are stale. */
  childEnded(state: ExecutionState): void {
    this.earlier.heard(state);
    const child = this.roster.ended(state);
    if (child === null) return;
    if (state.status === 'SUCCEEDED') this.outputs.add(child.index, state);
    this.judge();
    this.ledger.saveSoon();
    this.alarm.wake();
  }

  private judge(): void {
    if (isThresholdExceeded(this.ledger.settings, this.roster.progress))
      this.fail(THRESHOLD_EXCEEDED);
  }

  private fail(failure: Failure): void {
    if (this.ending !== null) return;
    this.ending = { status: 'FAILED', failure: withinLimits(failure) };
    this.stopReading.abort();
    this.alarm.wake();
  }

  /** The parent is over: nobody waits for the outcome. */
  abort(): void {
    if (this.ending?.status === 'ABORTED') return;
    this.ending = { status: 'ABORTED' };
    this.stopReading.abort();
    this.alarm.wake();
  }

  /** The failure of the user's run that `error` stands for; bugs are reported and shown as such. */
  private failureOf(error: unknown): Failure {
    if (error instanceof TaskFailure) return { error: error.error, cause: error.reason };
    const failure = failureOf(error, this.order.view.frame);
    if (failure !== null) return failure;
    this.world.report('A Map Run failed unexpectedly.', error, { arn: this.arn });
    if (error instanceof InvariantError) this.bug = error;
    const cause = error instanceof Error ? error.message : String(error);
    return { error: RUNTIME, cause };
  }

  /** Waits for the children; aborts them first when the Map Run has failed or is aborted. */
  private async drain(): Promise<void> {
    let isAborting = false;
    for (;;) {
      if (this.closed || this.bug !== null) return;
      if (this.ending !== null && !isAborting && this.launcher.starting === 0) {
        isAborting = true;
        await this.launcher.abortAll();
      } else if (this.roster.running.size === 0 && this.launcher.starting === 0) return;
      else await this.launcher.wait();
    }
  }

  /** Children that a redrive has not started yet. */
  get pendingRedrive(): readonly ExecutionArn[] {
    return this.roster.redrivesWaiting.map(({ index }) => childArnOf(this.order, index));
  }

  /** What DescribeMapRun shows now. */
  shown(): MapRun {
    return shownBody(this.ledger.current());
  }

  /** False when the Map Run is over. */
  async update(change: Partial<MapRunSettings>): Promise<boolean> {
    const { ledger } = this;
    if (ledger.body.status !== 'RUNNING') return false;
    ledger.settings = { ...ledger.settings, ...change };
    this.judge();
    this.alarm.wake();
    await ledger.save();
    return true;
  }

  /** Leaves everything as it is: the next start goes on from here. */
  close(): void {
    this.patience.isOver = true;
    this.ledger.stopSaving();
    this.stopReading.abort();
    this.alarm.wake();
  }
}

function breath(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
