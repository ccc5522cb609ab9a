/** What the engine lends to handlers, in a world whose handlers only follow mocks. */
import type { Logger } from '../handlers/handler.js';
import type { HandlerServices } from '../runtime/dispatcher.js';

export const silentLog: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export function mockedServices(log: Logger): HandlerServices {
  const absent = (): never => {
    throw new Error('A simulated handler has no services.');
  };
  return {
    artifacts: { put: absent, putFolder: absent, path: absent, root: '' },
    files: { resolveReadable: absent, resolveWritable: absent },
    fetch: absent,
    secret: absent,
    scratchRoot: null,
    log,
  };
}
