/**
 * A mocked result against the API model of the service that would have answered: AWS's complaint
 * after "Mock result schema validation error: ", or null. STRICT wants required members, PRESENT and
 * STRICT check what is there, and members that the model does not know are allowed in both
 * (recorded: test_present_mode_mock_result_field_not_in_api_spec). What has no model is not checked:
 * function ARNs, activities, HTTP and API Gateway calls, callbacks, handlers of our own.
 */
import type { TaskResource } from '../../core/fact.js';
import { assertNever } from '../../lib/assert.js';
import { isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import {
  type BoundedShape,
  type Bounds,
  loadModel,
  type Model,
  type ObjectShape,
  type PlainShape,
} from './model.js';
import { operationOf } from './operation.js';

export type FieldValidationMode = 'STRICT' | 'PRESENT' | 'NONE';

export function checkMockResult(
  resource: TaskResource,
  result: Json,
  mode: FieldValidationMode,
): string | null {
  if (mode === 'NONE' || result === null) return null;
  const operation = operationOf(resource);
  const model = operation === null ? null : loadModel(operation.service);
  if (operation === null || model === null) return null;
  if (!Object.hasOwn(model.operations, operation.action)) return null;
  // Not recorded: what AWS says of a result that is no object at all.
  if (!isObject(result)) return 'Result must be an object';
  return checkValue(result, model.operations[operation.action], { model, mode, field: 'Result' });
}

interface Check {
  readonly model: Model;
  readonly mode: FieldValidationMode;
  /** Recorded: only the member's own name, without the path to it; items go by their list's. */
  readonly field: string;
}

function checkValue(value: Json, index: number | undefined, check: Check): string | null {
  const shape = check.model.shapes[index ?? -1] ?? 'any';
  if (typeof shape === 'string') return checkType(value, shape, check.field);
  if ('object' in shape) return checkObject(value, shape, check);
  if ('array' in shape) {
    if (!isArray(value)) return `Field '${check.field}' must be an array`;
    return firstOf(value, (item) => checkValue(item, shape.array, check));
  }
  if ('map' in shape) {
    if (!isObject(value)) return `Field '${check.field}' must be an object`;
    return firstOf(Object.values(value), (item) => checkValue(item, shape.map, check));
  }
  return checkBounded(value, shape, check.field);
}

function checkObject(value: Json, shape: ObjectShape, check: Check): string | null {
  if (!isObject(value)) return `Field '${check.field}' must be an object`;
  const missing = check.mode === 'STRICT' ? missingMember(value, shape.required ?? []) : undefined;
  if (missing !== undefined) return `Required field '${missing}' is missing`;
  return firstOf(Object.entries(value), ([field, member]) =>
    Object.hasOwn(shape.object, field)
      ? checkValue(member, shape.object[field], { ...check, field })
      : null,
  );
}

function missingMember(value: JsonObject, required: readonly string[]): string | undefined {
  return required.find((member) => !Object.hasOwn(value, member));
}

function checkType(value: Json, type: PlainShape, field: string): string | null {
  switch (type) {
    case 'any':
      return null;
    case 'string':
    case 'number':
    case 'boolean':
      // Recorded: a timestamp is text too, of any form; a number is never taken for one.
      return typeof value === type ? null : `Field '${field}' must be a ${type}`;
    default:
      return assertNever(type);
  }
}

function checkBounded(value: Json, shape: BoundedShape, field: string): string | null {
  if ('number' in shape) {
    if (typeof value !== 'number') return `Field '${field}' must be a number`;
    return complaintOf(field, outside(value, value, shape.number), [
      'is less than the minimum value',
      'exceeds the maximum value',
    ]);
  }
  if (typeof value !== 'string') return `Field '${field}' must be a string`;
  if ('enum' in shape) {
    return shape.enum.includes(value) ? null : `Field '${field}' is not an expected value`;
  }
  const lengths = ['is smaller than the minimum length', 'exceeds the maximum length'] as const;
  if ('string' in shape) {
    return complaintOf(field, outside(value.length, value.length, shape.string), lengths);
  }
  // Bytes may stand as base64 or as they are: neither bound complains of what one of both would allow.
  const bytes = Buffer.byteLength(value, 'base64');
  return complaintOf(field, outside(value.length, bytes, shape.blob), lengths);
}

/** Below the minimum, above the maximum, or neither. */
function outside(most: number, least: number, [min, max]: Bounds): -1 | 0 | 1 {
  if (min !== null && most < min) return -1;
  return max !== null && least > max ? 1 : 0;
}

function complaintOf(
  field: string,
  side: -1 | 0 | 1,
  [below, above]: readonly [string, string],
): string | null {
  return side === 0 ? null : `Field '${field}' ${side < 0 ? below : above}`;
}

function firstOf<T>(items: readonly T[], check: (item: T) => string | null): string | null {
  for (const item of items) {
    const complaint = check(item);
    if (complaint !== null) return complaint;
  }
  return null;
}
