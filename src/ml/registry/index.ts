/** The registry's face to the rest of the product. */
export { type CardStatus, CARD_STATUSES, cardMarkdown, draftCard, emptyFields } from './card.js';
export type { LogEntry, Verification } from './log.js';
export { LogCorrupt } from './log.js';
export { RegistryError, type VersionQuery } from './lookup.js';
export {
  type Approval,
  APPROVALS,
  DEFAULT_POLICY,
  type ModelPolicy,
  type ModelVersion,
  type Stage,
  STAGES,
} from './model-version.js';
export {
  type Author,
  openRegistry,
  type Registration,
  type Registry,
  type RegistryOptions,
} from './registry.js';
export type { Bump } from './version.js';
