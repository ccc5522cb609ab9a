/**
 * How fast the store commits beside what the same client and server do at most: raw XADD. The server must not
 * rewrite its log meanwhile (`auto-aof-rewrite-percentage 0`): that costs whoever comes next.
 */
import { Redis } from 'ioredis';
import type { EpochMs } from '../../../src/lib/brand.js';
import { RedisStore } from '../../../src/store/redis.js';
import type { Commit } from '../../../src/store/store.js';
import { commitAfter, EMPTY_HEAD, headAfter } from '../../store/fixtures.js';

const WRITERS = 64;
/** What each writes in a round: made before, for both sides, so that only sending it is measured. */
const WRITES = 400;
const PAYLOAD_BYTES = 500;
/** What a commit of such facts sends in all, as the server counts what comes in. */
const COMMIT_BYTES = 1_010;
/** Commits of one execution before a writer begins the next. */
const COMMITS_PER_EXECUTION = 20;

export interface Throughput {
  readonly commitsPerSecond: number;
  readonly xaddsPerSecond: number;
  /** Of the medians. */
  readonly ratio: number;
  /** Processor time of server and client for one commit and for one XADD: steadier than the clock. */
  readonly commitMicros: Micros;
  readonly xaddMicros: Micros;
}

interface Micros {
  readonly server: number;
  readonly client: number;
}

/** Alternates the two, so that other work on the machine disturbs both alike; medians. */
export async function measureThroughput(url: string, rounds: number): Promise<Throughput> {
  const store = await RedisStore.open(url);
  const client = new Redis(url);
  const commits: Round[] = [];
  const xadds: Round[] = [];
  const payload = 'x'.repeat(COMMIT_BYTES);
  for (let round = 0; round < rounds; round += 1) {
    xadds.push(
      await measure(client, (writer) => {
        const key = `raw:${writer}`;
        return () => client.xadd(key, '*', 'f', payload);
      }),
    );
    for (let writer = 0; writer < WRITERS; writer += 1) await client.unlink(`raw:${writer}`);
    commits.push(
      await measure(client, (writer) => {
        const next = stream(`${round}-${writer}`);
        const made = Array.from({ length: WRITES }, next);
        return async (at) => {
          const answer = await store.commit(made[at] as Commit);
          if (answer !== 'committed') throw new Error('A conflict.');
        };
      }),
    );
  }
  await store.close();
  client.disconnect();
  const commitsPerSecond = median(commits.map(({ perSecond }) => perSecond));
  const xaddsPerSecond = median(xadds.map(({ perSecond }) => perSecond));
  return {
    commitsPerSecond,
    xaddsPerSecond,
    ratio: commitsPerSecond / xaddsPerSecond,
    commitMicros: medianMicros(commits),
    xaddMicros: medianMicros(xadds),
  };
}

/** What an engine commits: a start, turns that swap a timer and an effect, an end. */
function stream(name: string): () => Commit {
  let execution = 0;
  let head = EMPTY_HEAD;
  let made = 0;
  return () => {
    const last = made === COMMITS_PER_EXECUTION - 1;
    const commit = commitAfter(head, `${name}-${execution}`, {
      padding: PAYLOAD_BYTES - 120,
      row: { status: last ? 'SUCCEEDED' : 'RUNNING' },
      timers: [
        { key: `t${made - 1}`, dueAt: null },
        { key: `t${made}`, dueAt: last ? null : (1_700_000_000_000 as EpochMs) },
      ],
      outbox: [
        { key: `work:${made - 1}`, effect: null },
        { key: `work:${made}`, effect: last ? null : { what: 'task', frame: '0', by: made } },
      ],
    });
    head = last ? EMPTY_HEAD : headAfter(commit);
    made = last ? 0 : made + 1;
    if (last) execution += 1;
    return commit;
  };
}

interface Round extends Micros {
  readonly perSecond: number;
}

async function measure(
  server: Redis,
  writer: (index: number) => (at: number) => Promise<unknown>,
): Promise<Round> {
  const writers = Array.from({ length: WRITERS }, (_, index) => writer(index));
  const [serverBefore, clientBefore] = [await serverMicros(server), process.cpuUsage()];
  const started = performance.now();
  const write = async (once: (at: number) => Promise<unknown>): Promise<void> => {
    for (let at = 0; at < WRITES; at += 1) await once(at);
  };
  await Promise.all(writers.map(write));
  const done = WRITERS * WRITES;
  const perSecond = (1_000 * done) / (performance.now() - started);
  const { user, system } = process.cpuUsage(clientBefore);
  const serverTook = (await serverMicros(server)) - serverBefore;
  return { perSecond, server: serverTook / done, client: (user + system) / done };
}

async function serverMicros(server: Redis): Promise<number> {
  const info = await server.info('cpu');
  const [sys, user] = [/used_cpu_sys:([\d.]+)/, /used_cpu_user:([\d.]+)/].map((field) =>
    Number(field.exec(info)?.[1]),
  );
  return 1e6 * ((sys ?? 0) + (user ?? 0));
}

function medianMicros(rounds: readonly Round[]): Micros {
  return {
    server: median(rounds.map(({ server }) => server)),
    client: median(rounds.map(({ client }) => client)),
  };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}
