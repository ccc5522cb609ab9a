/** The registry's face to the rest of the product. */
export type { LogEntry, Verification } from './log.js';
export { LogCorrupt } from './log.js';
export { type ModelVersion, type Stage, STAGES } from './model-version.js';
export {
  type Author,
  openRegistry,
  type Registration,
  type Registry,
  RegistryError,
  type RegistryOptions,
  type VersionQuery,
} from './registry.js';
export type { Bump } from './version.js';
