import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { schemaFiles } from '../../../src/core/validate/schemas/index.js';

/** `UPDATE_SCHEMAS=1 npx vitest run --project fast test/core/validate/schemas` writes the files. */
const FOLDER = fileURLToPath(new URL('../../../schemas/', import.meta.url));
const isWriting = process.env.UPDATE_SCHEMAS === '1';

describe('schemas/', () => {
  it.each([...schemaFiles()])('%s says what the validator uses', (file, schema) => {
    const text = `${JSON.stringify(schema, null, 2)}\n`;
    if (isWriting) {
      mkdirSync(FOLDER, { recursive: true });
      writeFileSync(FOLDER + file, text);
    }
    expect(existsSync(FOLDER + file) ? readFileSync(FOLDER + file, 'utf8') : null).toBe(text);
  });

  it('the files work together in any JSON Schema validator', () => {
    const ajv = new Ajv2020({ allowUnionTypes: true, strict: false });
    for (const schema of schemaFiles().values()) ajv.addSchema(schema as object);
    const validate = ajv.getSchema('state-machine.json');
    const state = (body: object) => ({ StartAt: 'A', States: { A: body } });
    expect(validate?.(state({ Type: 'Pass', End: true }))).toBe(true);
    expect(validate?.(state({ Type: 'Pass' }))).toBe(false);
    const branch = (body: object) =>
      state({ Type: 'Parallel', End: true, Branches: [state(body)] });
    expect(validate?.(branch({ Type: 'Succeed' }))).toBe(true);
    expect(validate?.(branch({ Type: 'Succeed', Next: 'A' }))).toBe(false);
  });
});
