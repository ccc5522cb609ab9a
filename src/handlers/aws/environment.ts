/** What the environment says of how to reach AWS, as the SDK reads it. */
import type { Config } from '../config/config.js';

/** Credentials that the environment names; instance metadata is never asked. */
const CREDENTIAL_VARIABLES = [
  'AWS_ACCESS_KEY_ID',
  'AWS_PROFILE',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
];

export type Environment = Readonly<Record<string, string | undefined>>;

export function namesCredentials(environment: Environment): boolean {
  return CREDENTIAL_VARIABLES.some((name) => (environment[name] ?? '') !== '');
}

export function regionOf(environment: Environment, config: Pick<Config, 'aws'>): string {
  const { AWS_REGION, AWS_DEFAULT_REGION } = environment;
  return AWS_REGION ?? AWS_DEFAULT_REGION ?? config.aws.region ?? 'us-east-1';
}
