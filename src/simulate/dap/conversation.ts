/**
 * The turns of a conversation in the Debug Adapter Protocol: each request is answered once, one after the
 * other, and what follows an answer never comes before it. What pauses or ends a run does not wait.
 */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { JsonObject } from '../../lib/json.js';
import { Immutable } from '../debug/timeline.js';

/** Answers one kind of request; a sentence that is thrown is shown to the person. */
export type Handler = (args: JsonObject) => Promise<object | undefined>;

/** These may come while a request before them waits for real work. */
const AT_ONCE: ReadonlySet<string> = new Set(['pause', 'terminate', 'disconnect', 'threads']);

export interface Line {
  send(message: DebugProtocol.ProtocolMessage): void;
  /** The conversation is over. */
  ended(): void;
}

export class Conversation {
  private seq = 1;
  private tail: Promise<void> = Promise.resolve();

  constructor(
    private readonly line: Line,
    private readonly handlers: Readonly<Record<string, Handler>>,
  ) {}

  /** Takes one message of the client. */
  receive(message: unknown): Promise<void> {
    const request = message as DebugProtocol.Request;
    if (request?.type !== 'request' || typeof request.command !== 'string') {
      return Promise.resolve();
    }
    if (AT_ONCE.has(request.command)) return this.answer(request);
    this.tail = this.tail.then(() => this.answer(request));
    return this.tail;
  }

  event(event: string, body?: object): void {
    this.send({ type: 'event', event, ...(body === undefined ? {} : { body }) });
  }

  private async answer(request: DebugProtocol.Request): Promise<void> {
    const handler = Object.hasOwn(this.handlers, request.command)
      ? this.handlers[request.command]
      : undefined;
    try {
      if (handler === undefined) throw new Error(`'${request.command}' is not supported.`);
      const body = await handler((request.arguments ?? {}) as JsonObject);
      this.respond(request, true, body);
      this.after(request.command);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      const mend = error instanceof Immutable ? ` ${error.mend}` : '';
      const body = {
        error: { id: 1, format: '{text}', variables: { text: `${text}${mend}` }, showUser: true },
      };
      this.respond(request, false, body, `${text}${mend}`);
    }
  }

  private respond(
    request: DebugProtocol.Request,
    success: boolean,
    body?: object,
    message?: string,
  ): void {
    this.send({
      type: 'response',
      request_seq: request.seq,
      command: request.command,
      success,
      ...(message === undefined ? {} : { message }),
      ...(body === undefined ? {} : { body }),
    });
  }

  private send(message: object): void {
    this.line.send({ seq: this.seq++, ...message } as DebugProtocol.ProtocolMessage);
  }

  /** What follows an answer, never before it. */
  private after(command: string): void {
    if (command === 'launch' || command === 'attach') this.event('initialized');
    if (command === 'disconnect') this.line.ended();
  }
}
