/** The transform that is saved with a model, as its serving process reads and applies it. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { applyTransform, type Transform } from './steps.js';

export const TRANSFORM_FILE = 'transform.json';

/** The column a request's text stands in. */
const TEXT = 'text';

/** What a text goes through before the tokenizer; null when the model came without a transform. */
export function savedTextTransform(folder: string): ((text: string) => string) | null {
  const path = join(folder, TRANSFORM_FILE);
  if (!existsSync(path)) return null;
  const transform = readTransform(readFileSync(path, 'utf8'), path);
  const other = transform.steps.find(
    (step) => step.step !== 'normaliseText' || step.column !== TEXT,
  );
  if (other !== undefined) {
    throw new RangeError(
      `${path}: a request brings only a text; the step "${other.step}" cannot be applied to it.`,
    );
  }
  return (text) => String(applyTransform(transform, { [TEXT]: text })[TEXT]);
}

export function readTransform(text: string, place: string): Transform {
  const value = JSON.parse(text) as Partial<Transform>;
  if (value.version === 1 && Array.isArray(value.steps)) return value as Transform;
  throw new RangeError(`${place}: this is no transform that ml:transform has fitted.`);
}
