/** What an installation decides about its API. Every default is AWS's, or the safe one. */
import type { ArnScope } from '../wire/arn.js';

export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface ApiConfig {
  /**
   * Of every ARN. AWS takes the region from the endpoint; we are one endpoint, so the region of a
   * request's credential scope does not change it.
   */
  readonly scope: ArnScope;
  /** Requests must be signed with one of these; empty: no request is checked. */
  readonly accessKeys: readonly AccessKey[];
  /** Host names by which clients may reach us beside loopback ones: the DNS-rebinding guard. */
  readonly hosts: readonly string[];
  /** AWS answers an idle GetActivityTask after 60 s. */
  readonly activityPollMs: number;
  /** Longest payload any state machine here may have; 0: AWS's limits. */
  readonly payloadBytes: number;
}

export const DEFAULT_CONFIG: ApiConfig = {
  scope: { partition: 'aws', region: 'us-east-1', account: '123456789012' },
  accessKeys: [],
  hosts: [],
  activityPollMs: 60_000,
  payloadBytes: 0,
};
