/** Our functions that go over many values give what jsonata's own give. */
import jsonata from 'jsonata';
import { describe, expect, test } from 'vitest';
import { compileJsonata, evaluateJsonata } from '../../src/expr/jsonata.js';
import { StatesError } from '../../src/expr/scope.js';
import type { Json } from '../../src/lib/json.js';
import { chance } from './support.js';

const ours = async (text: string): Promise<Json> =>
  evaluateJsonata(compileJsonata(text), { states: {} }, 'F', chance);

async function outcomeOf(work: Promise<unknown>): Promise<unknown> {
  try {
    const value = await work;
    return value === undefined ? 'nothing' : JSON.parse(JSON.stringify(value));
  } catch (error) {
    if (!(error instanceof StatesError)) return String((error as { message: string }).message);
    if (error.cause.endsWith(' returned nothing (undefined).')) return 'nothing';
    return error.cause.replace(/^.*evaluation\. (\w+: )?/, '');
  }
}

describe('as jsonata has it', () => {
  test.each([
    '$map([1, 2, 3], function($v, $i, $a){ $v * $i + $count($a) })',
    '$map([1, 2, 3], function($v){ $v > 1 ? $v })',
    '$map([1], function($v){ [$v, $v] })',
    '$map([[1, 2], 3], function($v){ $v })',
    '$map(5, $string)',
    '$map([], $string)',
    '$map($no, $string)',
    '["1", "2"] ~> $map($number)',
    '$filter([1, 2, 3], function($v){ $v > 1 })',
    '$filter([0, "", [], {}, "x", [0, 1], {"a": 1}, null, true], function($v){ $v })',
    '$filter([1, 2], function($v){ $v > 5 })',
    '$filter($no, function($v){ $v })',
    '$reduce([1, 2, 3], function($a, $b){ $a + $b })',
    '$reduce([1, 2, 3], function($a, $b, $i, $all){ $a + $b * $i + $count($all) }, 10)',
    '$reduce([], function($a, $b){ $a + $b })',
    '$reduce([], function($a, $b){ $a + $b }, 7)',
    '$reduce([1, 2], function($a){ $a })',
    '$reduce($no, function($a, $b){ $a })',
    '$each({"a": 1, "b": 2}, function($v, $k){ $k & $string($v) })',
    '$each({"a": 1}, $string)',
    '$each({"a": 1, "b": 2}, function($v, $k, $o){ $count($keys($o)) })',
    '$sift({"a": 1, "b": 0}, function($v, $k){ $v })',
    '$sift({"a": 0}, function($v){ $v })',
    '$sift({"a": 1, "b": 2}, function($v, $k){ $k = "b" })',
    '$sort([3, 1, 2])',
    '$sort(["b", "a", "B", "é", "10", "9"])',
    '$sort([3, "a"])',
    '$sort([[1], [2]])',
    '$sort([5])',
    '$sort($no)',
    '$sort([{"k": 2, "n": 1}, {"k": 1, "n": 2}, {"k": 2, "n": 3}], function($l, $r){ $l.k > $r.k })',
    '$sort([1, 2, 3, 4, 5, 6, 7], function($l, $r){ $l < $r })',
    '$replace("aXbXc", "X", "-")',
    '$replace("aXbXc", "X", "$0", 1)',
    '$replace("aXbXc", "X", "-", 0)',
    '$replace("abc", "x", "-")',
    '$replace("abc", "", "-")',
    '$replace("abc", "b", "-", -1)',
    '$replace("John Smith", /(\\w+)\\s(\\w+)/, "$2, $1")',
    '$replace("265USD", /([0-9]+)USD/, "$$$1")',
    '$replace("abcdefghijklmno", /(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)(k)(l)(m)/, "$8$5$12$12$18$123")',
    '$replace("abc", /b/, "[$0$1$x$]")',
    '$replace("abc", /(x)?b/, "[$1]")',
    '$replace("temperature = 68F today", /(\\d+)F/, function($m){ $string(($number($m.groups[0]) - 32) * 5/9) & "C" })',
    '$replace("aaa", /a/, "b", 2)',
    '$replace("abc", /b/, function($m){ 1 })',
    '$replace("abc", /z*/, "x")',
    '$replace($no, "a", "b")',
  ])('%s', async (text) => {
    const theirs = await outcomeOf(jsonata(text).evaluate(undefined));
    expect(await outcomeOf(ours(text))).toEqual(theirs);
  });
});
