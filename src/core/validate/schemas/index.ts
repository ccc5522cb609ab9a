/** All schemas by state type, and the same as files: `schemas/<name>.json` of the repository. */
import type { Schema } from './common.js';
import { choice, fail, machine, map, parallel, pass, succeed, task, wait } from './states.js';

/** In the order AWS lists them in its message about an unknown `Type`. */
export const STATE_TYPES = [
  'Task',
  'Wait',
  'Pass',
  'Succeed',
  'Fail',
  'Choice',
  'Parallel',
  'Map',
] as const;
export type StateType = (typeof STATE_TYPES)[number];

export const STATE_SCHEMAS = {
  Task: task,
  Wait: wait,
  Pass: pass,
  Succeed: succeed,
  Fail: fail,
  Choice: choice,
  Parallel: parallel,
  Map: map,
} satisfies Record<StateType, Schema>;

export const MACHINE_SCHEMA = machine;

/** File name to schema; a test writes and compares the files. */
export function schemaFiles(): ReadonlyMap<string, Schema> {
  const files = new Map<string, Schema>();
  files.set('state-machine.json', { $id: 'state-machine.json', ...machine });
  files.set('state.json', {
    $id: 'state.json',
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Any state',
    type: 'object',
    required: ['Type'],
    properties: { Type: { enum: STATE_TYPES } },
    allOf: STATE_TYPES.map((type) => ({
      if: { properties: { Type: { const: type } } },
      // biome-ignore lint/suspicious/noThenProperty: the JSON Schema keyword
      then: { $ref: `${type.toLowerCase()}.json` },
    })),
  });
  for (const type of STATE_TYPES) {
    const file = `${type.toLowerCase()}.json`;
    files.set(file, { $id: file, ...STATE_SCHEMAS[type] });
  }
  return files;
}
