/**
 * The S3 client of Map Runs, made on first use. The endpoint is the configured one, else
 * AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL (which the SDK reads itself); a custom endpoint is addressed
 * path style unless the configuration says otherwise.
 */
import type { S3Client } from '@aws-sdk/client-s3';

export interface S3Options {
  readonly endpoint: string | null;
  readonly region: string | null;
  readonly forcePathStyle: boolean | null;
  /** Null: the SDK's own chain (environment, profile, …). */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | null;
}

export const NO_S3_OPTIONS: S3Options = {
  endpoint: null,
  region: null,
  forcePathStyle: null,
  credentials: null,
};

export type S3 = () => Promise<S3Client>;

/** `options` is read when the client is made, so that a missing secret harms only those who use it. */
export function lazyS3(options: () => S3Options): S3 {
  let client: Promise<S3Client> | null = null;
  return () => {
    client ??= createClient(options());
    return client;
  };
}

async function createClient(options: S3Options): Promise<S3Client> {
  const { S3Client } = await import('@aws-sdk/client-s3');
  const { AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_S3, AWS_REGION } = process.env;
  const endpoint = options.endpoint ?? AWS_ENDPOINT_URL_S3 ?? AWS_ENDPOINT_URL ?? null;
  return new S3Client({
    region: options.region ?? AWS_REGION ?? 'us-east-1',
    ...(endpoint === null ? {} : { endpoint }),
    forcePathStyle: options.forcePathStyle ?? endpoint !== null,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: 4,
    ...(options.credentials === null ? {} : { credentials: options.credentials }),
  });
}
