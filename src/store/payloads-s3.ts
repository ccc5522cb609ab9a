/** Large payloads in a bucket: `s3://bucket/prefix`, shared by every worker. */
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import type { ExecutionArn } from '../lib/brand.js';
import type { Payload } from './claims.js';
import { ownerName, type PayloadPlace, verified } from './payloads.js';
import { StoreUnavailable } from './unavailable.js';

const OWNER_KEY = 'execution';

export class S3Payloads implements PayloadPlace {
  readonly location: string;
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #owned = new Set<string>();

  constructor(location: string, config: S3ClientConfig) {
    const [, bucket, prefix = ''] = /^s3:\/\/([^/]+)(?:\/(.*?))?\/?$/.exec(location) ?? [];
    if (bucket === undefined) {
      throw new StoreUnavailable(`Payloads in S3 are written s3://bucket/prefix, not ${location}.`);
    }
    this.location = location;
    this.#bucket = bucket;
    this.#prefix = prefix === '' ? '' : `${prefix}/`;
    this.#client = new S3Client(config);
  }

  async put(arn: ExecutionArn, { hash, text }: Payload): Promise<void> {
    const owner = this.#keyOf(arn);
    if (!this.#owned.has(owner)) {
      await this.#write(`${owner}/${OWNER_KEY}`, arn);
      if (this.#owned.size > 10_000) this.#owned.clear();
      this.#owned.add(owner);
    }
    await this.#write(`${owner}/${hash}`, text);
  }

  async get(arn: ExecutionArn, hash: string): Promise<string | null> {
    const text = await this.#read(`${this.#keyOf(arn)}/${hash}`);
    return text === null ? null : verified(text, hash);
  }

  async remove(arn: ExecutionArn): Promise<void> {
    const owner = this.#keyOf(arn);
    this.#owned.delete(owner);
    await this.#sure(async () => {
      for await (const keys of this.#pages(`${owner}/`)) {
        await this.#client.send(
          new DeleteObjectsCommand({
            Bucket: this.#bucket,
            Delete: { Objects: keys.map(({ key }) => ({ Key: key })), Quiet: true },
          }),
        );
      }
    });
  }

  async *owners(before: number): AsyncGenerator<ExecutionArn> {
    for await (const page of this.#pages(this.#prefix)) {
      for (const { key, changedAt } of page) {
        if (!key.endsWith(`/${OWNER_KEY}`) || changedAt >= before) continue;
        const arn = await this.#read(key);
        if (arn !== null) yield arn as ExecutionArn;
      }
    }
  }

  #keyOf(arn: ExecutionArn): string {
    return `${this.#prefix}${ownerName(arn)}`;
  }

  async #write(key: string, text: string): Promise<void> {
    const command = new PutObjectCommand({ Bucket: this.#bucket, Key: key, Body: text });
    await this.#sure(() => this.#client.send(command));
  }

  async #read(key: string): Promise<string | null> {
    return this.#sure(async () => {
      try {
        const found = await this.#client.send(
          new GetObjectCommand({ Bucket: this.#bucket, Key: key }),
        );
        return (await found.Body?.transformToString('utf8')) ?? null;
      } catch (error) {
        if ((error as Error).name === 'NoSuchKey') return null;
        throw error;
      }
    });
  }

  async *#pages(prefix: string): AsyncGenerator<readonly { key: string; changedAt: number }[]> {
    for (let token: string | undefined; ; ) {
      const page = await this.#client.send(
        new ListObjectsV2Command({
          Bucket: this.#bucket,
          Prefix: prefix,
          ...(token === undefined ? {} : { ContinuationToken: token }),
        }),
      );
      const keys = (page.Contents ?? []).map(({ Key = '', LastModified }) => ({
        key: Key,
        changedAt: LastModified?.getTime() ?? 0,
      }));
      if (keys.length > 0) yield keys;
      token = page.NextContinuationToken;
      if (token === undefined) return;
    }
  }

  async #sure<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw new StoreUnavailable(
        `Payloads cannot be kept in ${this.location}: ${(error as Error).message}`,
        { cause: error },
      );
    }
  }
}
