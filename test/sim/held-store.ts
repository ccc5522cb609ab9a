/** A real store in virtual time: while one of its calls is under way, no virtual time passes. */
import type { Store } from '../../src/store/store.js';
import type { VirtualClock } from '../support/virtual-clock.js';

export function heldStore(store: Store, clock: VirtualClock): Store {
  return held(store, clock);
}

function held<T extends object>(target: T, clock: VirtualClock): T {
  return new Proxy(target, {
    get: (from, name) => {
      const member: unknown = Reflect.get(from, name, from);
      if (typeof member === 'object' && member !== null) return held(member, clock);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]): unknown => {
        const release = clock.hold();
        const answer: unknown = member.apply(from, args);
        if (!(answer instanceof Promise)) {
          release();
          return answer;
        }
        return answer.finally(release);
      };
    },
  });
}
