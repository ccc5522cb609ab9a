/**
 * Handlers that follow a script: what a task does depends on its resource and attempt alone, so a
 * run with a crash can be compared with one without. Every call is kept in a ledger.
 */
import type { Handler, HandlerContext, Logger } from '../../src/handlers/handler.js';
import { TaskFailure } from '../../src/handlers/handler.js';
import type { EpochMs } from '../../src/lib/brand.js';
import { isObject, type Json } from '../../src/lib/json.js';
import type { Clock } from '../../src/runtime/clock.js';
import type { HandlerServices, Resources } from '../../src/runtime/dispatcher.js';
import type { Engine, TokenAnswer } from '../../src/runtime/face.js';

/** One attempt. Without `output` a task echoes its parameters. */
export type Step =
  | {
      readonly do: 'ok';
      readonly output?: Json;
      readonly afterMs?: number;
      readonly heartbeatEveryMs?: number;
    }
  | {
      readonly do: 'fail';
      readonly error: string;
      readonly cause?: string;
      readonly afterMs?: number;
    }
  | { readonly do: 'hang' }
  /** A bug in the handler: not a TaskFailure. */
  | { readonly do: 'throw' }
  /** Hands over to someone outside, who answers by token, `times` times; or by failing. */
  | {
      readonly do: 'callback';
      readonly output?: Json;
      readonly error?: string;
      readonly cause?: string;
      readonly afterMs: number;
      readonly times?: number;
      readonly heartbeatEveryMs?: number;
    };

/** Steps by resource, then by attempt; the last step is used for all later attempts. */
export type Script = Readonly<Record<string, Step | readonly Step[]>>;

/** Every resource there is, each attempt by itself; a run again of an attempt is the same step. */
export type Scripting = (
  resource: string,
  parameters: Json,
  context: HandlerContext,
) => Step | Promise<Step>;

export interface Call {
  readonly resource: string;
  readonly parameters: Json;
  readonly stateName: string;
  readonly attempt: number;
  readonly idempotencyKey: string;
  readonly visitKey: string;
  readonly startedAt: number;
  /** How many commits the store had taken when the handler was called. */
  readonly commits: number;
  finished: boolean;
}

export interface HandlerHooks {
  onCall?(call: Call): void;
  onFinish?(call: Call): void;
  commits?(): number;
}

export class ScriptedHandlers implements Resources {
  readonly calls: Call[] = [];
  readonly answers: TokenAnswer[] = [];
  /** Where answers by token go; tests put the engine that is alive here. */
  engine: Engine | null = null;
  hooks: HandlerHooks = {};

  constructor(
    private readonly script: Script | Scripting,
    /** Clock of the process the handlers run in. */
    public clock: Clock,
    /** Clock of the world outside, which survives a crash. */
    private readonly world: Clock = clock,
    private readonly onWorkerLost: 'rerun' | 'fail' = 'rerun',
  ) {}

  resolve(resource: string): { readonly handler: Handler | null } | null {
    const { script } = this;
    if (typeof script !== 'function' && !Object.hasOwn(script, resource)) return null;
    return {
      handler: {
        resource,
        description: 'Follows a script.',
        parameters: {},
        onWorkerLost: this.onWorkerLost,
        run: (parameters, context) => this.run(resource, parameters, context),
      },
    };
  }

  /** The same for one process: once it is dead, what its engine still calls never begins. */
  inProcess(isDead: () => boolean): Resources {
    return {
      resolve: (resource) => {
        const found = this.resolve(resource);
        if (found === null || found.handler === null) return found;
        const { handler } = found;
        const run: Handler['run'] = (parameters, context) =>
          isDead() ? new Promise(() => undefined) : handler.run(parameters, context);
        return { handler: { ...handler, run } };
      },
      explainUnknown: (resource) => this.explainUnknown(resource),
    };
  }

  explainUnknown(resource: string): string {
    return `Nothing is scripted for ${resource}.`;
  }

  /** Calls of one resource. */
  of(resource: string): readonly Call[] {
    return this.calls.filter((call) => call.resource === resource);
  }

  private async run(resource: string, parameters: Json, context: HandlerContext): Promise<Json> {
    const { clock } = this;
    const call: Call = {
      resource,
      parameters,
      stateName: context.task.stateName,
      attempt: context.task.attempt,
      idempotencyKey: context.idempotencyKey,
      visitKey: context.visitKey,
      startedAt: clock.now(),
      commits: this.hooks.commits?.() ?? 0,
      finished: false,
    };
    this.calls.push(call);
    this.hooks.onCall?.(call);
    const { script } = this;
    const step =
      typeof script === 'function'
        ? await script(resource, parameters, context)
        : stepOf(script, resource, call.attempt);
    const result = await this.follow(step, parameters, context);
    call.finished = true;
    this.hooks.onFinish?.(call);
    return result;
  }

  private async follow(step: Step, parameters: Json, context: HandlerContext): Promise<Json> {
    switch (step.do) {
      case 'ok':
        await this.pause(step.afterMs ?? 0, context, step.heartbeatEveryMs);
        return step.output === undefined ? parameters : step.output;
      case 'fail':
        await this.pause(step.afterMs ?? 0, context);
        throw new TaskFailure(step.error, step.cause ?? `${step.error} was scripted`);
      case 'hang':
        // Until it is told to stop: it takes the room of another task meanwhile.
        return new Promise((_resolve, reject) => {
          context.signal.addEventListener('abort', () => reject(context.signal.reason));
        });
      case 'throw':
        throw new RangeError('A bug in the handler.');
      case 'callback':
        this.callBack(step, context.taskToken ?? tokenIn(parameters));
        return { handedOver: true };
    }
  }

  private callBack(step: Extract<Step, { do: 'callback' }>, token: string): void {
    // Whoever is outside repeats the answer until it is acknowledged: the engine may be down.
    const answer = (): void => {
      let acknowledged = false;
      const { engine } = this;
      const sent =
        step.error === undefined
          ? engine?.taskSucceeded(token, step.output ?? { by: 'token' })
          : engine?.taskFailed(token, { error: step.error, cause: step.cause ?? 'by token' });
      sent?.then(
        (reply) => {
          acknowledged = true;
          this.answers.push(reply);
        },
        () => undefined,
      );
      this.world.at((this.world.now() + 1000) as EpochMs, () => {
        if (!acknowledged) answer();
      });
    };
    const beat = (at: number): void => {
      if (step.heartbeatEveryMs === undefined || at >= step.afterMs) return;
      this.world.at((this.world.now() + step.heartbeatEveryMs) as EpochMs, () => {
        this.engine?.taskHeartbeat(token).catch(() => undefined);
        beat(at + (step.heartbeatEveryMs ?? 0));
      });
    };
    beat(0);
    this.world.at((this.world.now() + step.afterMs) as EpochMs, () => {
      for (let time = 0; time < (step.times ?? 1); time++) answer();
    });
  }

  private async pause(
    ms: number,
    context: HandlerContext,
    heartbeatEveryMs?: number,
  ): Promise<void> {
    if (ms === 0) return;
    const { clock } = this;
    let left = ms;
    while (left > 0) {
      const slice = Math.min(left, heartbeatEveryMs ?? left);
      await new Promise<void>((resolve, reject) => {
        const onAbort = (): void => {
          cancel();
          reject(context.signal.reason);
        };
        const cancel = clock.at((clock.now() + slice) as EpochMs, () => {
          context.signal.removeEventListener('abort', onAbort);
          resolve();
        });
        context.signal.addEventListener('abort', onAbort);
      });
      if (heartbeatEveryMs !== undefined) context.heartbeat();
      left -= slice;
    }
  }
}

function stepOf(script: Script, resource: string, attempt: number): Step {
  const steps = [script[resource] ?? []].flat() as Step[];
  const step = steps[Math.min(attempt, steps.length - 1)];
  if (step === undefined) throw new Error(`No step for ${resource}.`);
  return step;
}

function tokenIn(parameters: Json): string {
  const token = isObject(parameters) ? parameters.token : null;
  if (typeof token !== 'string') throw new Error('A callback step needs a task token.');
  return token;
}

/** What the composition root lends, as far as scripted handlers can need it. */
export function testServices(log: Logger = silentLog): HandlerServices {
  const absent = (): never => {
    throw new Error('Not in this test.');
  };
  return {
    artifacts: {} as HandlerServices['artifacts'],
    files: { resolveReadable: absent, resolveWritable: absent },
    fetch: absent,
    secret: absent,
    scratchRoot: '/nonexistent',
    log,
  };
}

export const silentLog: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
