/**
 * Takes a store of schema 2 over into the layout of this program: once, when it is opened for writing, while
 * nobody of the older program is at work on it. Cut short it goes on where the next one opens the store.
 */
import { UPGRADE } from './redis-care-scripts.js';
import { CONNECTION_NAME } from './redis-client.js';
import { type KeySpace, SCHEMA } from './redis-keys.js';
import type { RedisLink } from './redis-link.js';
import { SET_SCHEMA } from './redis-scripts.js';
import { StoreUnavailable } from './unavailable.js';

/** What this program can take over: the layout before, and the way from there. */
const BEFORE = '2';
const UNDER_WAY = '2-3';
export const UPGRADABLE: readonly string[] = [BEFORE, UNDER_WAY];

/** How programs of schema 2 named their connections. */
const OLDER_NAME = 'stepwell';
/** Executions that one call takes over. */
const AT_ONCE = 200;

export async function upgrade(link: RedisLink, keys: KeySpace): Promise<void> {
  if (link.schema === SCHEMA) return;
  await refuseOlder(link);
  // From here on the older program refuses the store.
  await link.eval(SET_SCHEMA, [keys.meta], [BEFORE, UNDER_WAY]);
  for (let node = 0; node < link.nodes; node += 1) {
    for (let cursor = '0'; ; ) {
      const [next, found] = await link.scanKeys(node, cursor, keys.executionPattern);
      for (const group of together(link, found)) await link.eval(UPGRADE, group, []);
      if (next === '0') break;
      cursor = next;
    }
  }
  await link.eval(SET_SCHEMA, [keys.meta], [UNDER_WAY, SCHEMA]);
  link.upgraded();
}

async function refuseOlder(link: RedisLink): Promise<void> {
  const names = await link.clientNames();
  const older = names.filter((name) => name === OLDER_NAME).length;
  if (older === 0) return;
  throw new StoreUnavailable(
    `The store ${link.shown} has to be converted, and ${older} clients of an older Stepwell are connected ` +
      `to it (clients "${OLDER_NAME}"; this program names itself "${CONNECTION_NAME}"). Stop them first.`,
  );
}

/** Keys that one call may name: on a Cluster those of one shard. */
function together(link: RedisLink, keys: readonly string[]): string[][] {
  const groups = new Map<string, string[]>();
  for (const key of keys) {
    const shard = link.cluster ? key.slice(0, key.indexOf('}')) : '';
    const group = groups.get(shard);
    if (group === undefined) groups.set(shard, [key]);
    else group.push(key);
  }
  return [...groups.values()].flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / AT_ONCE) }, (_, part) =>
      group.slice(part * AT_ONCE, (part + 1) * AT_ONCE),
    ),
  );
}
