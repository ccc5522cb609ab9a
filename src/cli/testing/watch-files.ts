/** Waits until one of some files changes, in whatever way an editor writes it. */
import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';

/** Editors write in steps: a moment of quiet ends them. */
const QUIET_MS = 100;

export function watchFiles(paths: readonly string[]): Promise<void> {
  const byFolder = new Map<string, Set<string>>();
  for (const path of paths.map((one) => resolve(one))) {
    const names = byFolder.get(dirname(path)) ?? new Set();
    names.add(basename(path));
    byFolder.set(dirname(path), names);
  }
  return new Promise((done) => {
    const watchers: FSWatcher[] = [];
    let timer: NodeJS.Timeout | null = null;
    const changed = (): void => {
      if (timer !== null) clearTimeout(timer);
      timer = setTimeout(() => {
        for (const watcher of watchers) watcher.close();
        done();
      }, QUIET_MS);
    };
    for (const [folder, names] of byFolder) {
      // A scenario file that is new counts as a change, too.
      const isOurs = (name: string | null): boolean =>
        name === null || names.has(name) || /\.test\.(ya?ml|json)$/.test(name);
      watchers.push(watch(folder, (_event, name) => (isOurs(name) ? changed() : undefined)));
    }
  });
}
