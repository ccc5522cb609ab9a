/**
 * The connection of the Redis store. Calls pass only while the server has been checked; each has a
 * deadline. A call whose reply is lost is sent again, marked as such (every script tolerates that),
 * until the server says what became of it; past the deadline it is StoreUnavailable, with
 * `outcomeUnknown` when the server may have applied it. The client itself never sends twice.
 */
import type { Cluster, Redis } from 'ioredis';
import { Admission, type AdmissionWorld } from './redis-admission.js';
import { createClient, explanationOf, fateOf } from './redis-client.js';
import { Confirmation } from './redis-confirm.js';
import { type Argument, Evaluation } from './redis-evaluation.js';
import type { ServerReport } from './redis-health.js';
import type { KeySpace } from './redis-keys.js';
import type { Script } from './redis-script.js';
import type { RedisAddress } from './redis-url.js';
import { StoreUnavailable } from './unavailable.js';

export interface LinkTimes {
  /** A reply that takes longer counts as lost. */
  readonly commandMs: number;
  /** How long a call may take in all, with waiting for the server and sending again. */
  readonly callMs: number;
  /** How often the settings of the server are looked at again. */
  readonly recheckMs: number;
}

export const LINK_TIMES: LinkTimes = { commandMs: 5_000, callMs: 15_000, recheckMs: 30_000 };

/** Keys looked at in one step of a walk: the server answers others in between. */
const SCAN_COUNT = 1_000;
const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 500;
const CLOSE_WITHIN_MS = 2_000;
/** A server that was refused may have been put right, or an address may lead to another by now. */
const ADMIT_AGAIN_MS = 1_000;

export interface LinkOptions {
  readonly readOnly: boolean;
  readonly times: LinkTimes;
}

export class RedisLink {
  #state: 'connecting' | 'open' | 'closed' = 'connecting';
  /** Why the server is not used although it answers. */
  #refusal: StoreUnavailable | null = null;
  #lastError: Error | null = null;
  #wasOpen = false;
  readonly #resets: (() => void)[] = [];
  /** Connections so far: a check that began on an earlier one says nothing. */
  #round = 0;
  readonly #waiting = new Set<() => void>();
  readonly #admission: Admission;
  readonly #confirmation: Confirmation;
  readonly #recheck: NodeJS.Timeout;
  #again: NodeJS.Timeout | undefined;

  static async open(
    address: RedisAddress,
    keys: KeySpace,
    options: LinkOptions,
  ): Promise<RedisLink> {
    const client = createClient(address, options.times.commandMs);
    const link = new RedisLink(client, address, keys, options);
    try {
      await link.#start();
      return link;
    } catch (error) {
      await link.close();
      if (error instanceof StoreUnavailable) throw error;
      const reason = link.#lastError ?? error;
      throw fateOf(reason) === 'refused'
        ? link.#explained(reason, false)
        : link.#unreachable(reason);
    }
  }

  private constructor(
    private readonly client: Redis | Cluster,
    private readonly address: RedisAddress,
    keys: KeySpace,
    private readonly options: LinkOptions,
  ) {
    const { readOnly } = options;
    const send: AdmissionWorld['send'] = (script, names, args) =>
      this.#send(script, names, args, false);
    this.#admission = new Admission({ client, address, keys, readOnly, send });
    this.#confirmation = new Confirmation(client, address.wait);
    client.on('error', (error: Error) => {
      this.#lastError = error;
    });
    client.on('node error', (error: Error) => {
      this.#lastError = error;
    });
    client.on('ready', () => void this.#admit());
    client.on('close', () => {
      this.#round += 1;
      if (this.#state === 'open') this.#state = 'connecting';
    });
    this.#recheck = setInterval(() => void this.#admit(), options.times.recheckMs);
    this.#recheck.unref();
  }

  /** Called after every reconnect. */
  onReset(listener: () => void): void {
    this.#resets.push(listener);
  }

  get description(): string {
    const access = this.options.readOnly ? ' (read-only)' : '';
    return `${this.address.shown}${access} (${this.#admission.lossWindow})`;
  }

  /** Scripts may name keys of several shards only where all shards are one server. */
  get cluster(): boolean {
    return this.address.cluster;
  }

  /** Runs a script that may be sent twice; `again`: as a part of another call it was sent before. */
  eval(
    script: Script,
    keys: readonly string[],
    args: readonly Argument[],
    again = false,
  ): Promise<unknown> {
    return this.#call((resent) => this.#send(script, keys, args, resent || again), true);
  }

  /** Runs a script whose answer would be wrong the second time: a lost reply is an error. */
  evalOnce(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    return this.#call(() => this.#send(script, keys, args, false), false);
  }

  field(key: string, field: string): Promise<string | null> {
    return this.#call(() => this.client.hget(key, field), true);
  }

  fields(key: string, fields: readonly string[]): Promise<(string | null)[]> {
    return this.#call(() => this.client.hmget(key, ...fields), true);
  }

  /** How many servers share the keys. */
  get nodes(): number {
    return this.#admission.servers.length;
  }

  /** One step of a walk over the keys of server `node`; cursor '0' begins, and comes back at the end. */
  async scanKeys(node: number, cursor: string, pattern: string): Promise<[string, string[]]> {
    return this.#call(() => {
      const server = this.#admission.servers[node];
      if (server === undefined) return Promise.resolve(['0', []] as [string, string[]]);
      return server.scan(cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT);
    }, true);
  }

  /** One step of a walk over the members of a sorted set. */
  async scanMembers(key: string, cursor: string): Promise<[string, string[]]> {
    const [next, found] = await this.#call(
      () => this.client.zscan(key, cursor, 'COUNT', SCAN_COUNT),
      true,
    );
    return [next, found.filter((_, at) => at % 2 === 0)];
  }

  /** What every server says of itself now. */
  inspect(): Promise<readonly ServerReport[]> {
    return this.#call(() => this.#admission.inspect(), true);
  }

  /** How the store is laid out. */
  get schema(): string | null {
    return this.#admission.schema;
  }

  /** It has been laid out anew. */
  upgraded(): void {
    this.#admission.upgraded();
  }

  /** The address as it may be shown. */
  get shown(): string {
    return this.address.shown;
  }

  /** What clients of all servers call themselves; none where this user may not ask. */
  clientNames(): Promise<string[]> {
    return this.#call(async () => {
      const lists = await Promise.all(
        this.#admission.servers.map((server) => server.call('CLIENT', 'LIST').catch(() => '')),
      );
      return [...lists.join('\n').matchAll(/ name=(\S*)/g)].map(([, name]) => String(name));
    }, true);
  }

  /** Whether what this process has written is where the rule wants it. */
  confirm(key: string): Promise<boolean> {
    return this.#call(() => this.#confirmation.confirm(key), true);
  }

  /** Whether commits have to be confirmed at all. */
  get confirms(): boolean {
    return this.#confirmation.isWanted;
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    clearInterval(this.#recheck);
    clearTimeout(this.#again);
    this.#wake();
    if (this.client.status === 'ready') {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise((resolve) => {
        timer = setTimeout(resolve, CLOSE_WITHIN_MS);
      });
      await Promise.race([this.client.quit().catch(() => undefined), late]);
      clearTimeout(timer);
    }
    this.client.disconnect();
  }

  async #call<T>(send: (resent: boolean) => Promise<T>, repeatable: boolean): Promise<T> {
    const deadline = Date.now() + this.options.times.callMs;
    let unknown = false;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      if (this.#state !== 'open' || this.#refusal !== null) {
        await this.#admitted(deadline, unknown);
      }
      try {
        return await send(unknown);
      } catch (error) {
        const fate = fateOf(error);
        unknown ||= fate === 'unknown';
        if (fate === 'refused') throw this.#explained(error, unknown);
        if (unknown && !repeatable) throw this.#unreachable(error, true);
        if (Date.now() + pauseMs >= deadline) throw this.#unreachable(error, unknown);
      }
      await this.#pause(pauseMs);
    }
  }

  async #send(
    script: Script,
    keys: readonly string[],
    args: readonly Argument[],
    resent: boolean,
  ): Promise<unknown> {
    try {
      const call = new Evaluation(script.sha, keys, resent, args);
      return await (this.client.sendCommand(call) as Promise<unknown>);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      const flag = resent ? '1' : '0';
      return this.client.eval(script.text, keys.length, ...keys, flag, ...args);
    }
  }

  /** Resolves when calls may pass. */
  async #admitted(deadline: number, unknown: boolean): Promise<void> {
    while (this.#state !== 'open' || this.#refusal !== null) {
      if (this.#state === 'closed') {
        throw new StoreUnavailable(`The store ${this.address.shown} is closed.`, {
          outcomeUnknown: unknown,
        });
      }
      if (this.#refusal !== null && this.#state === 'open') {
        const { message } = this.#refusal;
        throw new StoreUnavailable(message, { outcomeUnknown: unknown });
      }
      const left = deadline - Date.now();
      if (left <= 0) throw this.#unreachable(this.#lastError, unknown);
      await this.#pause(left);
    }
  }

  /** Sleeps, or less when the state of the link changes. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.#waiting.add(end);
    });
  }

  #wake(): void {
    for (const end of [...this.#waiting]) end();
  }

  /** The first connection: what is wrong with it is told at once. */
  async #start(): Promise<void> {
    const deadline = Date.now() + this.options.times.callMs;
    try {
      await Promise.race([this.client.connect(), this.#pause(this.options.times.callMs)]);
    } finally {
      this.#wake();
    }
    await this.#admitted(deadline, false);
  }

  /** After every connect: nothing passes before the server has been looked at. */
  async #admit(): Promise<void> {
    if (this.#state === 'closed' || this.client.status !== 'ready') return;
    const round = this.#round;
    let refusal: StoreUnavailable | null = null;
    try {
      await this.#admission.check();
    } catch (error) {
      if (error instanceof StoreUnavailable) refusal = error;
      else if (fateOf(error) === 'refused') refusal = this.#explained(error, false);
      else {
        this.#lastError = error instanceof Error ? error : new Error(String(error));
        // An open link stays open; one that is not is tried again soon.
        if (this.#state === 'connecting' && round === this.#round) this.#admitSoon();
        return;
      }
    }
    if (round !== this.#round || (this.#state as string) === 'closed') return;
    this.#refusal = refusal;
    const returned = this.#state === 'connecting' && this.#wasOpen;
    this.#state = 'open';
    this.#wasOpen = true;
    this.#wake();
    // Another server may answer now, or the same one without its last second.
    if (returned) for (const tell of this.#resets) tell();
    if (refusal !== null) this.#admitSoon();
  }

  #admitSoon(): void {
    clearTimeout(this.#again);
    this.#again = setTimeout(() => void this.#admit(), ADMIT_AGAIN_MS);
    this.#again.unref();
  }

  /** The server has answered with an error: this sending has changed nothing. */
  #explained(error: unknown, unknown: boolean): StoreUnavailable {
    const { message } = error as Error;
    const reason = explanationOf(message);
    return new StoreUnavailable(
      `The Redis server ${this.address.shown} refuses: ${reason ?? message}`,
      { cause: error, outcomeUnknown: unknown },
    );
  }

  #unreachable(error: unknown, unknown = false): StoreUnavailable {
    const shown = this.#lastError ?? error;
    const reason = shown instanceof Error && shown.message !== '' ? `: ${shown.message}` : '';
    const fate = unknown ? ' Whether the last write was applied is not known.' : '';
    return new StoreUnavailable(
      `The Redis server ${this.address.shown} cannot be reached${reason}.${fate}`,
      { cause: error, outcomeUnknown: unknown },
    );
  }
}
