/** Who types: the operating system's name for the person, for logs that say who did what. */
import { userInfo } from 'node:os';

export function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'unknown';
  }
}
