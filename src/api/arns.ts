/** ARNs of requests: parsed, or refused with AWS's InvalidArn. */
import { type ArnKind, type ArnOf, arnType, parseArn } from '../wire/arn.js';
import { invalid, invalidArn, invalidRoleArn } from '../wire/errors.js';

/** The account may be missing or short: nothing is authorised here, and people write `000`. */
const ROLE_ARN = /^arn:[^:\s]+:iam::\d*:role\/\S+$/;

/** The ARN, which must be of one of `kinds`. */
export function expectArn<K extends ArnKind>(text: string, ...kinds: readonly K[]): ArnOf<K> {
  const parsed = parseArn(text);
  if (parsed !== null && isOneOf(parsed.kind, kinds)) return parsed as ArnOf<K>;
  if (!text.startsWith('arn:')) throw invalidArn(`Invalid ARN prefix: ${text}`);
  const type = arnType(text);
  if (type === null || (parsed === null && isOneOf(type, kinds))) {
    throw invalidArn(`Invalid ARN: ${text}`);
  }
  throw invalidArn(`Resource type not valid in this context: ${type}`);
}

/** A machine's own ARN or one of its versions' or aliases'; labelled ARNs (Map Runs) are refused. */
export function expectMachineArn(text: string): ArnOf<'stateMachine'> {
  const parsed = expectArn(text, 'stateMachine');
  if (parsed.label !== null) {
    throw invalid(
      'This operation does not support labeled state machine ARNs',
      'API_DOES_NOT_SUPPORT_LABELED_ARNS',
    );
  }
  return parsed;
}

export function checkRoleArn(text: string): void {
  if (!ROLE_ARN.test(text)) throw invalidRoleArn(text);
}

export function isVersionQualifier(qualifier: string): boolean {
  return /^\d+$/.test(qualifier);
}

function isOneOf<K extends string>(kind: string, kinds: readonly K[]): kind is K {
  return (kinds as readonly string[]).includes(kind);
}
