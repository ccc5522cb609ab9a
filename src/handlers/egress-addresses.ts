/** Which addresses are internal, and which of them the configuration lets through. Pure. */
import { BlockList, isIP } from 'node:net';

/** IANA special-purpose registries: whatever is not a public unicast address. */
const INTERNAL_V4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];
/** Parts of 2000::/3 that lead inside or nowhere: Teredo and protocol space, documentation, 6to4. */
const INTERNAL_V6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];
const PUBLIC_V6 = '2000::/3';

const internal = blockList([...INTERNAL_V4, ...INTERNAL_V6]);
const publicV6 = blockList([PUBLIC_V6]);

/** Whether `address` (an IP literal) is anything but a public unicast address. */
export function isInternal(address: string): boolean {
  const plain = unmap(address);
  if (isIP(plain) === 4) return internal.check(plain, 'ipv4');
  if (isIP(plain) !== 6) return true;
  return !publicV6.check(plain, 'ipv6') || internal.check(plain, 'ipv6');
}

export interface AllowList {
  /** Allowed by name or literal, whatever it resolves to. */
  allowsHost(hostname: string, port: number): boolean;
  /** Allowed by address or range. */
  allowsAddress(address: string, port: number): boolean;
}

/** Entries: `host`, `host:port`, `*.domain`, an address with or without port, a CIDR range. */
export function parseAllowList(entries: readonly string[]): AllowList {
  const rules = entries.map(parseRule);
  return {
    allowsHost: (hostname, port) =>
      rules.some((rule) => rule.host?.(hostname.toLowerCase()) === true && portFits(rule, port)),
    allowsAddress: (address, port) =>
      rules.some(
        (rule) => rule.range !== null && contains(rule.range, address) && portFits(rule, port),
      ),
  };
}

interface Rule {
  readonly host: ((hostname: string) => boolean) | null;
  readonly range: BlockList | null;
  readonly port: number | null;
}

export class AllowListError extends Error {
  override readonly name = 'AllowListError';
}

function parseRule(entry: string): Rule {
  const match = /^(\[[^\]]+\]|[^:[\]]+|[0-9a-fA-F:.]+(?:\/\d+)?)(?::(\d+))?$/.exec(entry);
  const subject = match?.[1]?.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  const port = match?.[2] === undefined ? null : Number(match[2]);
  if (subject === undefined || subject === '') {
    throw new AllowListError(
      `"${entry}" is no host, host:port, *.domain, address or range like 10.0.0.0/8.`,
    );
  }
  if (subject.includes('/') || isIP(subject) !== 0) {
    return { host: null, range: rangeOf(subject, entry), port };
  }
  const host = subject.startsWith('*.')
    ? (name: string) => name.endsWith(subject.slice(1))
    : (name: string) => name === subject;
  return { host, range: null, port };
}

function rangeOf(subject: string, entry: string): BlockList {
  try {
    return blockList([subject]);
  } catch {
    throw new AllowListError(`"${entry}" is not an address range.`);
  }
}

function portFits(rule: Rule, port: number): boolean {
  return rule.port === null || rule.port === port;
}

function contains(list: BlockList, address: string): boolean {
  const plain = unmap(address);
  return list.check(plain, isIP(plain) === 4 ? 'ipv4' : 'ipv6');
}

function blockList(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', prefix] = range.split('/');
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
    list.addSubnet(address, Number(prefix ?? (family === 'ipv4' ? 32 : 128)), family);
  }
  return list;
}

/** `::ffff:7f00:1` and NAT64 `64:ff9b::7f00:1` reach the IPv4 address they carry. */
function unmap(address: string): string {
  if (isIP(address) !== 6) return address;
  const groups = expand(address.replace(/%.*$/, ''));
  const carries =
    (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) ||
    (groups[0] === 0x64 && groups[1] === 0xff9b && groups.slice(2, 6).every((g) => g === 0));
  if (!carries) return address.replace(/%.*$/, '');
  const [high = 0, low = 0] = groups.slice(6);
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
}

function expand(address: string): number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const plain =
    dotted === null
      ? address
      : `${dotted[1]}${hex(dotted[2], dotted[3])}:${hex(dotted[4], dotted[5])}`;
  const [head = '', tail] = plain.split('::');
  const parse = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const left = parse(head);
  const right = tail === undefined ? [] : parse(tail);
  return [...left, ...Array(Math.max(0, 8 - left.length - right.length)).fill(0), ...right];
}

function hex(high = '0', low = '0'): string {
  return ((Number(high) << 8) | Number(low)).toString(16);
}
