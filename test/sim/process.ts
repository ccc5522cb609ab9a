/**
 * One simulated engine process: the production engine and API actions over a faulty view of the shared
 * disk, with handlers that follow a script. It can die (everything it holds is gone, another one is
 * started later) and be paused (nothing reaches it, and it does nothing, until it goes on).
 */
import { coreDefinitions } from '../../src/api/core-definitions.js';
import { dispatch } from '../../src/api/dispatch.js';
import { createContext } from '../../src/api/server.js';
import type { ApiContext } from '../../src/api/context.js';
import { executionService } from '../../src/cli/executions.js';
import { createExecutionHandler } from '../../src/handlers/execution.js';
import { createExecutionServiceSlot } from '../../src/handlers/execution-service.js';
import type { Handler, HandlerContext } from '../../src/handlers/handler.js';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { type Clock, clockOver } from '../../src/runtime/clock.js';
import type { Resources } from '../../src/runtime/dispatcher.js';
import { createEngine } from '../../src/runtime/engine.js';
import type { Engine } from '../../src/runtime/face.js';
import { isOperation } from '../../src/wire/operations.js';
import { never } from '../support/faulty-store.js';
import { ScriptedHandlers, testServices } from '../support/scripted-handlers.js';
import type { Client } from './disk.js';
import type { FaultKind, Occasion } from './faults.js';
import { ACTIVITY } from './generator.js';
import { SimPeers } from './peers.js';
import type { SimWorld } from './world.js';

const NESTED = 'arn:aws:states:::states:startExecution';

export class SimProcess implements Client {
  dead = false;
  engine: Engine | null = null;
  private api: ApiContext | null = null;
  private pausedUntil = 0;
  /** Elapsed milliseconds; the store, or the hub, does not answer it before. */
  cutFromStoreUntil = 0;
  cutFromPeersUntil = 0;
  private readonly onDeath: (() => void)[] = [];
  private readonly clock: Clock;

  constructor(
    private readonly world: SimWorld,
    readonly id: number,
  ) {
    this.clock = clockOver({
      now: () => world.time.wall() + world.skewOf(id),
      after: (ms, wake) => this.after(ms, wake),
    });
  }

  /** A delay of this process: a dead one never wakes, a paused one only when it goes on. */
  after(ms: number, wake: () => void): () => void {
    let cancel = this.world.time.after(ms, () => {
      if (this.dead) return;
      const left = this.pausedUntil - this.world.time.elapsed;
      if (left > 0) cancel = this.after(left, wake);
      else wake();
    });
    return () => cancel();
  }

  async open(): Promise<void> {
    const { world } = this;
    const slot = createExecutionServiceSlot();
    const scripted = new ScriptedHandlers(world.script, this.clock, world.clock);
    scripted.engine = world.network as unknown as Engine;
    const resources = this.resources(scripted, createExecutionHandler(slot.service));
    const { random, log } = world;
    const store = world.viewOf(this);
    const { hub } = world;
    const peers =
      hub === null
        ? null
        : new SimPeers(hub, this, world.nextPeerId(this), store, world.placeOf(this));
    const engine = await createEngine({
      store,
      resources,
      services: { ...testServices(log), scratchRoot: null },
      log,
      clock: this.clock,
      random: random.next,
      uuid: random.uuid,
      ...(peers === null ? {} : { peers }),
    });
    if (this.dead) return never();
    this.api = createContext({
      engine,
      store: world.viewOf(this),
      definitions: coreDefinitions(false),
      inspect: () => never(),
      now: () => this.clock.now(),
      random: random.next,
      uuid: random.uuid,
    });
    slot.fill(executionService(this.api));
    this.engine = engine;
  }

  private resources(scripted: ScriptedHandlers, nested: Handler): Resources {
    return {
      resolve: (resource) => {
        if (resource === ACTIVITY) return { handler: null };
        if (resource.startsWith(NESTED)) return { handler: this.faulty(nested) };
        const found = scripted.resolve(resource);
        return found?.handler ? { handler: this.faulty(found.handler) } : found;
      },
      explainUnknown: (resource) => scripted.explainUnknown(resource),
    };
  }

  private faulty(handler: Handler): Handler {
    const run = async (parameters: Json, context: HandlerContext): Promise<Json> => {
      const { world } = this;
      if (this.dead) return never();
      world.called(context);
      const fault = world.plan.at('handler');
      if (fault?.fault === 'dies-in-handler') {
        this.die();
        return never();
      }
      if (fault?.fault === 'slow') await world.time.sleep(fault.amount);
      const result = await handler.run(parameters, context);
      if (fault?.fault === 'dies-with-result') this.die();
      await this.resumed();
      return this.dead ? never() : result;
    };
    return { ...handler, run };
  }

  /** One API call as it arrives at this process; never answered when the process dies. */
  async call(operation: string, members: JsonObject): Promise<JsonObject> {
    await this.resumed();
    const { api } = this;
    if (this.dead || api === null) return never();
    if (!isOperation(operation)) throw new Error(`There is no operation ${operation}.`);
    const { signal } = new AbortController();
    const answer = (await dispatch(api, operation, members, { signal })) as JsonObject;
    return this.dead ? never() : answer;
  }

  die(): void {
    if (this.dead) return;
    this.dead = true;
    this.engine = null;
    this.world.died(this);
    for (const tell of this.onDeath) tell();
  }

  whenDead(tell: () => void): void {
    if (this.dead) tell();
    else this.onDeath.push(tell);
  }

  pause(ms: number): void {
    this.pausedUntil = Math.max(this.pausedUntil, this.world.time.elapsed + ms);
  }

  get isPaused(): boolean {
    return this.pausedUntil > this.world.time.elapsed;
  }

  /** What goes wrong for this process now, by name. */
  faultOf(on: Occasion): FaultKind | null {
    return this.world.plan.at(on)?.fault ?? null;
  }

  /** Ends as a process does that is told to: what it holds is free at once. */
  leave(): void {
    const { engine } = this;
    if (engine === null) return this.die();
    engine.close().then(
      () => this.die(),
      () => this.die(),
    );
  }

  resumed(): Promise<void> | null {
    const left = this.pausedUntil - this.world.time.elapsed;
    return left > 0 ? this.world.time.sleep(left) : null;
  }

  latency(): number {
    return this.world.latency();
  }
}
