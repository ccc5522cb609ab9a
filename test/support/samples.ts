/** Machines to try things on: the shipped ones, and those of public AWS repositories. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { JsonObject } from '../../src/lib/json.js';

const SHIPPED = fileURLToPath(new URL('../../state-machines/', import.meta.url));
const SAMPLES = fileURLToPath(
  new URL('../../../shared/definitions/aws-samples.json', import.meta.url),
);

export interface Sample {
  readonly id: string;
  readonly definition: JsonObject;
}

export function shippedMachines(): readonly Sample[] {
  return readdirSync(SHIPPED)
    .filter((file) => file.endsWith('.asl.json'))
    .map((file) => ({ id: file, definition: read(`${SHIPPED}${file}`) as JsonObject }));
}

/** Empty where the definitions are not beside the checkout. */
export function awsSamples(): readonly Sample[] {
  try {
    return read(SAMPLES) as readonly Sample[];
  } catch {
    return [];
  }
}

function read(file: string): unknown {
  return JSON.parse(readFileSync(file, 'utf8'));
}
