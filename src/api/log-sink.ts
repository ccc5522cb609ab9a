/**
 * Where execution events go that a machine's loggingConfiguration asks for: CloudWatch Logs or
 * whatever stands in for it. The API asks only whether a group exists.
 */

export interface LogSink {
  /** Whether the log group of this ARN (`…:log-group:NAME:*`) exists. */
  exists(logGroupArn: string): Promise<boolean>;
}
