/** Globs of resources, and the room a process has for tasks. */
import { describe, expect, it } from 'vitest';
import { resourceGlobs } from '../../src/workers/resource-globs.js';
import { Rooms } from '../../src/workers/rooms.js';

describe('globs of resources', () => {
  it.each([
    [[], 'anything', true],
    [['ml:*'], 'ml:train', true],
    [['ml:*'], 'arn:aws:states:::ml:train.sync', true],
    [['ml:*'], 'xml:train', false],
    [['!ml:*'], 'ml:train', false],
    [['!ml:*'], 'sns:publish', true],
    [['*', '!ml:*', '!io'], 'io', false],
    [['a', 'b'], 'b', true],
    [['a*c'], 'abc', true],
    [['a*c'], 'ab', false],
    [['ab*bc'], 'abc', false],
    [['*x*'], 'axb', true],
    [['arn:aws:lambda:*:function:f'], 'arn:aws:lambda:us-east-1:1:function:f', true],
  ] as const)('%j serves %s: %s', (globs, resource, expected) => {
    expect(resourceGlobs(globs).serves(resource)).toBe(expected);
  });

  it.each(['', '!', 'a b'])('"%s" is refused by name', (glob) => {
    expect(() => resourceGlobs([glob])).toThrow(`"${glob}" is no glob`);
  });

  it('ends quickly on a hostile glob', () => {
    const { serves } = resourceGlobs([`${'a*'.repeat(200)}b`]);
    expect(serves('a'.repeat(50_000))).toBe(false);
  });
});

describe('rooms', () => {
  it('are taken and given back once', () => {
    const rooms = new Rooms(2);
    const [one, two] = [rooms.take('a'), rooms.take('b')];
    expect(rooms.take('c')).toBeNull();
    one?.();
    one?.();
    expect(rooms.free).toBe(1);
    expect(rooms.take('d')).not.toBeNull();
    two?.();
    expect(rooms.free).toBe(1);
  });

  it('are not needed by tasks that wait for other executions', () => {
    const rooms = new Rooms(0);
    expect(rooms.take('arn:aws:states:::states:startExecution.sync:2')).not.toBeNull();
    expect(rooms.take('ml:train')).toBeNull();
  });
});
