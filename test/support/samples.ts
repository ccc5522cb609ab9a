/** Machines to try things on: the shipped ones, and those of public AWS repositories. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { validateParsed } from '../../src/core/validate.js';
import type { Json, JsonObject } from '../../src/lib/json.js';

const SHIPPED = fileURLToPath(new URL('../../state-machines/', import.meta.url));
const PUBLIC = fileURLToPath(new URL('../../../shared/definitions/', import.meta.url));

/** Whether the definitions lie beside the checkout. */
export const publicMachinesAreThere = existsSync(PUBLIC);

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
  return publicMachinesAreThere ? samplesIn('aws-samples.json') : [];
}

/** Also the cases of a validator; only what AWS would take. */
export function publicMachines(): readonly Sample[] {
  const all = ['aws-samples.json', 'validator-cases.json'].flatMap(samplesIn);
  return all.filter(({ definition }) =>
    validateParsed(definition as Json, { type: 'STANDARD', strict: false }).every(
      ({ severity }) => severity !== 'ERROR',
    ),
  );
}

function samplesIn(file: string): readonly Sample[] {
  return read(`${PUBLIC}${file}`) as readonly Sample[];
}

function read(file: string): unknown {
  return JSON.parse(readFileSync(file, 'utf8'));
}
