/**
 * The DNS-rebinding guard. A web page can make a browser send requests to any name that resolves to
 * us, and the Host header then tells that name. Addresses and loopback names cannot be abused like
 * that; other names must be configured. AWS clients put `sync-` before the host of
 * StartSyncExecution and TestState.
 */
import { isIP } from 'node:net';

export function isAllowedHost(header: string | undefined, hosts: readonly string[]): boolean {
  const name = hostName(header ?? '');
  if (name === null) return false;
  const plain = name.startsWith('sync-') ? name.slice('sync-'.length) : name;
  if (isIP(plain) !== 0) return true;
  if (plain === 'localhost' || plain.endsWith('.localhost')) return true;
  return hosts.some((host) => host.toLowerCase() === name || host.toLowerCase() === plain);
}

/** Without port and brackets, in lower case; null when it is no host. */
function hostName(header: string): string | null {
  const match = /^(?:\[([0-9a-f:.%]+)\]|([^:\s/@[\]]+))(?::\d{1,5})?$/i.exec(header);
  return (match?.[1] ?? match?.[2])?.toLowerCase() ?? null;
}

/** Whether binding to this address keeps the server on this machine. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
