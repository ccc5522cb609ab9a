/** Reading a Task's `Resource`: what kind of thing it names, and its pattern suffix. */

export const PATTERN_SUFFIXES = ['.waitForTaskToken', '.sync:2', '.sync'] as const;

export type ResourceName =
  | { readonly is: 'lambda-function'; readonly arn: string; readonly functionName: string }
  | { readonly is: 'activity'; readonly arn: string }
  | { readonly is: 'topic'; readonly arn: string; readonly topic: string }
  /** `arn:aws:states:::sns:publish` is `sns:publish`, integrated. */
  | { readonly is: 'integration'; readonly service: string; readonly action: string }
  | { readonly is: 'bare' };

const LAMBDA = /^arn:aws[\w-]*:lambda:[\w-]*:\d*:function:([\w-]+)(?::([\w$-]+))?$/;
const ACTIVITY = /^arn:aws[\w-]*:states:[\w-]+:\d+:activity:.+$/;
const TOPIC = /^arn:aws[\w-]*:sns:[\w-]*:\d*:([\w.-]+)$/;
const INTEGRATION = /^arn:aws[\w-]*:states:[\w-]*:\d*:((?:aws-sdk:)?[\w-]+):([\w.:-]+)$/;

export function readResource(resource: string): ResourceName {
  const lambda = LAMBDA.exec(resource);
  if (lambda !== null) {
    return { is: 'lambda-function', arn: resource, functionName: lambda[1] as string };
  }
  if (ACTIVITY.test(resource)) return { is: 'activity', arn: resource };
  const topic = TOPIC.exec(resource);
  if (topic !== null) return { is: 'topic', arn: resource, topic: topic[1] as string };
  const integration = INTEGRATION.exec(resource);
  if (integration !== null) {
    const [, service = '', action = ''] = integration;
    return { is: 'integration', service, action };
  }
  return { is: 'bare' };
}

/** The name without its pattern suffix, and that suffix (or an empty text). */
export function splitSuffix(name: string): { readonly base: string; readonly suffix: string } {
  const suffix = PATTERN_SUFFIXES.find((known) => name.endsWith(known)) ?? '';
  return { base: name.slice(0, name.length - suffix.length), suffix };
}

/** Function name inside what `FunctionName` may hold: a name, `name:alias`, a partial or full ARN. */
export function functionNameOf(text: string): string {
  const match = /(?:^|:)function:([\w-]+)/.exec(text);
  return match?.[1] ?? (text.split(':')[0] as string);
}
