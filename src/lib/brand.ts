/** Nominal types for values that must not be mixed up. */

declare const brand: unique symbol;
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** Milliseconds since 1970-01-01T00:00:00Z. */
export type EpochMs = Brand<number, 'EpochMs'>;
/** Position of a fact in its execution's journal, from 1. */
export type Seq = Brand<number, 'Seq'>;
/** A thread of control inside one execution; `0` is the root. */
export type FrameId = Brand<string, 'FrameId'>;
export type ExecutionArn = Brand<string, 'ExecutionArn'>;
/** Identity of an immutable definition: hex SHA-256 of the definition text and its settings. */
export type RevisionId = Brand<string, 'RevisionId'>;
/** Hex SHA-256 chaining every commit to the one before. */
export type Digest = Brand<string, 'Digest'>;
/** Random value of one task attempt; a result that carries another nonce is stale. */
export type Nonce = Brand<string, 'Nonce'>;
