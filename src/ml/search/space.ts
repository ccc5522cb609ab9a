/**
 * A space of hyperparameters: per name a list of values, or a range on a linear or logarithmic scale.
 * SageMaker's ParameterRanges are read as well. Drawing follows from the seed and the number of the
 * trial alone, so a trial is the same whoever asks for it and in whatever order.
 */
import {
  fromEntries,
  getOwn,
  isArray,
  isObject,
  type Json,
  type JsonObject,
} from '../../lib/json.js';
import { SeededRandom } from '../onnx/seeded-random.js';

export type Scale = 'linear' | 'log';

export type Dimension = { readonly name: string } & (
  | { readonly kind: 'values'; readonly values: readonly Json[] }
  | {
      readonly kind: 'range';
      readonly min: number;
      readonly max: number;
      readonly scale: Scale;
      readonly isInteger: boolean;
      /** Points of a grid, ends included; null when none was given. */
      readonly points: number | null;
    }
);

/** A space that cannot be searched: one sentence that names the place. */
export class SearchError extends Error {
  override readonly name = 'SearchError';
}

/** Throws SearchError. */
export function parseSpace(space: JsonObject): readonly Dimension[] {
  const dimensions = isSageMaker(space)
    ? fromSageMaker(space)
    : Object.entries(space).map(([name, value]) => parseDimension(name, value));
  if (dimensions.length > 0) return dimensions;
  throw new SearchError('space: it is empty; name at least one hyperparameter with its values');
}

function parseDimension(name: string, value: Json): Dimension {
  if (isArray(value)) return valuesOf(name, value);
  if (!isObject(value)) refuse(name, 'must be a list of values or {"min", "max"}');
  const values = getOwn(value, 'values');
  if (isArray(values)) return valuesOf(name, values);
  const [min, max] = [getOwn(value, 'min'), getOwn(value, 'max')];
  if (typeof min !== 'number' || typeof max !== 'number') {
    refuse(name, 'must have "values", or the numbers "min" and "max"');
  }
  const scale = getOwn(value, 'scale') ?? 'linear';
  if (scale !== 'linear' && scale !== 'log') refuse(name, '"scale" must be "linear" or "log"');
  const isInteger = getOwn(value, 'type') === 'integer';
  return range({ name, min, max, scale, isInteger, points: pointsOf(name, value, min, max) });
}

function valuesOf(name: string, values: readonly Json[]): Dimension {
  if (values.length === 0) refuse(name, 'must list at least one value');
  return { name, kind: 'values', values };
}

function pointsOf(name: string, value: JsonObject, min: number, max: number): number | null {
  const [points, step] = [getOwn(value, 'points'), getOwn(value, 'step')];
  if (points !== undefined) {
    if (typeof points === 'number' && Number.isInteger(points) && points >= 1) return points;
    refuse(name, '"points" must be a whole number from 1');
  }
  if (step === undefined) return null;
  if (typeof step !== 'number' || !(step > 0)) refuse(name, '"step" must be a positive number');
  return Math.floor((max - min) / step + 1e-9) + 1;
}

function range(given: Omit<Extract<Dimension, { kind: 'range' }>, 'kind'>): Dimension {
  const { name, min, max, scale, isInteger } = given;
  if (!(min <= max)) refuse(name, `"min" ${min} must not be above "max" ${max}`);
  if (scale === 'log' && min <= 0) refuse(name, 'a logarithmic scale needs "min" above 0');
  if (isInteger && !(Number.isInteger(min) && Number.isInteger(max))) {
    refuse(name, 'an integer range needs whole numbers as "min" and "max"');
  }
  return { ...given, kind: 'range' };
}

const SAGEMAKER_RANGES = [
  'IntegerParameterRanges',
  'ContinuousParameterRanges',
  'CategoricalParameterRanges',
] as const;

function isSageMaker(space: JsonObject): boolean {
  const names = Object.keys(space);
  const known: readonly string[] = SAGEMAKER_RANGES;
  return names.length > 0 && names.every((name) => known.includes(name));
}

/** Ranges as CreateHyperParameterTuningJob has them: numbers as texts, `ScalingType`. */
function fromSageMaker(space: JsonObject): Dimension[] {
  return SAGEMAKER_RANGES.flatMap((kind) => {
    const ranges = getOwn(space, kind);
    return (isArray(ranges) ? ranges : []).map((entry) => {
      const of = isObject(entry) ? entry : {};
      const name = String(getOwn(of, 'Name') ?? '');
      if (name === '') refuse(kind, 'every range needs a "Name"');
      const values = getOwn(of, 'Values');
      if (kind === 'CategoricalParameterRanges') {
        return valuesOf(name, isArray(values) ? values : []);
      }
      const scale = getOwn(of, 'ScalingType') === 'Logarithmic' ? 'log' : 'linear';
      const [min, max] = [Number(getOwn(of, 'MinValue')), Number(getOwn(of, 'MaxValue'))];
      const isInteger = kind === 'IntegerParameterRanges';
      return range({ name, min, max, scale, isInteger, points: null });
    });
  });
}

/** All combinations, the last name varying fastest. Throws SearchError above `limit`. */
export function gridOf(dimensions: readonly Dimension[], limit: number): JsonObject[] {
  const lists = dimensions.map((dimension) => ({ dimension, values: gridValues(dimension) }));
  const size = lists.reduce((product, { values }) => product * values.length, 1);
  if (size > limit) {
    throw new SearchError(
      `space: the grid has ${size} points, the most are ${limit}; draw at random`,
    );
  }
  return lists.reduce<JsonObject[]>(
    (points, { dimension, values }) =>
      points.flatMap((point) => values.map((value) => ({ ...point, [dimension.name]: value }))),
    [{}],
  );
}

function gridValues(dimension: Dimension): readonly Json[] {
  if (dimension.kind === 'values') return dimension.values;
  const { min, max, isInteger, name } = dimension;
  const points = dimension.points ?? (isInteger ? max - min + 1 : null);
  if (points === null) refuse(name, 'a grid over a range needs "points" or "step"');
  const at = Array.from({ length: points }, (_, i) => (points === 1 ? 0 : i / (points - 1)));
  return [...new Set(at.map((share) => valueAt(dimension, share)))];
}

/** Value at a share of the way from min to max on the scale of the range. */
function valueAt(of: Extract<Dimension, { kind: 'range' }>, share: number): number {
  const { min, max, scale, isInteger } = of;
  const value = scale === 'log' ? min * (max / min) ** share : min + (max - min) * share;
  return isInteger ? Math.round(value) : Number(value.toPrecision(6));
}

/** Draws again this often before it takes the space for exhausted. */
const MAX_REDRAWS = 50;

/** `count` different points, fewer when the space has no more. */
export function randomPoints(
  dimensions: readonly Dimension[],
  count: number,
  seed: number,
): JsonObject[] {
  const seen = new Set<string>();
  const points: JsonObject[] = [];
  for (let number = 0; number < count; number++) {
    for (let redraw = 0; redraw < MAX_REDRAWS; redraw++) {
      const point = drawn(dimensions, new SeededRandom(seed, 'trial', number, redraw));
      const key = JSON.stringify(point);
      if (seen.has(key)) continue;
      seen.add(key);
      points.push(point);
      break;
    }
  }
  return points;
}

function drawn(dimensions: readonly Dimension[], random: SeededRandom): JsonObject {
  return fromEntries(
    dimensions.map((dimension) => {
      if (dimension.kind === 'values') return [dimension.name, random.pick(dimension.values)];
      const { min, max, scale, isInteger } = dimension;
      // Every whole number of a linear range is equally likely, its ends included.
      const even = isInteger && scale === 'linear';
      const value = even ? min + random.below(max - min + 1) : valueAt(dimension, random.uniform());
      return [dimension.name, value];
    }),
  );
}

function refuse(name: string, sentence: string): never {
  throw new SearchError(`space/${name}: ${sentence}`);
}
