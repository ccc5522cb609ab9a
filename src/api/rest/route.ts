/** The form of a REST route: what it does, and what the OpenAPI document says about it. */
import type { Request, Response } from 'express';
import type { JsonObject } from '../../lib/json.js';
import type { WireObject } from '../../wire/describe.js';
import type { Input, Operation } from '../../wire/operations.js';
import type { ApiContext } from '../context.js';

export interface RestRequest {
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: JsonObject;
  readonly raw: Request;
  /** Runs an operation of the API, with its own validation. */
  run<O extends Operation>(operation: O, input: Input<O>): Promise<WireObject>;
}

export interface Answer {
  readonly status: number;
  readonly body: WireObject | null;
  readonly location?: string;
}

export interface Route {
  readonly method: 'get' | 'post' | 'put' | 'delete';
  /** With `{parameter}` as in OpenAPI. */
  readonly path: string;
  readonly id: string;
  readonly summary: string;
  readonly query?: Readonly<Record<string, string>>;
  /** JSON Schema of the body. */
  readonly body?: JsonObject;
  /** Status and meaning of the good answer. */
  readonly success: readonly [status: number, meaning: string];
  handle(api: ApiContext, request: RestRequest, response: Response): Promise<Answer | null>;
}
