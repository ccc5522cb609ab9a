/**
 * All Map Runs of this engine: begins them when a fact asks for it, tells them how their children end,
 * aborts them with their parent, goes on with them after a restart, and shows them to the API.
 */
import type { Env } from '../../core/env.js';
import { MAX_OPEN_MAP_RUNS } from '../../core/limits.js';
import type { Machine } from '../../core/machine.js';
import type { MapRunSettings } from '../../core/map-run.js';
import type { ExecutionState } from '../../core/state.js';
import type { ExecutionArn, FrameId, Seq } from '../../lib/brand.js';
import type { Json } from '../../lib/json.js';
import type { Page } from '../../store/store.js';
import type { MapRun } from '../../wire/map-run.js';
import type { MapRunChange, MapRunsFace } from '../face.js';
import { loadMapRun, MAP_RUN_KIND, OPEN_KIND, type OpenNote } from './document.js';
import { orderOf, type Waiting } from './order.js';
import { Patience } from './patience.js';
import { Quota } from './quota.js';
import { MapRunDrive } from './run.js';
import { openNotes, shownBody, storedRunsOf, updateStored } from './stored.js';
import type { World } from './world.js';

const PAGE = 500;

export interface MapRunsWorld extends Omit<World, 'payloadBytes'> {
  machine(state: ExecutionState): Promise<Machine>;
  env(arn: ExecutionArn): Env;
  /** The payload limit of an execution. */
  payloadBytesOf(arn: ExecutionArn): number;
  drives(arn: ExecutionArn): boolean;
}

export class MapRuns implements MapRunsFace {
  private readonly drives = new Map<string, MapRunDrive>();
  /** Drives by the fact that asked for them. */
  private readonly byWork = new Map<string, MapRunDrive>();
  private readonly ends = new Set<Promise<void>>();
  /** Resolve when the drive has come to rest. */
  private readonly rests = new Map<MapRunDrive, Promise<void>>();
  /** Work under way, from its beginning to its rest, and how often it had been redriven. */
  private readonly redrivesOf = new Map<string, number>();
  /** Work whose drive is not there yet, and whether it was cancelled meanwhile. */
  private readonly beginning = new Map<string, boolean>();
  /** Cancelled and not at rest yet; and what is to begin when they are, for a redrive. */
  private readonly cancelled = new Set<string>();
  private readonly next = new Map<string, () => void>();
  private readonly quota = new Quota(MAX_OPEN_MAP_RUNS);
  /** Map Runs that wait for the store before they begin. */
  private readonly announcing = new Set<Patience>();
  private closed = false;

  constructor(private readonly world: MapRunsWorld) {}

  /** Begins the Map Run that `frame` waits for, or goes on with it. */
  begin(parent: ExecutionState, frame: FrameId, phase: Waiting): void {
    const work = workOf(parent.identity.arn, phase.by);
    if (this.closed) return;
    const redrives = this.redrivesOf.get(work);
    if (redrives !== undefined) {
      // Redriven while it comes to rest: the same work, begun once more.
      const isAnother = this.cancelled.has(work) || phase.redrives > redrives;
      if (isAnother) this.next.set(work, () => this.begin(parent, frame, phase));
      return;
    }
    this.redrivesOf.set(work, phase.redrives);
    this.beginning.set(work, false);
    const end = this.run(parent, frame, phase, work).catch((error) => {
      const { mapRunArn: arn } = phase.request;
      const message = 'A Map Run cannot be driven; it is tried again with the next start.';
      if (!this.closed) this.world.report(message, error, { arn });
    });
    this.ends.add(end);
    end.finally(() => {
      this.ends.delete(end);
      this.cancelled.delete(work);
      this.redrivesOf.delete(work);
      const begin = this.next.get(work);
      this.next.delete(work);
      begin?.();
    });
  }

  private async run(
    parent: ExecutionState,
    frame: FrameId,
    phase: Waiting,
    work: string,
  ): Promise<void> {
    const arn = phase.request.mapRunArn;
    const machine = await this.announce(parent, frame, phase);
    if (machine === null) return;
    const { arn: parentArn } = parent.identity;
    const payloadBytes = this.world.payloadBytesOf(parentArn as ExecutionArn);
    const env = this.world.env(parentArn as ExecutionArn);
    const drive = new MapRunDrive(
      { ...this.world, payloadBytes },
      orderOf(machine, env, parent, frame, phase),
    );
    this.drives.set(arn, drive);
    this.byWork.set(work, drive);
    if (this.beginning.get(work)) drive.abort();
    this.beginning.delete(work);
    // A run inside of another one's child does not wait: the outer one could never end.
    const waits = parent.identity.mapRunArn === null;
    if (waits) await this.quota.enter(work);
    let rest = (): void => undefined;
    this.rests.set(drive, new Promise((resolve) => (rest = resolve)));
    try {
      if (!this.closed) await drive.drive();
    } finally {
      rest();
      this.rests.delete(drive);
      if (waits) this.quota.leave();
      this.drives.delete(arn);
      this.byWork.delete(work);
    }
  }

  /** Notes the Map Run as open and finds its machine; null when the engine closes meanwhile. */
  private async announce(
    parent: ExecutionState,
    frame: FrameId,
    phase: Waiting,
  ): Promise<Machine | null> {
    const { documents } = this.world.store;
    const arn = phase.request.mapRunArn;
    const note: OpenNote = { executionArn: parent.identity.arn, frame, by: phase.by };
    const patience = new Patience(this.world, arn);
    this.announcing.add(patience);
    try {
      await patience.insist(() => documents.put(OPEN_KIND, arn, note as unknown as Json, 'any'));
      return (await patience.insist(() => this.world.machine(parent))) ?? null;
    } finally {
      this.announcing.delete(patience);
    }
  }

  /** Nobody waits for this work any more. */
  cancel(arn: string, by: Seq): void {
    const work = workOf(arn, by);
    const drive = this.byWork.get(work);
    this.next.delete(work);
    if (drive !== undefined || this.beginning.has(work)) this.cancelled.add(work);
    this.quota.release(work);
    if (drive !== undefined) drive.abort();
    else if (this.beginning.has(work)) this.beginning.set(work, true);
  }

  childEnded(state: ExecutionState): void {
    const { mapRunArn } = state.identity;
    if (mapRunArn !== null) this.drives.get(mapRunArn)?.childEnded(state);
  }

  isDriving(mapRunArn: string): boolean {
    return this.drives.has(mapRunArn);
  }

  /**
   * Where several processes share the store: aborts Map Runs whose parent is over and which were in
   * `seen` already; answers all it found, to be seen the next time.
   */
  async endAbandoned(seen: ReadonlySet<string>): Promise<ReadonlySet<string>> {
    const found = new Set<string>();
    for (const { id, note } of await openNotes(this.world.store.documents)) {
      if (this.drives.has(id)) continue;
      const row = await this.world.store.row(note.executionArn as ExecutionArn);
      if (row?.status === 'RUNNING') continue;
      if (seen.has(id)) await this.resume(id, note);
      else found.add(id);
    }
    return found;
  }

  /** Goes on with the Map Runs that a stop interrupted; aborts those whose parent is over. */
  async recover(): Promise<void> {
    for (const { id, note } of await openNotes(this.world.store.documents)) {
      if (this.drives.has(id) || !this.world.drives(note.executionArn as ExecutionArn)) continue;
      await this.resume(id, note);
    }
  }

  private async resume(mapRunArn: string, note: OpenNote): Promise<void> {
    const parent = await this.world.state(note.executionArn as ExecutionArn);
    const phase = parent?.frames.get(note.frame)?.phase;
    const waits = parent?.status === 'RUNNING' && phase?.is === 'map-run' && phase.by === note.by;
    if (parent !== null && waits) return this.begin(parent, note.frame, phase);
    const end = this.abandon(mapRunArn).catch((error) =>
      this.world.report('Children of an aborted Map Run could not be stopped.', error, {
        arn: mapRunArn,
      }),
    );
    this.ends.add(end);
    end.finally(() => this.ends.delete(end));
  }

  /** The parent ended, the process before it could stop the children. */
  private async abandon(mapRunArn: string): Promise<void> {
    const { store } = this.world;
    let stopped = 0;
    for (;;) {
      const page = await store.list({ mapRunArn, status: 'RUNNING' }, PAGE, null);
      if (this.closed) return;
      if (page.items.length === 0) break;
      for (const row of page.items) await this.world.stop(row.arn, { error: null, cause: null });
      stopped += page.items.length;
    }
    const stored = await loadMapRun(store.documents, mapRunArn);
    if (stored?.body.status === 'RUNNING') {
      const { body } = stored;
      const { itemCounts, executionCounts } = body;
      const aborted = { running: 0, aborted: executionCounts.aborted + stopped };
      const over = {
        ...body,
        status: 'ABORTED',
        stoppedAt: this.world.clock.now(),
        executionCounts: { ...executionCounts, ...aborted },
        itemCounts: { ...itemCounts, running: 0, aborted: itemCounts.aborted + itemCounts.running },
      };
      await store.documents.put(MAP_RUN_KIND, mapRunArn, over as unknown as Json, stored.revision);
    }
    await store.documents.remove(OPEN_KIND, mapRunArn);
  }

  async get(mapRunArn: string): Promise<MapRun | null> {
    const drive = this.drives.get(mapRunArn);
    if (drive !== undefined) return drive.shown();
    const stored = await loadMapRun(this.world.store.documents, mapRunArn);
    return stored === null ? null : shownBody(stored.body);
  }

  /** Of one execution, oldest first. */
  async list(executionArn: string, limit: number, token: string | null): Promise<Page<MapRun>> {
    const stored = await storedRunsOf(this.world.store.documents, executionArn);
    const all = stored
      .map((run) => this.drives.get(run.arn)?.shown() ?? run)
      .sort((a, b) => a.startedAt - b.startedAt);
    const from = token === null ? 0 : all.findIndex((run) => run.arn === token) + 1;
    const items = all.slice(from, from + limit);
    const hasMore = from + limit < all.length;
    return { items, next: hasMore ? (items.at(-1)?.arn ?? null) : null };
  }

  /** Children of a redriven run that wait for their turn. */
  pendingRedrive(mapRunArn: string): readonly ExecutionArn[] {
    return this.drives.get(mapRunArn)?.pendingRedrive ?? [];
  }

  /** Applies to children that start from now on; `over` when the run is not RUNNING. */
  async update(mapRunArn: string, change: MapRunChange): Promise<'updated' | 'unknown' | 'over'> {
    const { documents } = this.world.store;
    const drive = this.drives.get(mapRunArn);
    if (drive !== undefined) return (await drive.update(settingsOf(change))) ? 'updated' : 'over';
    return updateStored(documents, mapRunArn, change);
  }

  /**
   * The store may have gone back, and children with it: every Map Run is let go of. Resolves when they
   * may be begun again, from what is stored.
   */
  async letGo(): Promise<void> {
    for (const drive of this.drives.values()) drive.close();
    await Promise.all(this.rests.values());
  }

  /** Leaves all as it is; resolves when nothing runs any more. */
  async close(): Promise<void> {
    this.closed = true;
    for (const patience of this.announcing) patience.isOver = true;
    for (const drive of this.drives.values()) drive.close();
    this.quota.releaseAll();
    await Promise.all(this.ends);
  }
}

function workOf(arn: string, by: Seq): string {
  return `${arn} ${by}`;
}

function settingsOf(change: MapRunChange): Partial<MapRunSettings> {
  const { maxConcurrency, toleratedFailureCount, toleratedFailurePercentage } = change;
  return {
    ...(maxConcurrency === undefined ? {} : { maxConcurrency }),
    ...(toleratedFailureCount === undefined ? {} : { toleratedCount: toleratedFailureCount }),
    ...(toleratedFailurePercentage === undefined
      ? {}
      : { toleratedPercentage: toleratedFailurePercentage }),
  };
}
