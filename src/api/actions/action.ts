/** The form of an action: the typed input in, the answer's members out, ApiError thrown. */
import type { WireObject } from '../../wire/describe.js';
import type { Input, Operation } from '../../wire/operations.js';
import type { ApiContext, Call } from '../context.js';

export type Action<O extends Operation> = (
  api: ApiContext,
  input: Input<O>,
  call: Call,
) => Promise<WireObject>;

export type Actions<O extends Operation> = { readonly [K in O]: Action<K> };
