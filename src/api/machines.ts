/**
 * State machines in the document store. A machine points to its current revision; revisions are
 * immutable and outlive everything, so that any execution can say what it ran; versions and aliases
 * point to revisions and versions.
 */
import type { EpochMs, RevisionId } from '../lib/brand.js';
import { sha256 } from '../lib/digest.js';
import { canonicalJson, type Json } from '../lib/json.js';
import type { DocumentStore } from '../store/store.js';
import type { EncryptionInput, LoggingInput, RoutingInput } from '../wire/operations.js';
import { Collection } from './collection.js';
import type { MachineType } from './definitions.js';

/** What UpdateStateMachine may change; defaults are filled in. */
export interface MachineSettings {
  /** The text exactly as given. */
  readonly definition: string;
  readonly roleArn: string;
  readonly loggingConfiguration: LoggingInput;
  readonly tracingConfiguration: { readonly enabled: boolean };
  readonly encryptionConfiguration: EncryptionInput | null;
}

export interface Revision extends MachineSettings {
  readonly id: RevisionId;
  readonly machineArn: string;
  readonly name: string;
  readonly type: MachineType;
  /** AWS's revision id; null is AWS's `INITIAL`, which answers leave out. */
  readonly revisionId: string | null;
  readonly updatedAt: EpochMs;
}

export interface Machine {
  readonly arn: string;
  readonly name: string;
  readonly type: MachineType;
  readonly status: 'ACTIVE' | 'DELETING';
  readonly createdAt: EpochMs;
  readonly revision: RevisionId;
  /** Number of the version published last, 0 for none: numbers are never used again. */
  readonly lastVersion: number;
  /** The version that shows the current revision, or null. */
  readonly publishedVersion: number | null;
}

export interface Version {
  readonly arn: string;
  readonly machineArn: string;
  readonly number: number;
  readonly description: string | null;
  readonly createdAt: EpochMs;
  readonly revision: RevisionId;
}

export interface Alias {
  readonly arn: string;
  readonly machineArn: string;
  readonly name: string;
  readonly description: string | null;
  readonly routing: RoutingInput;
  readonly createdAt: EpochMs;
  readonly updatedAt: EpochMs;
}

/** Revisions are immutable, so the ones used lately stay in memory. */
const CACHED_REVISIONS = 500;

export class Machines {
  readonly machines: Collection<Machine>;
  readonly versions: Collection<Version>;
  readonly aliases: Collection<Alias>;
  private readonly stored: Collection<Revision>;
  private readonly cache = new Map<RevisionId, Revision>();

  constructor(documents: DocumentStore) {
    this.machines = new Collection(documents, 'state-machine');
    this.versions = new Collection(documents, 'state-machine-version');
    this.aliases = new Collection(documents, 'state-machine-alias');
    this.stored = new Collection(documents, 'state-machine-revision');
  }

  async revision(id: RevisionId): Promise<Revision | null> {
    const cached = this.cache.get(id);
    if (cached !== undefined) return cached;
    const stored = await this.stored.get(id);
    if (stored === null) return null;
    if (this.cache.size >= CACHED_REVISIONS) {
      this.cache.delete(this.cache.keys().next().value as RevisionId);
    }
    this.cache.set(id, stored);
    return stored;
  }

  /** A version's document id is not its ARN, so versions are removed by number. */
  async removeVersions(machineArn: string): Promise<void> {
    for (const version of await this.versions.all(`${machineArn}:`)) {
      await this.versions.remove(versionId(machineArn, version.number));
    }
  }

  async addRevision(body: Omit<Revision, 'id'>): Promise<Revision> {
    const id = sha256(canonicalJson(body as unknown as Json)) as RevisionId;
    const revision = { id, ...body };
    await this.stored.create(id, revision);
    return revision;
  }
}

/** Greater than any version number; ids count down from it so that lists show the newest first. */
const VERSION_CEILING = 9_999_999_999;

export function versionId(machineArn: string, version: number): string {
  return `${machineArn}:${String(VERSION_CEILING - version).padStart(10, '0')}`;
}
