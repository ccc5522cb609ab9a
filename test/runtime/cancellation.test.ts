import { expect, it } from 'vitest';
import { Cancellation } from '../../src/runtime/cancellation.js';

it('a signal asked for before the end hears of it', () => {
  const cancellation = new Cancellation();
  const { signal } = cancellation;
  expect(signal.aborted).toBe(false);
  cancellation.abort(new Error('first'));
  expect(signal.reason).toEqual(new Error('first'));
  expect(cancellation.signal).toBe(signal);
});

it('a signal asked for afterwards is aborted from the start, for the first reason', () => {
  const cancellation = new Cancellation();
  expect(cancellation.reason).toBeNull();
  cancellation.abort(new Error('first'));
  cancellation.abort(new Error('second'));
  expect(cancellation.reason).toEqual(new Error('first'));
  expect(cancellation.signal.aborted).toBe(true);
  expect(cancellation.signal.reason).toEqual(new Error('first'));
});
