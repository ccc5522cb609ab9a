/**
 * `stepwell doctor`: is anything stuck, orphaned, quarantined or damaged, and is the ground sound that
 * the store stands on? Findings come as they are made. With `fix`, what follows from the journals is
 * written anew and what belongs to nothing is removed; journals are never touched.
 */
import type { EpochMs, ExecutionArn } from '../lib/brand.js';
import { MAP_RUN_KIND, OPEN_KIND } from '../runtime/map-runs/document.js';
import { QUARANTINE_KIND, type QuarantineNote } from '../runtime/quarantine.js';
import type { Finding } from '../store/care.js';
import type { Store } from '../store/store.js';
import { isHalfRestored } from './backup.js';
import { examine } from './examine.js';
import { everyItem } from '../lib/pages.js';
import { mend } from './rebuild.js';

export interface DoctorOptions {
  readonly now: () => EpochMs;
  readonly fix: boolean;
  /** Verify the journals of ended executions, too. */
  readonly deep: boolean;
  /** Told how many executions have been looked at. */
  readonly onProgress?: (examined: number) => void;
}

export interface Diagnosis extends Finding {
  readonly arn?: string;
  /** Put right by `fix`. */
  readonly fixed?: boolean;
}

/** An effect or timer may be on its way for this long before it counts as missed. */
const LATE_MS = 60_000;
const SHOWN_LATE = 20;

export async function* diagnose(store: Store, options: DoctorOptions): AsyncGenerator<Diagnosis> {
  yield* await store.care.check();
  if (await isHalfRestored(store)) yield HALF_RESTORED;
  yield* quarantined(store);
  yield* executions(store, options);
  yield* strays(store, options);
  yield* lateTimers(store, options);
  yield* documents(store, options);
}

const HALF_RESTORED: Diagnosis = {
  level: 'error',
  check: 'restore',
  message: 'A restore into this store was cut short: executions or definitions may be missing.',
  mend: 'Run the same `stepwell restore` again with --overwrite.',
};

async function* quarantined(store: Store): AsyncGenerator<Diagnosis> {
  const notes = everyItem((limit, token) =>
    store.documents.list(QUARANTINE_KIND, { limit, token }),
  );
  let count = 0;
  for await (const { id, body } of notes) {
    count += 1;
    const note = body as unknown as QuarantineNote;
    yield {
      level: 'error',
      check: 'quarantine',
      arn: id,
      message: `Quarantined since ${note.since}: ${note.message}`,
      mend:
        note.reason === 'journal'
          ? 'Restore the execution from a backup, or remove it: stepwell quarantine remove.'
          : 'After an upgrade or a mend: stepwell quarantine release.',
    };
  }
  if (count === 0) yield ok('quarantine', 'No execution is quarantined.');
}

async function* executions(store: Store, options: DoctorOptions): AsyncGenerator<Diagnosis> {
  const { now, deep, fix, onProgress = () => undefined } = options;
  let examined = 0;
  let sound = 0;
  const all = deep ? everyItem((limit, token) => store.care.journals(limit, token)) : open(store);
  for await (const arn of all) {
    const found = fix ? await mend(store, arn, now) : await examine(store, arn, now());
    examined += 1;
    onProgress(examined);
    if (found.is === 'sound' || found.is === 'gone') sound += 1;
    if (found.is === 'damaged') {
      yield {
        level: 'error',
        check: 'journal',
        arn,
        message: `The journal is damaged: ${found.reason}. It is not executed.`,
        mend: 'Restore the execution from a backup.',
      };
    }
    if (found.is === 'differs') {
      yield {
        level: found.stuck ? 'error' : 'warning',
        check: found.stuck ? 'stuck' : 'derived',
        arn,
        message: `${found.stuck ? 'Nothing would wake it' : 'Not as its journal says'}: ${found.what.join(', ')}.`,
        mend: fix ? null : 'stepwell doctor --fix',
        fixed: fix,
      };
    }
  }
  if (sound === examined) {
    const which = deep ? 'executions are' : 'running executions are';
    yield ok('executions', `${examined} ${which} as their journals say.`);
  }
}

async function* open(store: Store): AsyncGenerator<ExecutionArn> {
  for await (const row of everyItem((limit, token) => store.open(limit, token))) yield row.arn;
}

async function* strays(store: Store, { fix }: DoctorOptions): AsyncGenerator<Diagnosis> {
  const found = await store.care.strays(fix);
  for (const { kind, what } of found) {
    yield {
      level: kind === 'journal-without-row' ? 'error' : 'warning',
      check: 'stray',
      message: `A ${kind.replaceAll('-', ' ')}: ${what}`,
      mend: fix ? null : 'stepwell rebuild',
      fixed: fix,
    };
  }
  if (found.length === 0) yield ok('stray', 'No timer, effect or index entry belongs to nothing.');
}

/** Timers that are due and stay: no engine runs, or it is overloaded. */
async function* lateTimers(store: Store, { now }: DoctorOptions): AsyncGenerator<Diagnosis> {
  const late = await store.dueTimers((now() - LATE_MS) as EpochMs, SHOWN_LATE);
  const [first] = late;
  if (first === undefined) {
    yield ok('timers', 'No timer is late.');
    return;
  }
  const more = late.length === SHOWN_LATE ? ' or more' : '';
  yield {
    level: 'warning',
    check: 'timers',
    message: `${late.length}${more} timers are late, the first since ${new Date(first.dueAt).toISOString()} (${first.arn}).`,
    mend: 'Start `stepwell serve` or a worker; if one runs, look at its log and load.',
  };
}

/** Documents of executions that are gone. */
async function* documents(store: Store, options: DoctorOptions): AsyncGenerator<Diagnosis> {
  let orphans = 0;
  for (const [kind, ownerOf] of OWNED) {
    const all = everyItem((limit, token) => store.documents.list(kind, { limit, token }));
    for await (const { id, body } of all) {
      const owner = ownerOf(id, body) as ExecutionArn;
      if ((await store.care.head(owner)) !== null) continue;
      orphans += 1;
      if (options.fix) await store.documents.remove(kind, id);
      yield {
        level: 'warning',
        check: 'document',
        message: `The ${kind} ${id} belongs to an execution that is gone.`,
        mend: options.fix ? null : 'stepwell doctor --fix',
        fixed: options.fix,
      };
    }
  }
  if (orphans === 0) yield ok('document', 'No document belongs to an execution that is gone.');
}

const executionOf = (_id: string, body: unknown): string =>
  (body as { executionArn: string }).executionArn;

const OWNED: readonly (readonly [kind: string, ownerOf: (id: string, body: unknown) => string])[] =
  [
    [MAP_RUN_KIND, executionOf],
    [OPEN_KIND, executionOf],
    [QUARANTINE_KIND, (id) => id],
    ['redrive-tokens', (id) => id],
  ];

function ok(check: string, message: string): Diagnosis {
  return { level: 'ok', check, message, mend: null };
}
