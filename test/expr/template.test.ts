import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExpressionSyntaxError, StatesError } from '../../src/expr/scope.js';
import { compileTemplate, compileTemplateValue } from '../../src/expr/template.js';
import type { Json } from '../../src/lib/json.js';
import { json, scopeOf } from './support.js';

describe('payload templates', () => {
  it('fills members that end in .$ at any depth and keeps the order', () => {
    const template = compileTemplate({
      constant: { deep: [1, { x: 2 }] },
      'path.$': '$.a',
      list: [{ 'n.$': 'States.MathAdd($.a, 1)' }, 'plain', ['$.a']],
      'ctx.$': '$$.State.Name',
      'var.$': '$v',
    });
    const scope = scopeOf({ a: 1 }, { State: { Name: 'S' } }, { v: [9] });
    expect(JSON.stringify(template.evaluate(scope))).toBe(
      '{"constant":{"deep":[1,{"x":2}]},"path":1,"list":[{"n":2},"plain",["$.a"]],"ctx":"S","var":[9]}',
    );
    expect(template.variables).toEqual(['v']);
  });

  it('shares constant parts instead of copying them', () => {
    const constant = { a: [1, 2] };
    const template = compileTemplate(constant);
    expect(template.isConstant).toBe(true);
    expect(template.evaluate(scopeOf(0))).toBe(constant);
    const mixed = compileTemplate({ constant, 'x.$': '$' });
    expect((mixed.evaluate(scopeOf(0)) as { constant: Json }).constant).toBe(constant);
  });

  it('a miss names the field and quotes the input', () => {
    expect(() => compileTemplate({ a: { 'b.$': '$.no' } }).evaluate(scopeOf({ k: 1 }))).toThrow(
      new StatesError(
        'States.Runtime',
        `The JSONPath '$.no' specified for the field 'b.$' could not be found in the input '{"k":1}'`,
      ),
    );
    expect(() => compileTemplateValue('$.X').evaluate(scopeOf({}), 'ErrorPath')).toThrow(
      "The JSONPath '$.X' specified for the field 'ErrorPath' could not be found in the input '{}'",
    );
  });

  it.each<[Json, string]>([
    [{ 'a.$': 'nope' }, 'a.$'],
    [{ 'a.$': 1 }, 'a.$'],
    [{ 'a.$': {} }, 'a.$'],
    [{ b: [{ '.$': '' }] }, '.$'],
    [{ 'a.$': "States.StringToJson('\\\"')" }, 'a.$'],
  ])('%j is refused with the recorded sentence', (template, field) => {
    expect(() => compileTemplate(template)).toThrow(
      `The value for the field '${field}' must be a valid JSONPath or a valid intrinsic function call`,
    );
  });

  it('refuses a name that is given with and without its suffix', () => {
    expect(() => compileTemplate({ a: 1, 'a.$': '$' })).toThrow(ExpressionSyntaxError);
  });

  it('__proto__ is an ordinary member', () => {
    const template = compileTemplate(json('{"__proto__.$":"$.a","k":{"__proto__":1,"x.$":"$.a"}}'));
    expect(JSON.stringify(template.evaluate(scopeOf({ a: 1 })))).toBe(
      '{"__proto__":1,"k":{"__proto__":1,"x":1}}',
    );
  });

  it('a template without .$ members evaluates to itself', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const template = json(JSON.stringify(value));
        fc.pre(!JSON.stringify(template).includes('.$"'));
        expect(compileTemplate(template).evaluate(scopeOf(0))).toBe(template);
      }),
    );
  });
});
