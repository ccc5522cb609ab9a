/**
 * Between clients and processes: requests and replies are lost, late or doubled, and a client tries
 * again until it has an answer. Also stands in for the engine where scripted handlers hand a token
 * over to someone outside.
 */
import type { Failure } from '../../src/core/fact.js';
import type { Json, JsonObject } from '../../src/lib/json.js';
import type { TokenAnswer } from '../../src/runtime/face.js';
import type { SimProcess } from './process.js';
import { isRefusal, type SimWorld } from './world.js';

const RETRY_MS = 500;
/** How long a client waits for a reply before it asks again. */
const PATIENCE_MS = 20_000;

const GONE = Symbol('no reply');

/** What a client learns: the members of the answer, or the code of a refusal. */
export type Reply = { readonly ok: JsonObject } | { readonly refused: string };

/** Until somebody sees that his answer was lost in a failover. */
const NOTICED_MS = 60_000;

export class Network {
  /** Accepted answers, to be given once more. */
  private readonly accepted: (() => void)[] = [];

  constructor(private readonly world: SimWorld) {}

  /** Repeats the request until some process has answered it. */
  async request(operation: string, members: JsonObject): Promise<Reply> {
    for (;;) {
      const reply = await this.once(operation, members);
      if (reply !== null) return reply;
      await this.world.time.sleep(RETRY_MS);
    }
  }

  private async once(operation: string, members: JsonObject): Promise<Reply | null> {
    const { world } = this;
    const fault = world.plan.at('message');
    const process = this.someProcess();
    if (process === null || fault?.fault === 'lost-request') return null;
    const send = (): Promise<Reply | null> => this.deliver(process, operation, members);
    if (fault?.fault === 'late') {
      // It arrives after the client has asked again.
      world.time.after(fault.amount, () => void send());
      return null;
    }
    if (fault?.fault === 'twice') world.time.after(fault.nth % 3, () => void send());
    const reply = await send();
    return fault?.fault === 'lost-reply' ? null : reply;
  }

  private async deliver(
    process: SimProcess,
    operation: string,
    members: JsonObject,
  ): Promise<Reply | null> {
    const { time } = this.world;
    let cancel: () => void = () => undefined;
    const gone = new Promise<typeof GONE>((resolve) => {
      process.whenDead(() => resolve(GONE));
      cancel = time.after(PATIENCE_MS, () => resolve(GONE));
    });
    try {
      const answer = await Promise.race([process.call(operation, members), gone]);
      return answer === GONE ? null : { ok: answer };
    } catch (error) {
      // Anything but a refusal is a server error: the client tries again.
      return isRefusal(error) && error.code !== 'ThrottlingException'
        ? { refused: error.code }
        : null;
    } finally {
      cancel();
    }
  }

  someProcess(): SimProcess | null {
    const open = this.world.processes.filter((process) => process?.engine);
    return open.length === 0 ? null : this.world.chance.pick(open);
  }

  // What ScriptedHandlers asks of an engine.

  taskSucceeded(token: string, output: Json): Promise<TokenAnswer> {
    const members = { taskToken: token, output: JSON.stringify(output) };
    return this.answer('SendTaskSuccess', members, output);
  }

  taskFailed(token: string, failure: Failure): Promise<TokenAnswer> {
    const members = { taskToken: token, error: failure.error, cause: failure.cause };
    return this.answer('SendTaskFailure', members);
  }

  async taskHeartbeat(token: string): Promise<TokenAnswer> {
    const sentAt = this.world.time.wall();
    const reply = await this.request('SendTaskHeartbeat', { taskToken: token });
    if ('ok' in reply) this.world.ledger.heartbeat(token, sentAt);
    return answerOf(reply);
  }

  private async answer(
    operation: string,
    members: JsonObject & { readonly taskToken: string },
    output?: Json,
  ): Promise<TokenAnswer> {
    const reply = await this.request(operation, members);
    const { ledger, time } = this.world;
    if ('ok' in reply) {
      const again = (): void => void this.answer(operation, members, output);
      ledger.promise({ what: 'answer', token: members.taskToken, output });
      if (ledger.isDeaf) time.after(NOTICED_MS, again);
      else this.accepted.push(again);
    }
    return answerOf(reply);
  }

  /** A failover may have taken accepted answers along: who sees his task wait still answers it again. */
  rolledBack(): void {
    for (const again of this.accepted.splice(0)) this.world.time.after(NOTICED_MS, again);
  }
}

function answerOf(reply: Reply): TokenAnswer {
  if ('ok' in reply) return 'accepted';
  return reply.refused === 'TaskTimedOut' ? 'timed-out' : 'invalid';
}
