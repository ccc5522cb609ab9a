/** The `Resource` of a Task: which integration pattern it asks for and how events name it. */
import type { TaskResource } from './fact.js';

const FUNCTION_ARN = /^arn:[^:]+:lambda:[^:]*:[^:]*:function:/;
const ACTIVITY_ARN = /^arn:[^:]+:states:[^:]*:[^:]*:activity:/;
const SERVICE_ARN = /^arn:[^:]+:states:[^:]*:[^:]*:(aws-sdk:[^:]+|[^:]+):(.+)$/;
const TOPIC_ARN = /^arn:[^:]+:sns:[^:]*:[^:]*:[^:]+$/;

export function parseResource(arn: string): TaskResource {
  if (FUNCTION_ARN.test(arn)) {
    return { arn, kind: 'lambda-function', type: '', action: arn, pattern: 'request-response' };
  }
  if (ACTIVITY_ARN.test(arn)) {
    return { arn, kind: 'activity', type: '', action: arn, pattern: 'request-response' };
  }
  // AWS rejects a bare topic ARN; here it means publishing to the topic (warned at validation).
  if (TOPIC_ARN.test(arn)) return task(arn, 'sns', 'publish');
  const service = SERVICE_ARN.exec(arn);
  if (service !== null) return task(arn, service[1] as string, service[2] as string);
  const colon = arn.indexOf(':');
  return colon === -1
    ? task(arn, 'local', arn)
    : task(arn, arn.slice(0, colon), arn.slice(colon + 1));
}

function task(arn: string, type: string, action: string): TaskResource {
  const pattern = action.endsWith('.waitForTaskToken')
    ? 'wait-for-task-token'
    : /\.sync(:2)?$/.test(action)
      ? 'sync'
      : 'request-response';
  return { arn, kind: 'task', type, action, pattern };
}

/** The name AWS uses when a payload is too large: the function ARN or the service. */
export function limitName(resource: TaskResource): string {
  return resource.kind === 'task' ? resource.type : resource.arn;
}
