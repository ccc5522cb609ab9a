/** Names of state machines, activities, executions and workers: what AWS refuses with InvalidName. */
import { invalidName } from './errors.js';

/** White space, wildcards, brackets, the listed marks, control characters and surrogates. */
const FORBIDDEN = /[\s<>{}[\]?*"#%\\^|~`$&,;:/\u0000-\u001f\u007f-\u009f\ud800-\udfff]/;

export function checkName(name: string): void {
  if (FORBIDDEN.test(name)) throw invalidName(name);
}
