/** TestState: one state by itself, inspected. */
import type { Json } from '../../lib/json.js';
import type { Inspection } from '../../runtime/test-state/inspect.js';
import type { WireObject } from '../../wire/describe.js';
import type { Input } from '../../wire/operations.js';
import type { ApiContext } from '../context.js';
import { readRequest } from '../test-state/request.js';
import type { Actions } from './action.js';

export const testStateActions: Actions<'TestState'> = {
  TestState: async (api, input) => {
    const request = readRequest(api, input);
    const configuration = input.stateConfiguration ?? {};
    const inspection = await api.inspect({
      ...request,
      identity: identityOf(api, input.roleArn),
      now: api.now(),
      random: () => api.random(),
      uuid: () => api.uuid(),
      retryCount: configuration.retrierRetryCount ?? 0,
      failedIterations: configuration.mapIterationFailureCount ?? 0,
    });
    return answer(inspection, input.inspectionLevel ?? 'INFO');
  },
};

/** Recorded: a test runs as an Express execution of a machine nobody made. */
function identityOf(
  api: ApiContext,
  roleArn: string | undefined,
): Parameters<ApiContext['inspect']>[0]['identity'] {
  const { partition, region, account } = api.config.scope;
  const [machine, name] = [api.uuid(), api.uuid()];
  const prefix = `arn:${partition}:states:${region}:${account}`;
  return {
    arn: `${prefix}:express:${machine}:${name}`,
    name,
    stateMachineArn: `${prefix}:stateMachine:${machine}`,
    stateMachineName: machine,
    stateMachineVersionArn: null,
    stateMachineAliasArn: null,
    mapRunArn: null,
    roleArn: roleArn ?? '',
    type: 'EXPRESS',
    synchronous: true,
  };
}

function answer(inspection: Inspection, level: Input<'TestState'>['inspectionLevel']): WireObject {
  const { status, output, failure, nextState } = inspection;
  return {
    status,
    ...(output === undefined ? {} : { output: text(output) }),
    ...(failure?.error == null ? {} : { error: failure.error }),
    ...(failure?.cause == null ? {} : { cause: failure.cause }),
    ...(nextState === null ? {} : { nextState }),
    ...(level === 'INFO' ? {} : { inspectionData: inspectionData(inspection) }),
  };
}

function inspectionData({ data }: Inspection): WireObject {
  const stages = Object.fromEntries([...data.stages].map(([name, value]) => [name, text(value)]));
  return {
    ...stages,
    ...number('maxConcurrency', data.maxConcurrency),
    ...number('toleratedFailureCount', data.toleratedFailureCount),
    ...number('toleratedFailurePercentage', data.toleratedFailurePercentage),
    ...(data.errorDetails === null ? {} : { errorDetails: data.errorDetails }),
  };
}

function number(name: string, value: number | null): WireObject {
  return value === null ? {} : { [name]: value };
}

function text(value: Json): string {
  return JSON.stringify(value);
}
