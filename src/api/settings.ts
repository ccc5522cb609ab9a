/** Settings of a state machine: defaults filled in, and what AWS refuses in them. */
import { type Diagnostic, hasErrors, invalidDefinitionMessage } from '../core/diagnostic.js';
import { ApiError, invalid, invalidLogging } from '../wire/errors.js';
import type { EncryptionInput, Input, LoggingInput } from '../wire/operations.js';
import type { ApiContext } from './context.js';
import type { MachineType } from './definitions.js';

export function checkDefinition(api: ApiContext, definition: string, type: MachineType): void {
  const { diagnostics } = api.definitions.validate(definition, { type });
  if (hasErrors(diagnostics)) throw invalidDefinition(diagnostics);
}

export function invalidDefinition(diagnostics: readonly Diagnostic[]): ApiError {
  return new ApiError('InvalidDefinition', invalidDefinitionMessage(diagnostics));
}

export async function readLogging(
  api: ApiContext,
  given: LoggingInput | undefined,
): Promise<LoggingInput> {
  const logging = { level: 'OFF', includeExecutionData: false, ...given } as const;
  const destinations = logging.destinations ?? [];
  if (logging.level !== 'OFF' && destinations.length !== 1) throw oneDestination();
  if (destinations.length > 1) throw oneDestination();
  for (const destination of destinations) {
    await checkLogGroup(api, destination.cloudWatchLogsLogGroup?.logGroupArn);
  }
  return logging;
}

function oneDestination(): ApiError {
  return invalidLogging('Must specify exactly one Log Destination.');
}

const LOG_GROUP_ARN = /^arn:[^:]+:logs:[^:]*:[^:]*:log-group:[^:]+:\*$/;

async function checkLogGroup(api: ApiContext, arn: string | undefined): Promise<void> {
  if (arn === undefined || !LOG_GROUP_ARN.test(arn)) {
    throw invalidLogging('Log Destination must be the ARN of a log group that ends in ":*".');
  }
  if (api.logSink !== null && !(await api.logSink.exists(arn))) {
    throw invalidLogging('Log Destination not found.');
  }
}

export function readTracing(given: Input<'CreateStateMachine'>['tracingConfiguration']) {
  return { enabled: given?.enabled ?? false };
}

export function readEncryption(given: EncryptionInput | undefined): EncryptionInput | null {
  if (given === undefined) return null;
  const custom = given.type === 'CUSTOMER_MANAGED_KMS_KEY';
  if (custom && given.kmsKeyId === undefined) {
    throw new ApiError(
      'InvalidEncryptionConfiguration',
      "Invalid Encryption Configuration: 'kmsKeyId' must be set for CUSTOMER_MANAGED_KMS_KEY.",
    );
  }
  if (!custom && given.kmsKeyId !== undefined) {
    throw new ApiError(
      'InvalidEncryptionConfiguration',
      "Invalid Encryption Configuration: 'kmsKeyId' must not be set for AWS_OWNED_KEY.",
    );
  }
  return given;
}

/** Recorded: AWS refuses a description for a version that is not published. */
export function checkVersionDescription(input: {
  readonly publish?: boolean | undefined;
  readonly versionDescription?: string | undefined;
}): void {
  if (input.versionDescription !== undefined && input.publish !== true) {
    throw invalid('Version description can only be set when publish is true');
  }
}
