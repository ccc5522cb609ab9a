/** Between a store and its server: cuts the wire at the worst moment, after the server has applied. */
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net';

export interface LossyProxy {
  readonly port: number;
  /** The next reply to a command whose text holds `word` is not passed on; `then` happens instead. */
  loseReplyTo(word: string, then: 'cut' | 'silence'): void;
  /** Whether such a reply has been lost. */
  readonly lost: boolean;
  /** No connection passes until told otherwise. */
  refuse(refused: boolean): void;
  /** From now on nothing is passed on in either direction; connections stay. */
  silence(): void;
  /** Cuts everything; who comes again reaches another server. */
  pointTo(port: number): void;
  /** The next request that holds `word` stays on its way, whatever becomes of its sender. */
  delayRequest(word: string): void;
  /** Whether one is on its way. */
  readonly delayed: boolean;
  /** Lets it arrive. */
  deliver(): void;
  stop(): Promise<void>;
}

export async function startProxy(target: number): Promise<LossyProxy> {
  const sockets = new Set<Socket>();
  let wanted: { word: string; then: 'cut' | 'silence' } | null = null;
  let lost = false;
  let refused = false;
  let silent = false;
  let port = target;
  let slow: string | null = null;
  let onItsWay: (() => void) | null = null;
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer((client) => {
    if (refused) {
      client.destroy();
      return;
    }
    const upstream = dial(port, '127.0.0.1');
    const pair = [client, upstream];
    let held = false;
    let mute: 'cut' | 'silence' | null = null;
    for (const socket of pair) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        // What is on its way arrives although its sender is gone.
        if (!held) for (const other of pair) other.destroy();
      });
    }
    client.on('data', (chunk) => {
      if (silent) return;
      if (wanted !== null && chunk.includes(wanted.word)) {
        mute = wanted.then;
        wanted = null;
      }
      if (held) return;
      if (slow !== null && chunk.includes(slow)) {
        slow = null;
        held = true;
        sockets.delete(upstream);
        onItsWay = () => upstream.end(chunk);
        return;
      }
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (silent) return;
      if (mute === null) {
        client.write(chunk);
        return;
      }
      lost = true;
      if (mute === 'cut') for (const socket of pair) socket.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    loseReplyTo: (word, then) => {
      wanted = { word, then };
    },
    get lost() {
      return lost;
    },
    refuse: (value) => {
      refused = value;
      if (value) cut();
    },
    silence: () => {
      silent = true;
    },
    pointTo: (next) => {
      port = next;
      cut();
    },
    delayRequest: (word) => {
      slow = word;
    },
    get delayed() {
      return onItsWay !== null;
    },
    deliver: () => {
      onItsWay?.();
      onItsWay = null;
    },
    stop: async () => {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
