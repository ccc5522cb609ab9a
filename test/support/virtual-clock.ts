/** The simulator's clock, under the name the tests have always used. */
export { settled, VIRTUAL_EPOCH, VirtualClock } from '../../src/simulate/virtual-clock.js';
