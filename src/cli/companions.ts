/**
 * Machines that a machine starts (`…stateMachine:NAME`) and that lie beside it as `NAME.asl.json`:
 * `stepwell run` files them too, so that one command runs a machine made of several.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type MachineFile, readMachine } from './input.js';

/** More than this many is no machine of ours but a list. */
const MOST = 50;

export async function companionsOf(
  machine: MachineFile,
  path: string,
): Promise<readonly MachineFile[]> {
  const found = new Map<string, MachineFile>();
  const queue = [machine];
  for (let next = queue.shift(); next !== undefined && found.size < MOST; next = queue.shift()) {
    for (const [, name = ''] of next.text.matchAll(/stateMachine:([A-Za-z0-9_-]{1,80})/g)) {
      const file = join(dirname(path), `${name}.asl.json`);
      if (found.has(name) || name === machine.name || !existsSync(file)) continue;
      const companion = await readMachine(file);
      found.set(name, companion);
      queue.push(companion);
    }
  }
  return [...found.values()];
}
