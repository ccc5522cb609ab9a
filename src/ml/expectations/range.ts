/** `min_value`, `max_value`, `strict_min`, `strict_max`: the range many expectations share. */
import type { Json, JsonObject } from '../../lib/json.js';
import { ExpectationProblem } from './evaluator.js';

export interface Bounds {
  readonly min: number | string | null;
  readonly max: number | string | null;
  readonly strictMin: boolean;
  readonly strictMax: boolean;
}

export function boundsOf(kwargs: JsonObject): Bounds {
  const min = boundOf(kwargs.min_value, 'min_value');
  const max = boundOf(kwargs.max_value, 'max_value');
  if (min === null && max === null) {
    throw new ExpectationProblem('min_value and max_value cannot both be None');
  }
  if (min !== null && max !== null) {
    if (typeof min !== typeof max) {
      throw new ExpectationProblem('min_value and max_value are of different types');
    }
    if (min > max) throw new ExpectationProblem('min_value cannot be greater than max_value');
  }
  const { strict_min: strictMin, strict_max: strictMax } = kwargs;
  return { min, max, strictMin: strictMin === true, strictMax: strictMax === true };
}

function boundOf(value: Json | undefined, kwarg: string): number | string | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'number' || typeof value === 'string') return value;
  throw new ExpectationProblem(`${kwarg} must be a number, or a text such as an ISO date`);
}

/** Numbers with numbers, texts (ISO dates) with texts; another kind of value is out of range. */
export function within(value: Json, bounds: Bounds): boolean {
  const { min, max } = bounds;
  if (min !== null) {
    if (typeof value !== typeof min) return false;
    if (bounds.strictMin ? !((value as typeof min) > min) : !((value as typeof min) >= min)) {
      return false;
    }
  }
  if (max !== null) {
    if (typeof value !== typeof max) return false;
    if (bounds.strictMax ? !((value as typeof max) < max) : !((value as typeof max) <= max)) {
      return false;
    }
  }
  return true;
}
