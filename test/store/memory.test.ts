import { MemoryStore } from '../../src/store/memory.js';
import { storeConformance } from './conformance.js';
import { sharedConformance } from './shared-conformance.js';

sharedConformance('MemoryStore', async () => new MemoryStore());

storeConformance('MemoryStore', () => ({
  open: async () => new MemoryStore(),
  cleanUp: async () => {},
}));
