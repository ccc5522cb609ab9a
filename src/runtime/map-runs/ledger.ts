/**
 * The document of one running Map Run: what is stored, written now and then while children end and
 * at once when it matters. Settings that someone else writes into it are taken over.
 */
import type { MapRunSettings, Progress } from '../../core/map-run.js';
import { copyOf } from '../../core/map-run.js';
import type { EpochMs } from '../../lib/brand.js';
import type { Json } from '../../lib/json.js';
import {
  loadMapRun,
  MAP_RUN_KIND,
  type MapRunBody,
  mergedSettings,
  shownCounts,
  shownSettings,
} from './document.js';
import type { Patience } from './patience.js';
import type { World } from './world.js';

/** Our reason: how far the stored counts may lag behind; a restart counts the rest again. */
const CHECKPOINT_MS = 500;

export class Ledger {
  resultsWritten = 0;
  private revision: number | null = null;
  private saving: Promise<unknown> = Promise.resolve();
  private cancelCheckpoint: (() => void) | null = null;

  constructor(
    private readonly world: World,
    private readonly patience: Patience,
    public body: MapRunBody,
    public settings: MapRunSettings,
    /** Null while the stored counts are all that is known. */
    private readonly progress: () => Progress | null,
    private readonly onSettings: () => void,
  ) {}

  /** Takes over what is stored; false when there is nothing. */
  async load(): Promise<boolean> {
    const stored = await this.patience.insist(() =>
      loadMapRun(this.world.store.documents, this.body.arn),
    );
    if (stored === null || stored === undefined) return false;
    this.body = stored.body;
    this.revision = stored.revision;
    const { settings } = stored.body.driver;
    this.settings = mergedSettings(settings, shownSettings(settings), stored.body);
    return true;
  }

  /** The document as it would be written now. */
  current(): MapRunBody {
    const { body, settings } = this;
    const progress = this.progress();
    const cursor = progress === null ? body.driver.cursor : copyOf(progress.cursor);
    return {
      ...body,
      ...(progress === null ? {} : shownCounts(progress, this.resultsWritten)),
      ...shownSettings(settings),
      driver: { ...body.driver, settings, cursor },
    };
  }

  save(): Promise<unknown> {
    this.saving = this.saving
      .catch(() => undefined)
      .then(() => this.patience.insist(() => this.put()));
    return this.saving;
  }

  private async put(): Promise<void> {
    const { documents } = this.world.store;
    for (;;) {
      const before = this.body;
      const body = this.current();
      const { arn } = body;
      const put = await documents.put(MAP_RUN_KIND, arn, body as unknown as Json, this.revision);
      if (put !== 'conflict') {
        this.revision = put;
        this.body = { ...this.body, ...shownSettings(body.driver.settings) };
        return;
      }
      const stored = await loadMapRun(documents, arn);
      this.revision = stored?.revision ?? null;
      if (stored === null) continue;
      this.settings = mergedSettings(this.settings, before, stored.body);
      this.body = { ...this.body, ...shownSettings(this.settings) };
      this.onSettings();
    }
  }

  saveSoon(): void {
    if (this.cancelCheckpoint !== null || this.patience.isOver) return;
    const { clock } = this.world;
    this.cancelCheckpoint = clock.at((clock.now() + CHECKPOINT_MS) as EpochMs, () => {
      this.cancelCheckpoint = null;
      if (this.body.status !== 'RUNNING' || this.patience.isOver) return;
      this.save().catch((error) => this.world.report('A Map Run was not saved.', error, {}));
    });
  }

  stopSaving(): void {
    this.cancelCheckpoint?.();
    this.cancelCheckpoint = null;
  }
}
