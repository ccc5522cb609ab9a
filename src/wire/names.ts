/** Names of state machines, activities, executions and workers: what AWS refuses with InvalidName. */
import { invalidName } from './errors.js';

const MARKS = /[\s<>{}[\]?*"#%\\^|~`$&,;:/]/;
const CONTROL = /\p{Cc}/u;
/** AWS counts UTF-16 units: any character beyond the basic plane is made of two of these. */
const SURROGATE = /[\ud800-\udfff]/;

/** Refuses white space, wildcards, brackets, special marks, control characters and surrogates. */
export function checkName(name: string): void {
  if (MARKS.test(name) || CONTROL.test(name) || SURROGATE.test(name)) throw invalidName(name);
}
