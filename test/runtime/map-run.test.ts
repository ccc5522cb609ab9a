import { describe, expect, it } from 'vitest';
import { createWorld, fail, mapMachine, PASS, SCOPE, task, until } from './map-run-world.js';
import type { Json, JsonObject } from '../../src/lib/json.js';

function failureOf(state: { outcome: unknown }): { error: string; cause: string } {
  return (state.outcome as { failure: { error: string; cause: string } }).failure;
}

describe('the parent of a Map Run', () => {
  it('sees the recorded events', async () => {
    const world = await createWorld();
    const arn = await world.start(mapMachine({}, PASS), ['Hello', 'World']);
    const state = await world.engine.ended(arn);
    expect(state.outcome).toEqual({ ok: true, output: ['Hello', 'World'] });
    expect(await world.events(arn)).toEqual([
      'ExecutionStarted <- 0',
      'MapStateEntered <- 0',
      'MapStateStarted <- 2',
      'MapRunStarted <- 3',
      'MapRunSucceeded <- 4',
      'MapStateSucceeded <- 5',
      'MapStateExited <- 5',
      'ExecutionSucceeded <- 7',
    ]);
    expect(world.errors).toEqual([]);
  });
});
