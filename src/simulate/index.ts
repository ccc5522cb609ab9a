/** The simulator's face: what the command line, the test runner, explore and the debugger build on. */
export type { Answer, Call, CallRecord, NamedResponder, Responder } from './call.js';
export {
  InvalidMachine,
  pathOf,
  type SimulateOptions,
  type Simulation,
  simulate,
  simulationOf,
  type TimeMode,
} from './simulate.js';
export { SeededRandom } from './seeded-random.js';
export { VIRTUAL_EPOCH, VirtualClock } from './virtual-clock.js';
export { type StartOptions, startRequestOf } from './start-request.js';
export { nestedResponder } from './nested.js';
export {
  openWorld,
  type Waiting,
  waitingOf,
  type World,
  type WorldOptions,
} from './world.js';
