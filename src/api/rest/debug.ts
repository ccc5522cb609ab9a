/**
 * REST routes of debug sessions: simulations of a machine, recordings, and live executions. A session ends
 * by itself when nobody asks for it; a live execution then goes on.
 */
import type { ExecutionArn, FrameId } from '../../lib/brand.js';
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import type { BreakpointWish } from '../../simulate/debug/breakpoints.js';
import { openSession, type SessionWish } from '../debugging.js';
import { ApiError, conflict, invalid, resourceNotFound } from '../../wire/errors.js';
import { Immutable } from '../../simulate/debug/timeline.js';
import {
  type Move,
  type Session,
  SessionRunning,
  TooManySessions,
} from '../../simulate/debug/sessions.js';
import type { ApiContext } from '../context.js';
import { sendJson } from './direct.js';
import { machineArnOf } from './names.js';
import type { Route } from './route.js';
import { definitionText } from './state-machines.js';

const PATH = '/v1/debug/sessions/{session}';
const MAX_WAIT_SECONDS = 30;
const WAIT = { wait: 'Seconds to wait for the stop, 0 to 30; 10 when absent.' };
const BREAKPOINT: JsonObject = {
  type: 'object',
  properties: {
    on: { type: 'string', enum: ['entered', 'exited', 'failed'] },
    state: { type: ['string', 'null'], description: 'Any state when absent.' },
    condition: { type: 'string', description: '`$.n > 3`, `$total = 0`, or JSONata.' },
    uncaught: { type: 'boolean' },
    hit: { type: 'integer', description: 'Stops from this time on.' },
  },
};
const BREAKPOINTS: JsonObject = { type: 'array', items: BREAKPOINT };

export const debugRoutes: readonly Route[] = [
  {
    method: 'post',
    path: '/v1/debug/sessions',
    id: 'startDebugSession',
    summary:
      'Start debugging: a definition or state machine (simulated, or live), or an execution.',
    body: {
      type: 'object',
      properties: {
        definition: { description: 'Text or object: simulated.' },
        stateMachine: {
          type: 'string',
          description: 'Name or ARN: simulated, or with live started.',
        },
        execution: {
          type: 'string',
          description: 'ARN: a running one is attached to, an ended one shown.',
        },
        input: { description: 'Any JSON; {} when absent.' },
        mocks: { type: 'object', description: 'As in a mock file, without functions.' },
        seed: { type: 'integer' },
        live: { type: 'boolean' },
        breakpoints: BREAKPOINTS,
      },
    },
    success: [201, 'The session, before the first state.'],
    handle: async (api, { body }, response) => {
      const session = await guard(() => openSession(api, wishOf(api, body)));
      const view = await guard(async () => {
        setBreakpoints(session, getOwn(body, 'breakpoints'));
        return session.move((inner) => inner.begin(), 10_000);
      }).catch(async (error: unknown) => {
        await api.debug.sessions.end(session.id, false);
        throw error;
      });
      return sendJson(response, 201, view, `/v1/debug/sessions/${session.id}`);
    },
  },
  {
    method: 'get',
    path: '/v1/debug/sessions',
    id: 'listDebugSessions',
    summary: 'All debug sessions.',
    success: [200, 'Sessions.'],
    handle: async (api, _request, response) =>
      sendJson(response, 200, { sessions: api.debug.sessions.list().map((one) => one.view()) }),
  },
  {
    method: 'get',
    path: PATH,
    id: 'getDebugSession',
    summary: 'Where a session stands.',
    success: [200, 'The session.'],
    handle: async (api, { parameters }, response) =>
      sendJson(response, 200, sessionOf(api, parameters).view()),
  },
  {
    method: 'post',
    path: `${PATH}/move`,
    id: 'moveDebugSession',
    summary: 'Step in, over or out, go back, continue forth or back, or run to the end.',
    query: WAIT,
    body: {
      type: 'object',
      required: ['how'],
      properties: {
        how: { type: 'string', enum: ['in', 'over', 'out', 'back', 'continue', 'reverse'] },
        frame: { type: 'string', description: 'The thread; that of the last stop when absent.' },
      },
    },
    success: [200, 'Where it stopped, or status running.'],
    handle: async (api, { parameters, body, query }, response) => {
      const session = sessionOf(api, parameters);
      const view = await guard(() => session.move(moveOf(body), waitMs(query)));
      return sendJson(response, 200, view);
    },
  },
  {
    method: 'post',
    path: `${PATH}/pause`,
    id: 'pauseDebugSession',
    summary: 'Stop a running session at the next opportunity.',
    query: WAIT,
    body: { type: 'object' },
    success: [200, 'The session.'],
    handle: async (api, { parameters, query }, response) =>
      sendJson(response, 200, await sessionOf(api, parameters).pause(waitMs(query))),
  },
  {
    method: 'put',
    path: `${PATH}/breakpoints`,
    id: 'setDebugBreakpoints',
    summary: 'Replace all breakpoints.',
    body: { type: 'object', required: ['breakpoints'], properties: { breakpoints: BREAKPOINTS } },
    success: [200, 'The session with its breakpoints.'],
    handle: async (api, { parameters, body }, response) => {
      const session = sessionOf(api, parameters);
      await guard(async () => setBreakpoints(session, getOwn(body, 'breakpoints')));
      return sendJson(response, 200, session.view());
    },
  },
  {
    method: 'get',
    path: `${PATH}/frame`,
    id: 'getDebugFrame',
    summary: 'Stack and scopes of a frame: input, output, variables, context, data flow.',
    query: { frame: 'The frame; that of the last stop when absent.' },
    success: [200, 'Stack and scopes.'],
    handle: async (api, { parameters, query }, response) => {
      const session = sessionOf(api, parameters);
      const found = await guard(() => session.frame(frameOf(session, query.get('frame'))));
      if (found === null) throw invalid('There is no such frame.');
      return sendJson(response, 200, found);
    },
  },
  {
    method: 'post',
    path: `${PATH}/edit`,
    id: 'editDebugSession',
    summary:
      'Change the input or variables of the state that comes next, or answer a task yourself.',
    body: {
      type: 'object',
      properties: {
        frame: { type: 'string' },
        input: { description: 'Any JSON.' },
        variables: { type: 'object' },
        result: { type: 'object', description: '{state, output} or {state, error, cause}.' },
      },
    },
    success: [200, 'The session.'],
    handle: async (api, { parameters, body }, response) => {
      const session = sessionOf(api, parameters);
      await guard(() => edit(session, body));
      return sendJson(response, 200, session.view());
    },
  },
  {
    method: 'post',
    path: `${PATH}/evaluate`,
    id: 'evaluateInDebugSession',
    summary: 'The value of a path, a comparison or a JSONata expression in a frame.',
    body: {
      type: 'object',
      required: ['expression'],
      properties: { expression: { type: 'string', maxLength: 4000 }, frame: { type: 'string' } },
    },
    success: [200, 'The value.'],
    handle: async (api, { parameters, body }, response) => {
      const session = sessionOf(api, parameters);
      const frame = frameOf(session, getOwn(body, 'frame') ?? null);
      const text = String(getOwn(body, 'expression') ?? '');
      const value = await guard(() => session.still.evaluate(text, frame));
      return sendJson(response, 200, { value });
    },
  },
  {
    method: 'delete',
    path: PATH,
    id: 'endDebugSession',
    summary: 'End a session. A live execution goes on, or with stop=true is stopped.',
    query: { stop: 'true: stop a live execution.' },
    success: [204, 'Ended.'],
    handle: async (api, { parameters, query }) => {
      const ended = await api.debug.sessions.end(
        parameters.session as string,
        query.get('stop') === 'true',
      );
      if (!ended) throw notFound(parameters.session as string);
      return { status: 204, body: null };
    },
  },
];

function notFound(id: string): ApiError {
  return resourceNotFound(`debug session ${id}`);
}

function sessionOf(api: ApiContext, parameters: Readonly<Record<string, string>>): Session {
  const id = parameters.session as string;
  const session = api.debug.sessions.get(id);
  if (session === null) throw notFound(id);
  return session;
}

/** What the debugger refuses becomes a problem the client can read. */
async function guard<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ApiError) throw error;
    if (error instanceof SessionRunning) throw conflict(error.message);
    if (error instanceof TooManySessions) throw new ApiError('ThrottlingException', error.message);
    if (error instanceof Immutable) throw invalid(`${error.message} ${error.mend}`);
    if (error instanceof Error && error.name !== 'InvariantError') throw invalid(error.message);
    throw error;
  }
}

function wishOf(api: ApiContext, body: JsonObject): SessionWish {
  const definition = definitionText(body);
  const machine = getOwn(body, 'stateMachine');
  const execution = getOwn(body, 'execution');
  const seed = getOwn(body, 'seed');
  const given = [definition, machine, execution].filter((one) => one !== undefined);
  if (given.length !== 1 || typeof given[0] !== 'string') {
    throw invalid('Give one of definition, stateMachine and execution.');
  }
  return {
    definition: typeof definition === 'string' ? definition : null,
    stateMachineArn: typeof machine === 'string' ? machineArnOf(api, machine) : null,
    executionArn: typeof execution === 'string' ? (execution as ExecutionArn) : null,
    input: getOwn(body, 'input') ?? {},
    mocks: getOwn(body, 'mocks') ?? null,
    seed: typeof seed === 'number' && Number.isSafeInteger(seed) && seed >= 0 ? seed : 0,
    live: getOwn(body, 'live') === true,
  };
}

function moveOf(body: JsonObject): Move {
  const how = getOwn(body, 'how');
  const frame = getOwn(body, 'frame');
  const of = typeof frame === 'string' ? ([frame as FrameId] as const) : ([] as const);
  switch (how) {
    case 'in':
    case 'over':
    case 'out':
      return (session) => session.step(how, ...of);
    case 'back':
      return (session) => session.back('over', ...of);
    case 'continue':
      return (session) => session.continue();
    case 'reverse':
      return (session) => session.reverseContinue();
    default:
      throw invalid("how must be one of 'in', 'over', 'out', 'back', 'continue', 'reverse'");
  }
}

function waitMs(query: URLSearchParams): number {
  const seconds = Number(query.get('wait') ?? 10);
  if (!(seconds >= 0 && seconds <= MAX_WAIT_SECONDS)) throw invalid('wait must be 0 to 30 seconds');
  return seconds * 1000;
}

function frameOf(session: Session, given: Json): FrameId {
  return typeof given === 'string' ? (given as FrameId) : session.inner.focus();
}

function setBreakpoints(session: Session, given: Json | undefined): void {
  if (given === undefined) return;
  if (!isArray(given)) throw invalid('breakpoints must be a list');
  const wishes = given.map(breakpointOf);
  const { breakpoints } = session.inner;
  for (const { id } of breakpoints.list()) breakpoints.remove(id);
  for (const wish of wishes) breakpoints.add(wish);
}

function breakpointOf(given: Json, index: number): BreakpointWish {
  if (!isObject(given)) throw invalid(`/breakpoints/${index} must be an object`);
  const on = getOwn(given, 'on') ?? 'entered';
  const state = getOwn(given, 'state') ?? null;
  const condition = getOwn(given, 'condition') ?? null;
  const hit = getOwn(given, 'hit');
  if (on !== 'entered' && on !== 'exited' && on !== 'failed') {
    throw invalid(`/breakpoints/${index}/on must be entered, exited or failed`);
  }
  if (state !== null && typeof state !== 'string')
    throw invalid(`/breakpoints/${index}/state must be text`);
  if (condition !== null && typeof condition !== 'string') {
    throw invalid(`/breakpoints/${index}/condition must be text`);
  }
  return {
    on,
    state,
    condition,
    uncaught: getOwn(given, 'uncaught') === true,
    ...(typeof hit === 'number' && hit >= 1 ? { hit } : {}),
  };
}

async function edit(session: Session, body: JsonObject): Promise<void> {
  const { still } = session;
  const frame = frameOf(session, getOwn(body, 'frame') ?? null);
  const result = getOwn(body, 'result');
  if (isObject(result)) {
    const state = String(getOwn(result, 'state') ?? still.ahead(frame));
    const output = getOwn(result, 'output');
    const [error, cause] = [getOwn(result, 'error'), getOwn(result, 'cause')];
    const failure = { error: textOrNull(error), cause: textOrNull(cause) };
    await still.override(state, output === undefined ? { failure } : { output });
  }
  const input = getOwn(body, 'input');
  const variables = getOwn(body, 'variables');
  if (variables !== undefined && !isObject(variables)) throw invalid('variables must be an object');
  if (input === undefined && variables === undefined) return;
  await still.edit({
    frame,
    ...(input === undefined ? {} : { value: input }),
    ...(variables === undefined ? {} : { variables }),
  });
}

function textOrNull(value: Json | undefined): string | null {
  return typeof value === 'string' ? value : null;
}
