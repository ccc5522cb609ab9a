/**
 * A value that is there, or will be. JSONPath machines must never touch the microtask queue, JSONata
 * must await: written once against `Eventually`, run as fast as the value allows.
 */

export type Eventually<T> = T | Promise<T>;

export function chain<T, U>(
  value: Eventually<T>,
  next: (value: T) => Eventually<U>,
): Eventually<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** Runs `work`; whatever it throws or rejects with goes to `recover`. */
export function rescue<T>(
  work: () => Eventually<T>,
  recover: (error: unknown) => Eventually<T>,
): Eventually<T> {
  try {
    const result = work();
    return result instanceof Promise ? result.catch(recover) : result;
  } catch (error) {
    return recover(error);
  }
}

/** Calls `step` until it answers false. */
export function repeat(step: () => Eventually<boolean>): Eventually<void> {
  for (;;) {
    const more = step();
    if (more instanceof Promise) return more.then((yes) => (yes ? repeat(step) : undefined));
    if (!more) return undefined;
  }
}
