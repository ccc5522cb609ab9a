/** The simulator's chance, under the name the tests have always used. */
export { SeededRandom } from '../../src/simulate/seeded-random.js';
