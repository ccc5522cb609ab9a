/** A Context Object given to TestState: only members that AWS knows, of the right types. */
import { parseJson } from '../../lib/jackson.js';
import { getOwn, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { invalid } from '../../wire/errors.js';

const MEMBERS: Readonly<Record<string, Readonly<Record<string, 'string' | 'number' | 'any'>>>> = {
  Execution: {
    Id: 'string',
    Input: 'any',
    Name: 'string',
    RoleArn: 'string',
    StartTime: 'string',
    RedriveCount: 'number',
    RedriveTime: 'string',
  },
  State: { EnteredTime: 'string', Name: 'string', RetryCount: 'number' },
  StateMachine: { Id: 'string', Name: 'string' },
  Task: { Token: 'string' },
};

export function readContext(text: string | undefined, isMocked: boolean): JsonObject | null {
  if (text === undefined) return null;
  if (!isMocked) throw invalid('A Context object can only be provided when a mock is specified');
  const parsed = parseJson(text);
  if (!('value' in parsed) || !isObject(parsed.value)) throw refuse('must be a JSON object');
  const context = parsed.value;
  for (const name of Object.keys(context)) checkSection(name, getOwn(context, name) as Json);
  return context;
}

function checkSection(name: string, section: Json): void {
  // Recorded: test_state_context_object_validation_failures.
  if (name === 'Map') throw refuse("'Map' field is not supported when mocking a Context object");
  const members = Object.hasOwn(MEMBERS, name) ? MEMBERS[name] : undefined;
  if (members === undefined) throw refuse(`Field '${name}' is not allowed`);
  if (!isObject(section)) throw refuse(`${name} must be an object`);
  for (const member of Object.keys(section)) {
    const type = Object.hasOwn(members, member) ? members[member] : undefined;
    if (type === undefined) throw refuse(`Field '${member}' is not allowed`);
    if (type !== 'any' && typeof section[member] !== type) {
      throw refuse(`${name}.${member} must be a ${type}`);
    }
  }
}

function refuse(complaint: string): Error {
  return invalid(`Invalid Context object provided: ${complaint}`);
}
