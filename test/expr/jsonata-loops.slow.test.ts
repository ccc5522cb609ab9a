/** Hostile JSONata ends, and gives the event loop back while it runs. */
import { describe, expect, test } from 'vitest';
import { compileJsonata, evaluateJsonata } from '../../src/expr/jsonata.js';
import { chance } from './support.js';

describe('however much there is to do', () => {
  const long = '$pad("", 4000000, "ab")';
  test.each([
    [
      'built-ins over one long text',
      `($s := ${long}; $map($map([1..3000], function($v){ $s }), $length))`,
    ],
    ['a million texts sorted', '$count($sort($map([1..100000], $string)))'],
    ['a sort in a loop', '$map([1..1000], function($v){ $count($sort([1..400000])) })'],
    ['a pattern found two million times', `$length($replace(${long}, /a/, "bb"))`],
    ['a text found two million times', `$length($replace(${long}, "a", "bbbb"))`],
    ['predicates in predicates', '$count([1..3000][$ in [1..3000][$ in [1..3000]]])'],
  ])('%s end, and the event loop goes on meanwhile', async (_what, text) => {
    let turns = 0;
    let going = true;
    const turn = (): void => {
      turns++;
      if (going) setImmediate(turn);
    };
    setImmediate(turn);
    const before = process.cpuUsage();
    await Promise.resolve(evaluateJsonata(compileJsonata(text), { states: {} }, 'F', chance)).catch(
      () => null,
    );
    going = false;
    const { user } = process.cpuUsage(before);
    // In slices of 20 ms, but for single steps of jsonata's own: by processor time, not by the clock.
    expect(turns).toBeGreaterThanOrEqual(Math.floor(user / 1_000_000));
    expect(user).toBeLessThan(10_000_000);
  });
});
