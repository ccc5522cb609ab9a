/**
 * The data sets of Map Runs: items from S3 or local files, results to them. Beside AWS's resources
 * there are local ones: ItemReader `file:read` {Path} and `file:list` {Path, Prefix}, ResultWriter
 * `file:write` {Path}; their paths go through the file guard.
 */
import type { Json } from '../../lib/json.js';
import type { Config } from '../config/config.js';
import type { GuardedFiles } from '../handler.js';
import { type ReadSecret, resolveSecret } from '../secrets.js';
import { type ItemSource, type ReaderRequest, readItems } from './reader.js';
import { lazyS3, NO_S3_OPTIONS, type S3Options } from './s3.js';
import { type ResultFolder, resultFolder } from './writer.js';

export interface MapItemsOptions {
  readonly files: GuardedFiles;
  readonly s3?: () => S3Options;
}

export function createMapItems(options: MapItemsOptions) {
  const { files } = options;
  const s3 = lazyS3(options.s3 ?? (() => NO_S3_OPTIONS));
  return {
    read: (request: ReaderRequest, signal: AbortSignal): Promise<ItemSource> =>
      readItems(request, { s3, files, signal }),
    folder: (
      writer: { readonly resource: string; readonly parameters: Json },
      id: string,
    ): Promise<ResultFolder> => resultFolder(writer, id, { s3, files }),
  };
}

/** What the configuration says about S3; secrets are read when the first object is. */
export function s3OptionsOf(config: Pick<Config, 's3'>, secret: ReadSecret): () => S3Options {
  return () => {
    const { s3 } = config;
    if (s3 === null) return NO_S3_OPTIONS;
    const { accessKeyId, secretAccessKey } = s3;
    return {
      endpoint: s3.endpoint,
      region: s3.region,
      forcePathStyle: s3.endpoint === null ? null : s3.forcePathStyle,
      credentials:
        accessKeyId === null || secretAccessKey === null
          ? null
          : { accessKeyId, secretAccessKey: resolveSecret(secretAccessKey, secret) },
    };
  };
}
