/**
 * What one execution has made so far: its last dataset, model and metrics. A machine whose states
 * hand on only part of their data (a SageMaker Describe response, say) still finds its parts here.
 * Handlers `remember` what they made and `recall` only what their parameters lack.
 */
import { join } from 'node:path';
import { sha256 } from '../lib/digest.js';
import { isObject, type JsonObject, setOwn, shallowCopy } from '../lib/json.js';
import { readJsonIfPresent, replaceFile, withLock } from './registry/files.js';

/** The part of a task that names its execution. */
export interface WorkspaceOwner {
  readonly executionArn: string;
  readonly executionName: string;
}

/** Well-known keys: `dataset`, `model`, `metrics`, `trainingJob`, `endpoint`; others are free. */
export interface Workspaces {
  recall(owner: WorkspaceOwner): Promise<JsonObject>;
  /** Sets the given keys, whole; the others stay. */
  remember(owner: WorkspaceOwner, parts: JsonObject): Promise<void>;
}

/** Workspaces as files `<folder>/<execution name>.<hash of its ARN>.json`. */
export function openWorkspaces(folder: string): Workspaces {
  async function recall(owner: WorkspaceOwner): Promise<JsonObject> {
    const record = await readJsonIfPresent(pathOf(folder, owner));
    const mine = isObject(record ?? undefined) ? (record as JsonObject) : {};
    if (mine.executionArn !== owner.executionArn || !isObject(mine.parts)) return {};
    return mine.parts;
  }
  return {
    recall,
    remember: (owner, parts) =>
      withLock(folder, async () => {
        const all = shallowCopy(await recall(owner));
        for (const [key, value] of Object.entries(parts)) setOwn(all, key, value);
        const record = {
          executionArn: owner.executionArn,
          updatedAt: new Date().toISOString(),
          parts: all,
        };
        await replaceFile(pathOf(folder, owner), `${JSON.stringify(record, null, 2)}\n`);
      }),
  };
}

/** Names may be alike in two machines, so the ARN's hash makes the file's name unique. */
function pathOf(folder: string, owner: WorkspaceOwner): string {
  const readable = owner.executionName.replaceAll(/[^a-zA-Z0-9_.-]/g, '_').slice(0, 80);
  return join(folder, `${readable}.${sha256(owner.executionArn).slice(0, 12)}.json`);
}
