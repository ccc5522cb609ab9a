/** Whether what this process has written is where the rule of the address wants it: WAIT and WAITAOF. */
import { Cluster, type Redis } from 'ioredis';
import type { RedisAddress } from './redis-url.js';

export class Confirmation {
  /** Slots of hash tags, of which there are few. */
  readonly #slots = new Map<string, number>();

  constructor(
    private readonly client: Redis | Cluster,
    private readonly wait: RedisAddress['wait'],
  ) {}

  /** Whether commits have to be confirmed at all. */
  get isWanted(): boolean {
    const { replicas, localDisk, replicaDisks } = this.wait;
    return replicas > 0 || localDisk || replicaDisks > 0;
  }

  /** Asked on the connection of the write, because that is what WAIT and WAITAOF speak of. */
  async confirm(key: string): Promise<boolean> {
    const { replicas, localDisk, replicaDisks, waitMs } = this.wait;
    const node = await this.#nodeOf(key);
    if (replicas > 0 && Number(await node.call('WAIT', replicas, waitMs)) < replicas) return false;
    if (!localDisk && replicaDisks === 0) return true;
    const local = localDisk ? 1 : 0;
    const reply = await node.call('WAITAOF', local, replicaDisks, waitMs);
    const [onDisk, onDisks] = reply as [number, number];
    return onDisk >= local && onDisks >= replicaDisks;
  }

  async #nodeOf(key: string): Promise<Redis> {
    const { client } = this;
    if (!(client instanceof Cluster)) return client;
    const tag = /\{([^}]+)\}/.exec(key)?.[1] ?? key;
    let slot = this.#slots.get(tag);
    if (slot === undefined) {
      slot = Number(await client.cluster('KEYSLOT', key));
      this.#slots.set(tag, slot);
    }
    const [owner] = (client.slots[slot] ?? []) as string[];
    const node = client
      .nodes('master')
      .find(({ options }) => `${options.host}:${options.port}` === owner);
    if (node === undefined) throw new Error(`No master is known for slot ${slot}.`);
    return node;
  }
}
