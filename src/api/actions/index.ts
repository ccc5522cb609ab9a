/** All operations by name: a new row in wire/operations.ts fails to compile until it is here. */
import { activityActions } from './activities.js';
import type { Actions } from './action.js';
import { aliasActions } from './aliases.js';
import { executionActions } from './executions.js';
import { mapRunActions } from './map-runs.js';
import { stateMachineActions } from './state-machines.js';
import { tagActions } from './tags.js';
import { taskActions } from './tasks.js';
import { testStateActions } from './test-state.js';
import { validateActions } from './validate.js';
import { versionActions } from './versions.js';
import type { Operation } from '../../wire/operations.js';

export const ACTIONS: Actions<Operation> = {
  ...stateMachineActions,
  ...versionActions,
  ...aliasActions,
  ...executionActions,
  ...activityActions,
  ...taskActions,
  ...mapRunActions,
  ...tagActions,
  ...validateActions,
  ...testStateActions,
};
