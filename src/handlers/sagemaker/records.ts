/**
 * SageMaker resources that exist here: training jobs, models, endpoint configurations. One file each
 * below `<home>/sagemaker`. A name is taken once: a second claim by another owner is refused.
 */
import { join } from 'node:path';
import { isObject, type Json, type JsonObject } from '../../lib/json.js';
import { readJsonIfPresent, replaceFile, withLock } from '../../ml/registry/files.js';

export type RecordKind = 'training-jobs' | 'models' | 'endpoint-configs';

export interface SageMakerRecords {
  get(kind: RecordKind, name: string): Promise<JsonObject | null>;
  /**
   * Creates the record; when it exists, answers it if `owner` made it, else null. The owner is what
   * makes two requests the same one. `mayReplace` lets another owner take a spent record over.
   */
  claim(
    kind: RecordKind,
    name: string,
    owner: string,
    record: JsonObject,
    mayReplace?: (existing: JsonObject) => boolean,
  ): Promise<JsonObject | null>;
  put(kind: RecordKind, name: string, record: JsonObject): Promise<void>;
}

/** Names have been checked by `Findings.name`: they are safe file names. */
export function openSageMakerRecords(home: string): SageMakerRecords {
  const folder = join(home, 'sagemaker');
  const pathOf = (kind: RecordKind, name: string): string => join(folder, kind, `${name}.json`);
  const save = (kind: RecordKind, name: string, record: Json): Promise<void> =>
    replaceFile(pathOf(kind, name), `${JSON.stringify(record, null, 2)}\n`);
  async function get(kind: RecordKind, name: string): Promise<JsonObject | null> {
    const record = await readJsonIfPresent(pathOf(kind, name));
    return isObject(record ?? undefined) ? (record as JsonObject) : null;
  }
  return {
    get,
    claim: (kind, name, owner, record, mayReplace = () => false) =>
      withLock(folder, async () => {
        const existing = await get(kind, name);
        if (existing?.owner === owner) return existing;
        if (existing !== null && !mayReplace(existing)) return null;
        const fresh = { ...record, owner };
        await save(kind, name, fresh);
        return fresh;
      }),
    put: (kind, name, record) => withLock(folder, () => save(kind, name, record)),
  };
}
