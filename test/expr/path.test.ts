import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePath, compileReferencePath } from '../../src/expr/path.js';
import { ExpressionSyntaxError, StatesError } from '../../src/expr/scope.js';
import { getOwn, isArray, isObject, type Json } from '../../src/lib/json.js';
import { json, scopeOf } from './support.js';

const STORE: Json = {
  a: { b: [{ c: 1 }, { c: 2 }], 'x-y': 3, 'with space': 4 },
  items: [
    { price: 5, name: 'x', tags: ['p', 'q'] },
    { price: 15, name: 'y', tags: [] },
    { price: 25, name: 'z' },
  ],
  numbers: [4, 8, 15, 16, 23, 42],
  text: 'str',
  nothing: null,
};

const read = (path: string, input: Json = STORE) => compilePath(path).read(scopeOf(input));

describe('reading a path', () => {
  it.each<[string, Json]>([
    ['$', STORE],
    ['$.a.b[0].c', 1],
    ["$['a']['b'][1]['c']", 2],
    ['$["a"]["x-y"]', 3],
    ['$.a.x-y', 3],
    ["$.a['with space']", 4],
    ['$.a.b[-1].c', 2],
    ['$.nothing', null],
    ["$.a['b','x-y']", { b: [{ c: 1 }, { c: 2 }], 'x-y': 3 }],
  ])('%s is definite and gives the value', (path, expected) => {
    expect(compilePath(path).definite).toBe(true);
    expect(read(path)).toEqual(expected);
  });

  it.each<[string, Json]>([
    ['$.items[*].price', [5, 15, 25]],
    ['$.[*].c', []],
    ['$..c', [1, 2]],
    ['$..b[0]', [{ c: 1 }]],
    ['$.items[0,2].name', ['x', 'z']],
    ['$.numbers[1:3]', [8, 15]],
    ['$.numbers[:2]', [4, 8]],
    ['$.numbers[4:]', [23, 42]],
    ['$.numbers[-2:]', [23, 42]],
    ['$.numbers[:-4]', [4, 8]],
    ['$.numbers[1:-1]', []],
    ['$.items[*].nope', []],
    ['$.nope[*].x', []],
    ['$.nope[1:5].x', []],
    ['$.items[0]["price","name"].x', []],
    ['$.a.*.c', []],
    ['$.items[?(@.price > 10)].name', ['y', 'z']],
    ["$.items[?(@.name == 'x')].price", [5]],
    ['$.items[?(@.name==x)].price', [5]],
    ['$.items[?(@.price == "5")].name', ['x']],
    ['$.items[?(@.price === "5")].name', []],
    ['$.items[?(@.tags)].name', ['x', 'y']],
    ['$.items[?(!@.tags)].name', ['z']],
    ['$.items[?(@.tags empty false)].name', ['x']],
    ["$.items[?(@.tags contains 'q')].name", ['x']],
    ["$.items[?(@.name in ['x', 'z'])].price", [5, 25]],
    ["$.items[?(@.name nin ['x', 'z'])].price", [15]],
    ['$.items[?(@.tags size 2)].name', ['x']],
    ['$.items[?(@.name =~ /[XY]/i)].price', [5, 15]],
    ["$.items[?(@.price < 10 || @.price > 20 && @.name == 'z')].name", ['x', 'z']],
    ["$.items[?((@.price < 10 || @.price > 20) && @.name == 'z')].name", ['z']],
    ['$.items[?(@.price >= $.numbers[2])].name', ['y', 'z']],
    ['$.numbers[?(@ > 15)]', [16, 23, 42]],
    ['$..[?(@.c == 2)]', [{ c: 2 }]],
  ])('%s is indefinite and gathers', (path, expected) => {
    expect(compilePath(path).definite).toBe(false);
    expect(read(path)).toEqual(expected);
  });

  it.each<[string, Json]>([
    ['$.numbers.length()', 6],
    ['$.a.length()', 3],
    ['$.numbers.sum()', 108],
    ['$.numbers.min()', 4],
    ['$.numbers.max()', 42],
    ['$.numbers.avg()', 18],
    ['$.numbers.stddev()', Math.sqrt(910 / 6)],
    ['$.a.keys()', ['b', 'x-y', 'with space']],
    ['$.items[0].tags.concat()', 'pq'],
    ["$.items[0].tags.concat('r')", 'pqr'],
    ['$..price.sum()', 45],
    ['$.numbers.first()', 4],
    ['$.numbers.last()', 42],
  ])('%s applies a function', (path, expected) => {
    const actual = read(path);
    if (typeof expected === 'number') expect(actual).toBeCloseTo(expected, 12);
    else expect(actual).toEqual(expected);
  });

  it.each([
    ['$.no', "Invalid path '$.no' : No results for path: $['no']"],
    ['$.a.no', "Invalid path '$.a.no' : No results for path: $['a']['no']"],
    ['$.no.such', "Invalid path '$.no.such' : Missing property in path $['no']"],
    ['$.a.no.x', "Invalid path '$.a.no.x' : Missing property in path $['a']['no']"],
    [
      '$.text[0]',
      "Invalid path '$.text[0]' : Filter: [0] can only be applied to arrays. " +
        'Current context is: "str"',
    ],
  ])('%s fails with the reason Jayway gives', (path, cause) => {
    expect(() => read(path)).toThrow(new StatesError('States.Runtime', cause));
    expect(compilePath(path).find(scopeOf(STORE))).toEqual({ found: false });
  });

  it('past the end of an array is null to read and nothing to find', () => {
    const path = compilePath('$.numbers[6]');
    expect(path.read(scopeOf(STORE))).toBe(null);
    expect(path.readField(scopeOf(STORE), 'x.$')).toBe(null);
    expect(path.find(scopeOf(STORE))).toEqual({ found: false });
    expect(() => read('$.numbers[6].x')).toThrow(/Expected to find an object with property/);
  });

  it('starts at the Context Object or at a variable', () => {
    const scope = scopeOf(1, { State: { Name: 's' } }, { v: { w: [7] } });
    expect(compilePath('$$.State.Name').read(scope)).toBe('s');
    expect(compilePath('$v.w[0]').read(scope)).toBe(7);
    expect(compilePath('$v').variableName).toBe('v');
    expect(() => compilePath('$missing').read(scope)).toThrow(StatesError);
    expect(() => compilePath('$$.Nope').readField(scope, 'x.$')).toThrow(
      "The JSONPath '$$.Nope' specified for the field 'x.$' could not be found in the input " +
        `'{"State":{"Name":"s"}}'`,
    );
  });

  it.each(
    [
      ['', 'a', 'a.b', '$.', '$.a.', '$..', '$.a[', '$.a[]', "$['a", "$['a' 'b']", '$.a b', '$[?]'],
      ['$[?(@.a ==)]', '$[?(@.a', '$[(@.length-1)]', '$.a[1', '$.a[x]', '$.a[:]', '$a b', '$.a^'],
      ['$.a.nope()', '$.f(', '$[?(@.a =~ /(/)]', '$[?(@.a @ 1)]', "$[?(eval('1'))]"],
    ]
      .flat()
      .filter((text) => text !== '$.a^'),
  )('%j is not a path', (text) => {
    expect(() => compilePath(text)).toThrow(ExpressionSyntaxError);
  });
});

describe('hostile data and text', () => {
  const hostile = json('{"__proto__":{"polluted":1},"constructor":{"x":2},"a":{}}');

  it('reads own properties only', () => {
    expect(read('$.__proto__.polluted', hostile)).toBe(1);
    expect(read('$.constructor.x', hostile)).toBe(2);
    for (const path of [
      '$.a.__proto__',
      '$.a.constructor',
      '$.a.toString',
      "$.a['hasOwnProperty']",
    ]) {
      expect(compilePath(path).find(scopeOf(hostile)).found).toBe(false);
    }
    expect(read("$['__proto__','a']", hostile)).toEqual(
      json('{"__proto__":{"polluted":1},"a":{}}'),
    );
    expect(read('$..polluted', hostile)).toEqual([1]);
    expect(compilePath('$__proto__').find(scopeOf(1)).found).toBe(false);
  });

  it('writes __proto__ as an ordinary key', () => {
    const written = compileReferencePath('$.__proto__.x').write({}, 1);
    expect(JSON.stringify(written)).toBe('{"__proto__":{"x":1}}');
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  it('is not hung by patterns that make a backtracking engine explode', () => {
    const path = compilePath('$[?(@ =~ /(a+)+b/)]');
    const start = performance.now();
    expect(path.read(scopeOf(['a'.repeat(50_000)]))).toEqual([]);
    expect(performance.now() - start).toBeLessThan(30_000);
  });

  it('refuses to search data that is nested beyond any sense', () => {
    const deep = json(`${'['.repeat(50_000)}${']'.repeat(50_000)}`);
    expect(() => read('$..x', deep)).toThrow(StatesError);
    expect(() => read('$.x', deep)).toThrow(StatesError);
    expect(() => compilePath('$.x').readField(scopeOf(deep), 'x.$')).toThrow(StatesError);
  });

  it('refuses text nested beyond any sense', () => {
    expect(() => compilePath(`$${'[?(@'.repeat(5000)}`)).toThrow(ExpressionSyntaxError);
    expect(() => compilePath(`$[?(${'('.repeat(5000)}`)).toThrow(ExpressionSyntaxError);
    expect(() => compilePath(`$[?(${'!'.repeat(5000)}@.a)]`)).toThrow(ExpressionSyntaxError);
    expect(() => compilePath(`$${'.a'.repeat(5000)}`)).toThrow(ExpressionSyntaxError);
  });
});

describe('ResultPath', () => {
  it.each<[string, Json, Json]>([
    ['$', { a: 1 }, 'V'],
    ['$.x', { a: 1 }, { a: 1, x: 'V' }],
    ['$.a', { a: 1, b: 2 }, { a: 'V', b: 2 }],
    ['$.x.y.z', { a: 1 }, { a: 1, x: { y: { z: 'V' } } }],
    ["$['x y']", {}, { 'x y': 'V' }],
    ['$.a[1]', { a: [1, 2, 3] }, { a: [1, 'V', 3] }],
    ['$[1].p', [1, { q: 2 }, 3], [1, { q: 2, p: 'V' }, 3]],
    ['$.a.b', { a: null }, { a: { b: 'V' } }],
  ])('%s into %j gives %j', (path, target, expected) => {
    const before = JSON.stringify(target);
    expect(compileReferencePath(path).write(target, 'V')).toEqual(expected);
    expect(JSON.stringify(target)).toBe(before);
  });

  it.each<[string, Json]>([
    ['$.x', 'foo'],
    ['$.x', [1]],
    ['$.x', 5],
    ['$.a.b', { a: 1 }],
    ['$[10].x', [1, 2]],
  ])('%s cannot be applied to %j', (path, target) => {
    expect(() => compileReferencePath(path).write(target, 1)).toThrow(
      new StatesError(
        'States.Runtime',
        `Unable to apply ReferencePath ${path} to input ${JSON.stringify(target)}`,
      ),
    );
  });

  it.each(['$.a[*]', '$..a', '$.a[0:1]', '$.a[?(@.b)]', '$$.x', '$v.x', '$[-1]', "$['a','b']"])(
    '%s is not a reference path',
    (text) => {
      expect(() => compileReferencePath(text)).toThrow(ExpressionSyntaxError);
    },
  );
});

describe('properties', () => {
  const key = fc.oneof(
    fc.constantFrom('a', 'b', 'x y', '__proto__', 'constructor', 'it', ''),
    fc.string().filter((text) => !/['\\]/.test(text)),
  );
  const step = fc.oneof(key, fc.integer({ min: -3, max: 4 }));

  it('reading equals a walk step by step', () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ maxDepth: 4 }),
        fc.array(step, { maxLength: 4 }),
        (value, keys) => {
          const input = json(JSON.stringify(value));
          const text = `$${keys.map((k) => (typeof k === 'string' ? `['${k}']` : `[${k}]`)).join('')}`;
          const found = compilePath(text).find(scopeOf(input));
          expect(found.found ? found.value : undefined).toEqual(walk(input, keys));
        },
      ),
    );
  });

  function walk(value: Json | undefined, keys: readonly (string | number)[]): Json | undefined {
    return keys.reduce<Json | undefined>((current, key) => {
      if (typeof key === 'string') return isObject(current) ? getOwn(current, key) : undefined;
      return isArray(current) ? current.at(key) : undefined;
    }, value);
  }

  it('what was written is read back, and nothing else changes', () => {
    const names = fc.array(fc.constantFrom('a', 'b', '__proto__', 'c d'), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('a', 'b', 'z'), fc.constant({})),
        names,
        (value, keys) => {
          const target = json(JSON.stringify(value));
          const text = `$${keys.map((name) => `['${name}']`).join('')}`;
          const written = compileReferencePath(text).write(target, 'V');
          expect(compilePath(text).read(scopeOf(written))).toBe('V');
        },
      ),
    );
  });

  it('any text is a path or a syntax error, and any path evaluates or misses', () => {
    const soup = fc.string({
      unit: fc.constantFrom(...'$@.[]()?*\'"=!<>&|:,-0a~/ \\n'),
      maxLength: 24,
    });
    fc.assert(
      fc.property(
        fc.oneof(
          soup,
          soup.map((text) => `$.${text}`),
          fc.string(),
        ),
        (text) => {
          try {
            compilePath(text).read(scopeOf(STORE));
          } catch (error) {
            expect([ExpressionSyntaxError, StatesError]).toContain((error as Error).constructor);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
