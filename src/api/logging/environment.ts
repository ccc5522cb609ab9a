/** The log sink that the standard AWS variables ask for. */
import { cloudWatchLogs } from './cloudwatch.js';
import type { LogSink } from './sink.js';

/**
 * CloudWatch Logs at `AWS_ENDPOINT_URL_CLOUDWATCH_LOGS` or `AWS_ENDPOINT_URL`; null when neither is
 * set: nothing is sent to AWS because credentials happen to lie around.
 */
export function environmentLogSink(
  environment: Readonly<Record<string, string | undefined>>,
  fetch: typeof globalThis.fetch,
): LogSink | null {
  const endpoint = environment.AWS_ENDPOINT_URL_CLOUDWATCH_LOGS ?? environment.AWS_ENDPOINT_URL;
  if (endpoint === undefined || endpoint === '') return null;
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = environment;
  const accessKey = accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : null;
  const region = environment.AWS_REGION ?? environment.AWS_DEFAULT_REGION ?? 'us-east-1';
  return cloudWatchLogs({ endpoint, region, accessKey, fetch });
}
