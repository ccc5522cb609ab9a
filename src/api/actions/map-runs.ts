/** Map Runs: what Distributed Map states started. */
import type { ExecutionArn } from '../../lib/brand.js';
import { executionDoesNotExist, invalid, resourceNotFound } from '../../wire/errors.js';
import { describeMapRun, listMapRun } from '../../wire/map-run.js';
import { expectArn } from '../arns.js';
import { readPage } from '../paging.js';
import type { Actions } from './action.js';

export const mapRunActions: Actions<'ListMapRuns' | 'DescribeMapRun' | 'UpdateMapRun'> = {
  ListMapRuns: async (api, input) => {
    const arn = input.executionArn;
    expectArn(arn, 'execution');
    if ((await api.engine.state(arn as ExecutionArn)) === null) throw executionDoesNotExist(arn);
    const page = await readPage(api, input, ['ListMapRuns', arn], (limit, cursor) =>
      api.mapRuns.list(arn, limit, cursor),
    );
    return { mapRuns: page.items.map(listMapRun), nextToken: page.nextToken };
  },

  DescribeMapRun: async (api, input) => {
    expectArn(input.mapRunArn, 'mapRun');
    const run = await api.mapRuns.get(input.mapRunArn);
    if (run === null) throw resourceNotFound(input.mapRunArn);
    return describeMapRun(run);
  },

  UpdateMapRun: async (api, input) => {
    expectArn(input.mapRunArn, 'mapRun');
    const { mapRunArn, ...change } = input;
    if (Object.values(change).every((value) => value === undefined)) {
      throw invalid(
        'At least one of maxConcurrency, toleratedFailureCount or toleratedFailurePercentage must be specified',
        'MISSING_REQUIRED_PARAMETER',
      );
    }
    const result = await api.mapRuns.update(mapRunArn, change);
    if (result === 'unknown') throw resourceNotFound(mapRunArn);
    if (result === 'over') {
      throw invalid('Map Run is not running', 'CANNOT_UPDATE_COMPLETED_MAP_RUN');
    }
    return {};
  },
};
