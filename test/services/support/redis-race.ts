/**
 * Eight engines, each with connections of its own, race on a real Redis: all start everything, all answer every
 * callback, all stop some. The seed decides what each does when; the wire decides the rest.
 */
import { realClock } from '../../../src/runtime/clock.js';
import { createEngine } from '../../../src/runtime/engine.js';
import type { Engine } from '../../../src/runtime/face.js';
import type { ExecutionArn } from '../../../src/lib/brand.js';
import type { JsonObject } from '../../../src/lib/json.js';
import { RedisStore } from '../../../src/store/redis.js';
import type { Commit } from '../../../src/store/store.js';
import { RedisPeers } from '../../../src/workers/open-peers.js';
import { judge, RACE_MACHINE } from '../../sim/race.js';
import { startRequest } from '../../support/run-machine.js';
import { ScriptedHandlers, silentLog, testServices } from '../../support/scripted-handlers.js';
import { SeededRandom } from '../../support/seeded-random.js';

export interface RedisRace {
  readonly seed: number;
  readonly engines: number;
  readonly executions: number;
  readonly items: number;
}

export interface RedisRaceReport {
  readonly commits: number;
  readonly conflicts: number;
  /** Answers by token, of which only one of each counts. */
  readonly answers: number;
  readonly accepted: number;
  readonly tokens: number;
}

const STOPPED_EVERY = 10;
const PATIENCE_MS = 60_000;

/** Throws a sentence when a law is broken or something never ends. `url` names a store of its own. */
export async function raceOnRedis(url: string, race: RedisRace): Promise<RedisRaceReport> {
  const random = new SeededRandom(race.seed);
  const counts = { commits: 0, conflicts: 0, answers: 0, accepted: 0, tokens: 0 };
  const tokens = new Set<string>();
  const sides: { engine: Engine; store: RedisStore }[] = [];
  const answered: Promise<unknown>[] = [];

  const everybodyAnswers = (token: string): void => {
    if (tokens.has(token)) return;
    tokens.add(token);
    const output = counts.tokens++;
    for (const { engine } of sides) {
      const answer = async (): Promise<void> => {
        await sleep(20 + random.between(0, 4));
        counts.answers++;
        if ((await engine.taskSucceeded(token, output)) === 'accepted') counts.accepted++;
      };
      answered.push(answer());
    }
  };

  for (let index = 0; index < race.engines; index += 1) {
    const store = await RedisStore.open(url);
    const commit = store.commit.bind(store);
    store.commit = async (made: Commit) => {
      const answer = await commit(made);
      counts.commits++;
      if (answer === 'conflict') counts.conflicts++;
      return answer;
    };
    const handlers = new ScriptedHandlers(
      (resource, parameters, { taskToken }) => {
        if (resource === 's:work') return { do: 'ok', afterMs: random.between(0, 4) };
        everybodyAnswers(taskToken ?? String((parameters as JsonObject).token));
        return { do: 'hang' };
      },
      realClock,
      realClock,
    );
    const peers = new RedisPeers({
      ...{
        url,
        store,
        log: silentLog,
        globs: [],
        concurrency: 1_000,
        role: 'worker',
        drives: true,
      },
    });
    const services = testServices();
    const engine = await createEngine({
      store,
      resources: handlers,
      services,
      log: silentLog,
      peers,
    });
    sides.push({ engine, store });
  }
  const [first] = sides as [(typeof sides)[number]];
  const work = Array.from({ length: race.executions }, async (_, index) => {
    const input = { items: Array.from({ length: race.items }, (_item, at) => at) };
    const request = startRequest(RACE_MACHINE, input, { name: `r${index}` });
    const arn = request.identity.arn as ExecutionArn;
    const started = await Promise.all(sides.map(({ engine }) => engine.start(request)));
    const own = started.filter(({ is }) => is === 'started').length;
    if (own !== 1) throw new Error(`${arn} was started ${own} times.`);
    const isStopped = index % STOPPED_EVERY === STOPPED_EVERY - 1;
    if (isStopped) {
      await sleep(1_010);
      const failure = { error: 'No', cause: 'more' };
      await Promise.all(sides.map(({ engine }) => engine.stop(arn, failure)));
    }
    await first.engine.ended(arn, AbortSignal.timeout(PATIENCE_MS));
    return arn;
  });
  const arns = await Promise.all(work);
  await Promise.all(answered);
  for (const arn of arns) await judge(first.store, arn, race.items);
  if (counts.accepted > counts.tokens) throw new Error('An answer was accepted twice.');
  const strays = await first.store.care.strays(false);
  if (strays.length > 0) throw new Error(`Strays: ${JSON.stringify(strays)}`);
  for (const { engine, store } of sides) {
    await engine.close();
    await store.close();
  }
  return counts;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
