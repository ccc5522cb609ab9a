/** What `decide` may know of the world in one turn: its instant, its limits, and chance. */
import { randomFillSync, randomUUID } from 'node:crypto';
import type { Env } from '../core/env.js';
import type { Limits } from '../core/limits.js';
import type { TaskRef } from '../core/stimulus.js';
import type { EpochMs, Nonce } from '../lib/brand.js';
import { makeToken } from './token.js';

export interface TurnEnvOptions {
  /** Key of the store's task tokens. */
  readonly key: string;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
  readonly uuid?: () => string;
  readonly activityExists?: (activityArn: string) => Promise<boolean>;
}

/** Bytes of a nonce: 20 hexadecimal characters. */
const NONCE_BYTES = 10;
/** Nonces for which the system is asked at a time. */
const NONCES_AT_ONCE = 400;

/** Makes one Env a turn; they share all but the instant and the limits. */
export class TurnEnvs {
  readonly random: () => number;
  readonly uuid: () => string;
  readonly nonce: () => Nonce;
  readonly activityExists: ((activityArn: string) => Promise<boolean>) | undefined;
  readonly taskToken: (of: string, task: TaskRef) => string;

  constructor(options: TurnEnvOptions) {
    const { key, random = Math.random, uuid, activityExists } = options;
    this.random = random;
    this.uuid = uuid ?? randomUUID;
    // A seeded run draws its nonces from its own ids.
    this.nonce =
      uuid === undefined
        ? randomNonces()
        : () =>
            uuid()
              .replaceAll('-', '')
              .slice(0, 2 * NONCE_BYTES) as Nonce;
    this.activityExists = activityExists;
    this.taskToken = (of, task) => makeToken(key, of, task);
  }

  at(now: EpochMs, limits: Limits): Env {
    const { random, uuid, nonce, taskToken, activityExists } = this;
    if (activityExists === undefined) return { now, limits, random, uuid, nonce, taskToken };
    return { now, limits, random, uuid, nonce, taskToken, activityExists };
  }
}

function randomNonces(): () => Nonce {
  const pool = Buffer.alloc(NONCE_BYTES * NONCES_AT_ONCE);
  let at = pool.length;
  return () => {
    if (at === pool.length) {
      randomFillSync(pool);
      at = 0;
    }
    at += NONCE_BYTES;
    return pool.toString('hex', at - NONCE_BYTES, at) as Nonce;
  };
}
