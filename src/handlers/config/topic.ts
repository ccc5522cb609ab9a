/** `topics` of the configuration: who hears what is published to a topic. */
import { checkUrl, fail, type Place } from './place.js';

export interface Topic {
  readonly name: string;
  readonly subscriptions: readonly Subscription[];
  readonly signatureVersion: '1' | '2';
}

export type Subscription =
  | { readonly protocol: 'log' }
  | { readonly protocol: 'file'; readonly path: string }
  | {
      readonly protocol: 'http' | 'https';
      readonly endpoint: string;
      /** Raw message delivery: the message alone, without the SNS envelope. */
      readonly raw: boolean;
    }
  | { readonly protocol: 'email'; readonly endpoint: string };

export interface RawTopic {
  readonly subscriptions?: readonly RawSubscription[];
  readonly signatureVersion?: '1' | '2';
}

interface RawSubscription {
  readonly protocol: Subscription['protocol'];
  readonly path?: string;
  readonly endpoint?: string;
  readonly raw?: boolean;
}

export function parseTopic(raw: RawTopic, at: Place, hasSmtp: boolean): Topic {
  const subscriptions = (raw.subscriptions ?? []).map((subscription, index) => {
    const pointer = `${at.pointer}/subscriptions/${index}`;
    if (subscription.protocol === 'email' && !hasSmtp) {
      fail(at.path, pointer, 'E-mail needs a server: add "smtp": {"host": …, "from": …}.');
    }
    return parseSubscription(subscription, { ...at, pointer });
  });
  return { name: at.name, subscriptions, signatureVersion: raw.signatureVersion ?? '2' };
}

function parseSubscription(raw: RawSubscription, at: Place): Subscription {
  const { protocol } = raw;
  if (protocol === 'log') return { protocol };
  if (protocol === 'file') {
    if (raw.path === undefined) fail(at.path, at.pointer, 'A "file" subscription needs "path".');
    return { protocol, path: at.within(raw.path) };
  }
  if (raw.endpoint === undefined) {
    fail(at.path, at.pointer, `A subscription by ${protocol} needs "endpoint".`);
  }
  if (protocol === 'email') {
    if (!/^[^\s@<>]+@[^\s@<>]+$/.test(raw.endpoint)) {
      fail(at.path, `${at.pointer}/endpoint`, `"${raw.endpoint}" is not an e-mail address.`);
    }
    return { protocol, endpoint: raw.endpoint };
  }
  const endpoint = checkUrl(raw.endpoint, at, `${at.pointer}/endpoint`);
  return { protocol, endpoint, raw: raw.raw ?? false };
}
