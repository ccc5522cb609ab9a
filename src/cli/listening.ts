/** A port that cannot be listened on: what a person can do about it. */
import { Problem } from './problem.js';

/** By the code of the system's error. */
const MENDS: Readonly<Record<string, string>> = {
  EADDRINUSE:
    'Another program listens there: stop it, or choose another port (0 takes a free one).',
  EADDRNOTAVAIL: 'This machine has no such address: choose another --host.',
  ENOTFOUND: 'This name leads nowhere: choose another --host.',
  EACCES: 'This user may not use that port: choose one above 1023.',
};

/** For the `catch` of whatever listens; other errors go on as they are. */
export function cannotListen(error: NodeJS.ErrnoException, host: string, port: number): never {
  const mend = MENDS[error.code ?? ''];
  if (mend === undefined) throw error;
  throw new Problem(`Cannot listen on ${host}, port ${port} (${error.code}).`, mend);
}
