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
  concurrencyOf,
  copyOf,
  emptyCursor,
  isThresholdExceeded,
  type MapRunSettings,
  type Progress,
  THRESHOLD_EXCEEDED,
} from '../../core/map-run.js';
import { exceedsBytes } from '../../core/payload.js';
import type { ExecutionState } from '../../core/state.js';
import { TaskFailure } from '../../handlers/handler.js';
import { InvariantError } from '../../lib/assert.js';
import type { ExecutionArn } from '../../lib/brand.js';
import type { MapRun } from '../../wire/map-run.js';
import { Alarm } from './alarm.js';
import {
  type ChildInput,
  childInputs,
  ITEM_READER_FAILED,
  itemsOfInput,
  knownItems,
} from './children.js';
import { newBody, OPEN_KIND } from './document.js';
import { HeldOutputs } from './held-outputs.js';
import { Ledger } from './ledger.js';
import type { Order } from './order.js';
import { inline, isExported, NOT_GIVEN, outcomeOf } from './outcome.js';
import { Patience } from './patience.js';
import { shapeOf } from './results.js';
import { type Child, Roster } from './roster.js';
import type { World } from './world.js';

/** Our reason: starts not yet durable at a time; enough to fill a group commit, little memory. */
const START_WINDOW = 64;
/** Our reason: after a restart, this many absent children in a row mean that no more were started. */
const ABSENT_IN_A_ROW = 2 * START_WINDOW;
/** Our reason: the event loop breathes after this many starts. */
const STARTS_PER_BREATH = 50;
/** Our reason: an end that was not told is found within this, oldest children first. */
const LOOK_AROUND_MS = 30_000;
const LOOKED_AT_ONCE = 500;

type Ending =
  | { readonly status: 'FAILED'; readonly failure: Failure }
  | { readonly status: 'ABORTED' };

export class MapRunDrive {
  private readonly ledger: Ledger;
  private readonly patience: Patience;
  private readonly roster = new Roster();
  /** False for a Map Run that was over before this start: its stored counts are right. */
  private isCounting = false;
  /** Children of before a restart, by index, with their items. */
  private readonly existing = new Map<number, number>();
  /** The child being looked for after a restart. */
  private lookedAt: { readonly arn: string; ended: ExecutionState | null } | null = null;
  private starting = 0;
  private ending: Ending | null = null;
  private readonly outputs: HeldOutputs;
  private outcome: Outcome | null = null;
  private readonly stopReading = new AbortController();
  private readonly alarm: Alarm;
  /** Our own: the Map Run stays as it is and is reported. */
  private bug: InvariantError | null = null;

  constructor(
    private readonly world: World,
    private readonly order: Order,
  ) {
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
    this.outputs = new HeldOutputs(world.payloadBytes);
    this.alarm = new Alarm(world.clock, LOOK_AROUND_MS);
    this.patience = new Patience(world, request.mapRunArn);
    const progress = (): Progress | null => (this.isCounting ? this.roster.progress : null);
    this.ledger = new Ledger(world, this.patience, body, settings, progress, () =>
      this.alarm.wake(),
    );
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
    if (!isOver) {
      await this.feedChildren();
      await this.drain();
      if (this.closed) return;
      if (this.bug !== null) throw this.bug;
      await this.conclude();
    }
    if (this.closed) return;
    await this.deliver();
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
    if (isStored) await this.reconcile();
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

  /** Finds the children that were started before a restart, and how far they are. */
  private async reconcile(): Promise<void> {
    const { roster } = this;
    const from = copyOf(roster.progress.cursor);
    roster.nextIndex = from.children;
    roster.itemsTaken = from.items;
    let absent = 0;
    for (let index = from.children; absent < ABSENT_IN_A_ROW && !this.closed; index++) {
      const isThere = await this.find(index);
      absent = isThere ? 0 : absent + 1;
      if (isThere) roster.nextIndex = index + 1;
    }
  }

  /** Takes child `index` up again, whatever has become of it. */
  private async find(index: number): Promise<boolean> {
    const arn = this.childArn(index);
    this.lookedAt = { arn, ended: null };
    const found = await this.patience.insist(() => this.world.state(arn));
    // It may have ended while it was looked at.
    const state = this.lookedAt.ended ?? found;
    this.lookedAt = null;
    if (state === null || state === undefined) return false;
    const items = itemsOfInput(this.order.request, state.input);
    this.existing.set(index, items);
    this.roster.itemsTaken += items;
    if (this.awaitsRedrive(state)) this.roster.awaitsRedrive({ index, items });
    else {
      this.roster.runs(arn, { index, items });
      if (state.status === 'RUNNING') await this.patience.insist(() => this.world.adopt(arn));
      this.childEnded(state);
    }
    return true;
  }

  /** It failed before the Map Run was redriven, and has not been run again since. */
  private awaitsRedrive(state: ExecutionState): boolean {
    const { redrivenAt } = this.ledger.body;
    if (redrivenAt === null || state.status === 'RUNNING') return false;
    return state.status !== 'SUCCEEDED' && (state.stoppedAt ?? 0) <= redrivenAt;
  }

  private childArn(index: number): ExecutionArn {
    const { parent, request } = this.order;
    return childIdentity(parent.identity, request, index).arn as ExecutionArn;
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
    const { roster } = this;
    while (roster.redrivesWaiting.length > 0) {
      if (!(await this.slot())) return;
      const child = roster.nextToRedrive();
      if (child === null) return;
      this.launch(child, () => this.world.redrive(this.childArn(child.index)));
    }
  }

  private async feed(): Promise<void> {
    const { order, world, roster } = this;
    // While the source is read from the cursor on, the children after it are passed over.
    const { children, items } = copyOf(roster.progress.cursor);
    let started = 0;
    for await (const child of this.inputs({ children, items }, this.existing)) {
      if (exceedsBytes(child.input, world.payloadBytes)) throw parametersTooLarge(order.stateName);
      if (!(await this.slot())) return;
      roster.takes(child.index, child.items);
      this.launch(child, () => this.startChild(child));
      if (++started % STARTS_PER_BREATH === 0) await breath();
    }
    if (this.ending !== null || this.closed) return;
    this.existing.clear();
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

  /** Waits until one more child may start; false when none may any more. */
  private async slot(): Promise<boolean> {
    for (;;) {
      if (this.ending !== null || this.closed) return false;
      const isFree = this.roster.running.size < concurrencyOf(this.ledger.settings);
      if (isFree && this.starting < START_WINDOW) return true;
      await this.wait();
    }
  }

  /** Until something happens; what happened elsewhere is looked for now and then. */
  private async wait(): Promise<void> {
    if (!(await this.alarm.wait())) await this.lookAround();
  }

  /** Another engine on the same store may have ended children, or the parent. */
  private async lookAround(): Promise<void> {
    const { store, state } = this.world;
    const rowOf = (arn: string) => this.patience.insist(() => store.row(arn as ExecutionArn));
    const parent = await rowOf(this.order.parent.identity.arn);
    if (parent && parent.status !== 'RUNNING') this.abort();
    for (const arn of [...this.roster.running.keys()].slice(0, LOOKED_AT_ONCE)) {
      const row = await rowOf(arn);
      if (!row || row.status === 'RUNNING') continue;
      const ended = await this.patience.insist(() => state(arn as ExecutionArn));
      if (ended) this.childEnded(ended);
    }
  }

  private launch(child: Child, start: () => Promise<void>): void {
    this.roster.runs(this.childArn(child.index), child);
    this.starting++;
    this.patience
      .insist(start)
      .catch((error) => this.fail(this.failureOf(error)))
      .finally(() => {
        this.starting--;
        this.alarm.wake();
      });
  }

  private async startChild(child: ChildInput): Promise<void> {
    const { parent, request, revision } = this.order;
    const started = await this.world.start({
      identity: childIdentity(parent.identity, request, child.index),
      revision,
      input: child.input,
      traceHeader: parent.traceHeader,
    });
    if (started.is === 'exists' && started.state.status !== 'RUNNING') {
      this.childEnded(started.state);
    }
  }

  /** Told for every child that ends; ends of children that are not running are stale. */
  childEnded(state: ExecutionState): void {
    if (this.lookedAt?.arn === state.identity.arn) this.lookedAt.ended = state;
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
      if (this.ending !== null && !isAborting && this.starting === 0) {
        isAborting = true;
        await this.abortChildren();
      } else if (this.roster.running.size === 0 && this.starting === 0) return;
      else await this.wait();
    }
  }

  private async abortChildren(): Promise<void> {
    const arns = [...this.roster.running.keys()] as ExecutionArn[];
    for (let at = 0; at < arns.length && !this.closed; at += START_WINDOW) {
      const stops = arns.slice(at, at + START_WINDOW).map((arn) =>
        this.patience.insist(async () => {
          await this.world.stop(arn, NOT_GIVEN);
        }),
      );
      await Promise.all(stops);
    }
  }

  /** Results, then the document: a restart in between writes the results again. */
  private async conclude(): Promise<void> {
    const { ending, ledger, order, roster } = this;
    const failure = ending?.status === 'FAILED' ? ending.failure : NOT_GIVEN;
    const outcome = await outcomeOf({
      world: this.world,
      order,
      patience: this.patience,
      children: roster.nextIndex,
      items: roster.itemsTaken,
      outputs: this.outputs.texts,
      failure: ending === null ? null : failure,
      checkVersion: (version) => this.checkVersion(version),
    });
    if (this.closed) return;
    ledger.stopSaving();
    const inFiles = outcome.ok && isExported(order);
    if (inFiles) ledger.resultsWritten = roster.progress.childTally.succeeded;
    const { body } = ledger;
    ledger.body = {
      ...body,
      status: outcome.ok ? 'SUCCEEDED' : (ending?.status ?? 'FAILED'),
      stoppedAt: this.world.clock.now(),
      driver: {
        ...body.driver,
        failure: outcome.ok ? null : outcome.failure,
        output: inFiles ? outcome.output : null,
      },
    };
    this.outcome = outcome;
    await ledger.save();
  }

  private async deliver(): Promise<void> {
    const { order, world } = this;
    const { body } = this.ledger;
    const outcome = this.outcome ?? (await this.rebuiltOutcome());
    if (this.closed) return;
    const isAborted = body.status === 'ABORTED';
    await this.patience.insist(() =>
      world.ended({
        arn: order.parent.identity.arn as ExecutionArn,
        frame: order.frame,
        by: order.by,
        outcome,
        aborted: isAborted,
      }),
    );
    if (!this.closed)
      await this.patience.insist(() => world.store.documents.remove(OPEN_KIND, this.arn));
  }

  private async rebuiltOutcome(): Promise<Outcome> {
    const { order, patience, world } = this;
    const { driver, executionCounts, status } = this.ledger.body;
    if (status !== 'SUCCEEDED') return { ok: false, failure: driver.failure ?? NOT_GIVEN };
    if (isExported(order)) return { ok: true, output: driver.output };
    return inline({ world, order, patience, children: executionCounts.total, outputs: null });
  }

  /** Children that a redrive has not started yet. */
  get pendingRedrive(): readonly ExecutionArn[] {
    return this.roster.redrivesWaiting.map(({ index }) => this.childArn(index));
  }

  /** What DescribeMapRun shows now. */
  shown(): MapRun {
    const { driver: _driver, ...shown } = this.ledger.current();
    return shown;
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
