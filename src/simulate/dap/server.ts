/** The adapter on streams: standard input and output of an editor's child process, or a loopback socket. */
import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Adapter, type AdapterWorld } from './adapter.js';
import { framed, FramingError, Unframer } from './framing.js';

/** Our reason: one editor, perhaps with a second window. */
const MAX_CONVERSATIONS = 4;

/** Resolves when the client has said goodbye or gone. */
export function converse(
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
  open: AdapterWorld['open'],
): Promise<void> {
  return new Promise((resolve) => {
    let over = false;
    const end = (): void => {
      if (over) return;
      over = true;
      adapter
        .hangUp()
        .catch(() => undefined)
        .finally(resolve);
    };
    const adapter = new Adapter({
      open,
      send: (message) => output.write(framed(message)),
      ended: end,
    });
    const unframer = new Unframer((message) => {
      adapter.receive(message).catch(end);
    });
    input.on('data', (chunk: Buffer) => {
      try {
        unframer.push(chunk);
      } catch (error) {
        if (!(error instanceof FramingError)) throw error;
        end();
      }
    });
    input.on('end', end);
    input.on('close', end);
    input.on('error', end);
    output.on('error', end);
  });
}

export interface DapServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Listens on loopback only: whoever may connect may run machines. */
export async function listenForEditors(
  port: number,
  open: AdapterWorld['open'],
): Promise<DapServer> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    if (sockets.size >= MAX_CONVERSATIONS) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    converse(socket, socket, open).finally(() => {
      sockets.delete(socket);
      socket.end();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}
