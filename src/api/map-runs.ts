/** Map Runs as the API needs them: the engine drives them and knows their counts as they are now. */
export type { MapRunChange, MapRunsFace as MapRuns } from '../runtime/face.js';
