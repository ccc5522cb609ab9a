/**
 * Connections of `http:invoke`: named in the configuration as EventBridge names them, with values that
 * may be `secret://name`. Whoever writes a machine names a connection and never sees what is in it.
 */
import type { JsonObject } from '../lib/json.js';
import { type HandlerContext, TaskFailure } from './handler.js';
import { type ReadSecret, resolveSecret } from './secrets.js';

export type Connection = {
  readonly name: string;
  /** Sent with every request; they win over what the machine says. */
  readonly headers: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, string>>;
  readonly authorization: Authorization;
};

export type Authorization =
  | { readonly type: 'BASIC'; readonly username: string; readonly password: string }
  | { readonly type: 'API_KEY'; readonly apiKeyName: string; readonly apiKeyValue: string }
  | {
      readonly type: 'OAUTH_CLIENT_CREDENTIALS';
      readonly tokenEndpoint: string;
      readonly method: 'POST' | 'GET' | 'PUT';
      readonly clientId: string;
      readonly clientSecret: string;
      /** Beside `grant_type=client_credentials`: `scope`, `audience`, … */
      readonly parameters: Readonly<Record<string, string>>;
    };

const text = { type: 'string', minLength: 1 };
const texts = { type: 'object', additionalProperties: { type: 'string' } };

/** For `connections` in the configuration's schema. */
export const CONNECTION_SCHEMA: JsonObject = {
  type: 'object',
  required: ['type'],
  properties: {
    type: { enum: ['BASIC', 'API_KEY', 'OAUTH_CLIENT_CREDENTIALS'] },
    username: text,
    password: text,
    apiKeyName: text,
    apiKeyValue: text,
    tokenEndpoint: text,
    method: { enum: ['POST', 'GET', 'PUT'] },
    clientId: text,
    clientSecret: text,
    parameters: texts,
    headers: texts,
    query: texts,
    body: texts,
  },
  additionalProperties: false,
};

export interface RawConnection {
  readonly type: Authorization['type'];
  readonly username?: string;
  readonly password?: string;
  readonly apiKeyName?: string;
  readonly apiKeyValue?: string;
  readonly tokenEndpoint?: string;
  readonly method?: 'POST' | 'GET' | 'PUT';
  readonly clientId?: string;
  readonly clientSecret?: string;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: Readonly<Record<string, string>>;
}

/** `missing` reports the first member that the type of connection needs and never returns. */
export function parseConnection(
  name: string,
  raw: RawConnection,
  missing: (member: string) => never,
): Connection {
  const need = (member: keyof RawConnection): string => {
    const value = raw[member];
    return typeof value === 'string' ? value : missing(member);
  };
  const { headers = {}, query = {}, body = {} } = raw;
  return { name, headers, query, body, authorization: readAuthorization(raw, need) };
}

function readAuthorization(
  raw: RawConnection,
  need: (member: keyof RawConnection) => string,
): Authorization {
  switch (raw.type) {
    case 'BASIC':
      return { type: 'BASIC', username: need('username'), password: need('password') };
    case 'API_KEY':
      return { type: 'API_KEY', apiKeyName: need('apiKeyName'), apiKeyValue: need('apiKeyValue') };
    case 'OAUTH_CLIENT_CREDENTIALS':
      return {
        type: 'OAUTH_CLIENT_CREDENTIALS',
        tokenEndpoint: need('tokenEndpoint'),
        method: raw.method ?? 'POST',
        clientId: need('clientId'),
        clientSecret: need('clientSecret'),
        parameters: raw.parameters ?? {},
      };
  }
}

/** By full ARN or by the name in `arn:aws:events:R:A:connection/NAME/ID`. */
export function findConnection(
  connections: ReadonlyMap<string, Connection>,
  arn: string,
): Connection {
  const name = /:connection\/([^/]+)/.exec(arn)?.[1] ?? arn;
  const found = connections.get(arn) ?? connections.get(name);
  if (found !== undefined) return found;
  throw new TaskFailure(
    'Events.ConnectionResource.ResourceNotFound',
    `The connection ${arn} does not exist. Add "connections": {"${name}": {"type": "API_KEY", ` +
      '"apiKeyName": …, "apiKeyValue": "secret://…"}} to stepwell.config.json.',
  );
}

/** What a connection adds to a request, its secrets in clear. Never logged, never part of a result. */
export interface ConnectionValues {
  readonly headers: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, string>>;
}

export interface TokenCache {
  /** The access token; `fresh` asks for a new one although one is kept. */
  token(connection: Connection, context: HandlerContext, fresh: boolean): Promise<string>;
}

export async function connectionValues(
  connection: Connection,
  context: HandlerContext,
  tokens: TokenCache,
  fresh: boolean,
): Promise<ConnectionValues> {
  const { secret } = context;
  return {
    headers: {
      ...clear(connection.headers, secret),
      ...(await authorizationHeader(connection, context, tokens, fresh)),
    },
    query: clear(connection.query, secret),
    body: clear(connection.body, secret),
  };
}

async function authorizationHeader(
  connection: Connection,
  context: HandlerContext,
  tokens: TokenCache,
  fresh: boolean,
): Promise<Readonly<Record<string, string>>> {
  const { authorization } = connection;
  const { secret } = context;
  switch (authorization.type) {
    case 'BASIC': {
      const { username, password } = authorization;
      return {
        authorization: basic(resolveSecret(username, secret), resolveSecret(password, secret)),
      };
    }
    case 'API_KEY': {
      const { apiKeyName, apiKeyValue } = authorization;
      return { [apiKeyName.toLowerCase()]: resolveSecret(apiKeyValue, secret) };
    }
    case 'OAUTH_CLIENT_CREDENTIALS':
      return { authorization: `Bearer ${await tokens.token(connection, context, fresh)}` };
  }
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`, 'utf8').toString('base64')}`;
}

function clear(
  values: Readonly<Record<string, string>>,
  secret: ReadSecret,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, resolveSecret(value, secret)]),
  );
}

/** Tokens are renewed this long before they expire. */
const TOKEN_MARGIN_MS = 30_000;
const DEFAULT_LIFETIME_SECONDS = 300;

export function createTokenCache(now: () => number = Date.now): TokenCache {
  const kept = new Map<string, { readonly token: string; readonly expiresAt: number }>();
  return {
    token: async (connection, context, fresh) => {
      const known = kept.get(connection.name);
      if (!fresh && known !== undefined && known.expiresAt > now()) return known.token;
      const made = await requestToken(connection, context);
      kept.set(connection.name, {
        token: made.token,
        expiresAt: now() + made.lifetimeSeconds * 1000 - TOKEN_MARGIN_MS,
      });
      return made.token;
    },
  };
}

async function requestToken(
  { name, authorization }: Connection,
  context: HandlerContext,
): Promise<{ readonly token: string; readonly lifetimeSeconds: number }> {
  if (authorization.type !== 'OAUTH_CLIENT_CREDENTIALS') throw refusedToken(name, 'no OAuth');
  const { secret, signal } = context;
  const { tokenEndpoint, method, clientId, clientSecret } = authorization;
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    ...clear(authorization.parameters, secret),
  });
  const url = new URL(tokenEndpoint);
  if (method === 'GET') for (const [key, value] of form) url.searchParams.set(key, value);
  const response = await context.fetch(url, {
    method,
    headers: {
      accept: 'application/json',
      authorization: basic(resolveSecret(clientId, secret), resolveSecret(clientSecret, secret)),
      ...(method === 'GET' ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
    },
    ...(method === 'GET' ? {} : { body: form.toString() }),
    redirect: 'manual',
    signal,
  });
  if (!response.ok) throw refusedToken(name, `the token endpoint answered ${response.status}`);
  const answer = (await response.json().catch(() => null)) as Record<string, unknown> | null;
  const token = answer?.access_token;
  if (typeof token !== 'string')
    throw refusedToken(name, 'the token endpoint gave no access_token');
  const lifetime = Number(answer?.expires_in);
  return { token, lifetimeSeconds: lifetime > 0 ? lifetime : DEFAULT_LIFETIME_SECONDS };
}

function refusedToken(name: string, reason: string): TaskFailure {
  return new TaskFailure(
    'Events.ConnectionResource.InvalidConnectionState',
    `The connection ${name} is not authorized: ${reason}.`,
  );
}
