/**
 * Whether a server may be used: what it says of itself, whether it knows the scripts, and whether it holds
 * the store that was opened, laid out as this program knows it. Asked at the start and after every reconnect.
 */
import { randomUUID } from 'node:crypto';
import { Cluster, type Redis } from 'ioredis';
import {
  dangers,
  inspectServer,
  lossWindow,
  obstacles,
  type ServerReport,
  waitObstacles,
  waitWindow,
} from './redis-health.js';
import { type KeySpace, SCHEMA, SHARDS } from './redis-keys.js';
import type { Script } from './redis-script.js';
import { PROBE, SCRIPTS, SIGN } from './redis-scripts.js';
import { UPGRADABLE } from './redis-upgrade.js';
import type { RedisAddress } from './redis-url.js';
import { StoreUnavailable } from './unavailable.js';

export interface AdmissionWorld {
  readonly client: Redis | Cluster;
  readonly address: RedisAddress;
  readonly keys: KeySpace;
  readonly readOnly: boolean;
  send(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown>;
}

export class Admission {
  #lossWindow = '';
  #storeId: string | null = null;
  #schema: string | null = null;

  constructor(private readonly world: AdmissionWorld) {}

  /** What a crash of the servers that were looked at can lose. */
  get lossWindow(): string {
    return this.#lossWindow;
  }

  /** How the store is laid out. */
  get schema(): string | null {
    return this.#schema;
  }

  /** From now on no other layout will do. */
  upgraded(): void {
    this.#schema = SCHEMA;
  }

  get servers(): readonly Redis[] {
    const { client } = this.world;
    return client instanceof Cluster ? client.nodes('master') : [client];
  }

  /** What every server says of itself now. */
  inspect(): Promise<ServerReport[]> {
    return Promise.all(this.servers.map(inspectServer));
  }

  /** Throws StoreUnavailable that says why the servers must not be used. */
  async check(): Promise<void> {
    const { address, readOnly } = this.world;
    const reports = await this.inspect();
    this.#lossWindow = lossWindow(reports) + waitWindow(address.wait, reports);
    if (!readOnly) this.#judge(reports);
    await Promise.all(
      this.servers.flatMap((server) => SCRIPTS.map(({ text }) => server.script('LOAD', text))),
    );
    await this.#identify();
  }

  #judge(reports: readonly ServerReport[]): void {
    const { address } = this.world;
    const found = reports.flatMap((report) => [
      ...obstacles(report),
      ...(address.unsafe ? [] : dangers(report)),
      ...waitObstacles(address.wait, report),
    ]);
    if (found.length === 0) return;
    const remedy = reports.flatMap(obstacles).length > 0 ? '' : ' Accept it with ?unsafe=1.';
    throw new StoreUnavailable(
      `The Redis server ${address.shown} is not used: ${[...new Set(found)].join('; ')}.${remedy}`,
    );
  }

  /** The server must hold the store that was opened, laid out as this program knows it. */
  async #identify(): Promise<void> {
    const { address, client, keys, readOnly } = this.world;
    const { meta, probe } = keys;
    let signed: (string | null)[];
    // A store that was known and is gone must not be begun anew under a running engine.
    if (readOnly || this.#storeId !== null) {
      signed = await client.hmget(meta, 'schema', 'shards', 'id');
    } else {
      await this.world.send(PROBE, [probe], []).catch(passes);
      const own = [SCHEMA, String(SHARDS), randomUUID()];
      signed = (await this.world.send(SIGN, [meta], own)) as string[];
    }
    const [schema = null, shards, id = null] = signed;
    if (id === null || (this.#storeId !== null && this.#storeId !== id)) {
      throw new StoreUnavailable(
        this.#storeId === null
          ? `There is no store at ${address.shown}.`
          : `The server ${address.shown} came back without the store that was open: its data are lost.`,
      );
    }
    const isOld = schema !== null && UPGRADABLE.includes(schema);
    const isKnown = schema === SCHEMA || (isOld && !readOnly && this.#schema !== SCHEMA);
    if (!isKnown || shards !== String(SHARDS)) {
      const mend = isOld
        ? ' A `stepwell serve` or `stepwell worker` of this program converts it.'
        : '';
      throw new StoreUnavailable(
        `The store ${address.shown} has schema ${schema} with ${shards} shards; ` +
          `this program knows ${SCHEMA} with ${SHARDS}.${mend}`,
      );
    }
    this.#storeId = id;
    this.#schema = schema;
  }
}

/** Full memory or a full disk says nothing about permissions, and reading and removing must go on. */
function passes(error: Error): void {
  if (!/^(OOM|MISCONF)\b/.test(error.message)) throw error;
}
