/**
 * Callers' mistakes, in AWS's words. Thrown in api and wire only, rendered in one place
 * (api/aws.ts; api/rest/problem.ts for the REST face). Recorded texts are quoted in
 * conformance/AWS-BEHAVIOURS.md.
 */

export type ErrorCode =
  | 'AccessDeniedException'
  | 'ActivityAlreadyExists'
  | 'ActivityDoesNotExist'
  | 'ActivityWorkerLimitExceeded'
  | 'ConflictException'
  | 'ExecutionAlreadyExists'
  | 'ExecutionDoesNotExist'
  | 'ExecutionNotRedrivable'
  | 'IncompleteSignatureException'
  | 'InternalFailure'
  | 'InvalidArn'
  | 'InvalidDefinition'
  | 'InvalidEncryptionConfiguration'
  | 'InvalidExecutionInput'
  | 'InvalidLoggingConfiguration'
  | 'InvalidName'
  | 'InvalidOutput'
  | 'InvalidSignatureException'
  | 'InvalidToken'
  | 'MissingAuthenticationTokenException'
  | 'MissingRequiredParameter'
  | 'ResourceNotFound'
  | 'SerializationException'
  | 'ServiceQuotaExceededException'
  | 'ServiceUnavailable'
  | 'StateMachineAlreadyExists'
  | 'StateMachineDeleting'
  | 'StateMachineDoesNotExist'
  | 'StateMachineTypeNotSupported'
  | 'TaskTimedOut'
  | 'ThrottlingException'
  | 'TooManyTags'
  | 'UnknownOperationException'
  | 'UnrecognizedClientException'
  | 'ValidationException';

export type ValidationReason =
  | 'API_DOES_NOT_SUPPORT_LABELED_ARNS'
  | 'MISSING_REQUIRED_PARAMETER'
  | 'CANNOT_UPDATE_COMPLETED_MAP_RUN'
  | 'INVALID_ROUTING_CONFIGURATION';

/** A caller's mistake; `members` are the modelled members beside the message. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  constructor(
    readonly code: ErrorCode,
    message: string | null,
    readonly members: Readonly<Record<string, string>> = {},
  ) {
    super(message ?? '');
    this.text = message;
  }
  /** Null where AWS answers without a message. */
  readonly text: string | null;
}

export function invalidArn(reason: string): ApiError {
  return new ApiError('InvalidArn', `Invalid Arn: '${reason}'`);
}

/** Not IAM's form of a role's ARN. */
export function invalidRoleArn(text: string): ApiError {
  return new ApiError('InvalidArn', `Invalid Role Arn: '${text}'`);
}

export function invalidName(name: string): ApiError {
  return new ApiError('InvalidName', `Invalid Name: '${name}'`);
}

export function invalidToken(): ApiError {
  return new ApiError('InvalidToken', "Invalid Token: 'Invalid token'");
}

export function taskTimedOut(): ApiError {
  return new ApiError('TaskTimedOut', "Task Timed Out: 'Provided task does not exist anymore'");
}

export function invalidOutput(reason: string): ApiError {
  return new ApiError('InvalidOutput', `Invalid Output: '${reason}'`);
}

export function invalidInput(reason: string): ApiError {
  return new ApiError(
    'InvalidExecutionInput',
    `Invalid State Machine Execution Input: '${reason}'`,
  );
}

export function invalidLogging(reason: string): ApiError {
  return new ApiError('InvalidLoggingConfiguration', `Invalid Logging Configuration: ${reason}`);
}

export function machineDoesNotExist(arn: string): ApiError {
  return new ApiError('StateMachineDoesNotExist', `State Machine Does Not Exist: '${arn}'`);
}

export function machineAlreadyExists(arn: string): ApiError {
  return new ApiError('StateMachineAlreadyExists', `State Machine Already Exists: '${arn}'`);
}

export function machineDeleting(arn: string): ApiError {
  return new ApiError('StateMachineDeleting', `State Machine is being deleted: '${arn}'`);
}

export function machineTypeNotSupported(): ApiError {
  return new ApiError(
    'StateMachineTypeNotSupported',
    'This operation is not supported by this type of state machine',
  );
}

export function executionDoesNotExist(arn: string): ApiError {
  return new ApiError('ExecutionDoesNotExist', `Execution Does Not Exist: '${arn}'`);
}

export function executionAlreadyExists(arn: string): ApiError {
  return new ApiError('ExecutionAlreadyExists', `Execution Already Exists: '${arn}'`);
}

export function activityDoesNotExist(arn: string): ApiError {
  return new ApiError('ActivityDoesNotExist', `Activity Does Not Exist: '${arn}'`);
}

export function resourceNotFound(arn: string): ApiError {
  return new ApiError('ResourceNotFound', `Resource not found: '${arn}'`, { resourceName: arn });
}

/** A version or alias that is not there: AWS names no resource in the text. */
export function aliasNotFound(arn: string): ApiError {
  return new ApiError('ResourceNotFound', 'Request references a resource that does not exist.', {
    resourceName: arn,
  });
}

export function conflict(message: string): ApiError {
  return new ApiError('ConflictException', message);
}

export function invalid(message: string, reason?: ValidationReason): ApiError {
  return new ApiError('ValidationException', message, reason === undefined ? {} : { reason });
}

export function unserializable(message: string | null): ApiError {
  return new ApiError('SerializationException', message);
}
