/** Debian's python3-torch, the oracle of gradients and forward passes; tests skip loudly without it. */
import { execFileSync } from 'node:child_process';

export const PYTHON = '/usr/bin/python3';

export const torchIsHere = ((): boolean => {
  try {
    execFileSync(PYTHON, ['-c', 'import torch'], { stdio: 'ignore' });
    return true;
  } catch {
    console.warn('SKIPPED: the torch oracle; apt-get install python3-torch to run it');
    return false;
  }
})();
