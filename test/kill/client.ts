/** The client of the kill loop: tries until it is answered, and keeps what it was told. */
import type { JsonObject } from '../../src/lib/json.js';
import { MACHINE_ARN, tokensOf } from './workload.js';

const RETRY_MS = 100;
const PATIENCE_MS = 5_000;

export class KillClient {
  /** Acknowledged starts, by name. */
  readonly started = new Map<string, string>();
  readonly stopped = new Set<string>();
  /** Accepted answers, by token. */
  readonly answered = new Map<
    string,
    { readonly execution: string; readonly output: JsonObject }
  >();
  requests = 0;
  private over = false;
  private tokensSeen = 0;
  private answers = 0;

  constructor(
    /** Where some server listens now. */
    private readonly port: () => number,
    private readonly folder: string,
  ) {}

  /** Null: the request was refused for good. */
  async call(operation: string, members: JsonObject): Promise<JsonObject | null> {
    for (;;) {
      if (this.over) return null;
      this.requests++;
      const reply = await this.once(operation, members).catch(() => null);
      if (reply === null) {
        await pause(RETRY_MS);
        continue;
      }
      return reply.ok ? reply.body : null;
    }
  }

  private async once(operation: string, members: JsonObject) {
    const reply = await fetch(`http://127.0.0.1:${this.port()}/`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.0',
        'x-amz-target': `AWSStepFunctions.${operation}`,
        connection: 'close',
      },
      body: JSON.stringify(members),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const body = (await reply.json()) as JsonObject;
    // A server error says nothing about what has happened.
    if (reply.status >= 500) return null;
    return { ok: reply.ok, body };
  }

  /** Starts executions one after the other, and stops some of them, until `isOver`. */
  async keepStarting(lane: number, isOver: () => boolean): Promise<void> {
    for (let number = 0; !isOver(); number++) {
      const name = `x${lane}-${number}`;
      const input = JSON.stringify({ items: [1, 2, 3], name });
      const reply = await this.call('StartExecution', {
        stateMachineArn: MACHINE_ARN,
        name,
        input,
      });
      if (reply === null) throw new Error(`The start of ${name} was refused.`);
      this.started.set(name, String(reply.executionArn));
      if (number % 11 === 10) await this.stop(name);
      await pause(250);
    }
  }

  private async stop(name: string): Promise<void> {
    const executionArn = this.started.get(name) ?? '';
    const reply = await this.call('StopExecution', { executionArn, error: 'Enough' });
    if (reply !== null) this.stopped.add(name);
  }

  /** Answers every token once it is handed out; some twice. */
  async keepAnswering(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const tokens = tokensOf(this.folder, this.tokensSeen);
      this.tokensSeen += tokens.length;
      await Promise.all(tokens.map((one) => this.answer(one)));
      await pause(50);
    }
  }

  private async answer({ execution, token }: { execution: string; token: string }): Promise<void> {
    const output = { answer: this.answers++ };
    const members = { taskToken: token, output: JSON.stringify(output) };
    const reply = await this.call('SendTaskSuccess', members);
    if (reply !== null) this.answered.set(token, { execution, output });
  }

  close(): void {
    this.over = true;
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
