/** Revisions: stored once, compiled once. */
import { compileMachine } from '../core/compiler.js';
import type { Machine } from '../core/machine.js';
import { assert } from '../lib/assert.js';
import type { RevisionId } from '../lib/brand.js';
import { sha256 } from '../lib/digest.js';
import type { JsonObject } from '../lib/json.js';
import type { DocumentStore } from '../store/store.js';
import type { Revision } from './face.js';

const KIND = 'revision';
/** Compiled machines kept in memory. */
const MAX_COMPILED = 500;

export function revisionOf(definition: string, type: 'STANDARD' | 'EXPRESS'): Revision {
  return { id: sha256(`${type}\n${definition}`) as RevisionId, definition, type };
}

interface Compiled {
  readonly machine: Machine;
  readonly revision: Revision;
}

export class Machines {
  private readonly compiled = new Map<RevisionId, Compiled>();
  private readonly saved = new Set<RevisionId>();

  constructor(private readonly documents: DocumentStore) {}

  /** Keeps the revision for as long as the store lives; cheap when it is known. */
  async save(revision: Revision): Promise<Machine> {
    if (!this.saved.has(revision.id)) {
      await this.write(revision);
      this.saved.add(revision.id);
    }
    return this.machineOf(revision);
  }

  /**
   * The store may have gone back behind what was saved, and executions may have begun since: whatever is
   * known here is written again.
   */
  async saveAgain(): Promise<void> {
    this.saved.clear();
    for (const { revision } of [...this.compiled.values()]) await this.write(revision);
  }

  private async write({ id, definition, type }: Revision): Promise<void> {
    await this.documents.put(KIND, id, { definition, type }, 'any');
  }

  async revision(id: RevisionId): Promise<Revision | null> {
    const document = await this.documents.get(KIND, id);
    if (document === null) return null;
    const body = document.body as { definition: string; type: 'STANDARD' | 'EXPRESS' };
    return { id, definition: body.definition, type: body.type };
  }

  /** What is compiled already; null costs a look into the store (`find`). */
  compiledOf(id: RevisionId): Machine | null {
    return this.compiled.get(id)?.machine ?? null;
  }

  /** Null when the store has no such revision. */
  async find(id: RevisionId): Promise<Machine | null> {
    const known = this.compiledOf(id);
    if (known !== null) return known;
    const revision = await this.revision(id);
    return revision === null ? null : this.machineOf(revision);
  }

  async machine(id: RevisionId): Promise<Machine> {
    const found = await this.find(id);
    assert(found !== null, `Revision ${id} of a stored execution is stored too.`);
    return found;
  }

  private machineOf(revision: Revision): Machine {
    const known = this.compiledOf(revision.id);
    if (known !== null) return known;
    const machine = compileMachine(JSON.parse(revision.definition) as JsonObject, revision.type);
    if (this.compiled.size >= MAX_COMPILED) {
      const [oldest] = this.compiled.keys();
      if (oldest !== undefined) this.compiled.delete(oldest);
    }
    this.compiled.set(revision.id, { machine, revision });
    return machine;
  }
}
