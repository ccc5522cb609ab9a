/**
 * Building blocks of our ASL schemas. They are plain JSON Schema (draft 2020-12) with one
 * annotation of ours, `x-message`: the AWS wording to show when that subschema fails as a whole.
 * What a schema cannot say (query language, graph, expressions) is checked in the sibling files.
 */
import type { Json, JsonObject } from '../../../lib/json.js';

export type Schema = { readonly [keyword: string]: Json };

/** AWS: every duration in a state, and MaxAttempts, ends here. */
export const MAX_SECONDS = 99_999_999;
/** AWS: MaxDelaySeconds of a retrier, one leap year and a bit. */
export const MAX_DELAY_SECONDS = 31_622_400;

export const text: Schema = { type: 'string' };
export const name: Schema = { type: 'string', minLength: 1 };
export const anything: Schema = {};
/** A path, or null where null means "nothing". */
export const pathOrNull: Schema = { type: ['string', 'null'] };
export const path: Schema = { type: 'string' };

export function oneOfValues(...values: readonly string[]): Schema {
  return { type: 'string', enum: values };
}

/** An integer, or in JSONata states an expression that returns one. */
export function integer(minimum: number, maximum?: number): Schema {
  return {
    type: ['integer', 'string'],
    minimum,
    ...(maximum === undefined ? {} : { maximum }),
    pattern: '^\\{%',
  };
}

/** An integer that cannot be computed: inside a retrier. */
export function literalInteger(minimum: number, maximum: number): Schema {
  return { type: 'integer', minimum, maximum };
}

/** At most one of `fields`; the recorded AWS wording. */
export function atMostOne(...fields: readonly string[]): Schema[] {
  const pairs = fields.flatMap((one, i) => fields.slice(i + 1).map((other) => [one, other]));
  return [
    {
      not:
        pairs.length === 1
          ? { required: pairs[0]! }
          : { anyOf: pairs.map((pair) => ({ required: pair })) },
      'x-message': `There should only be one of the following fields: [${fields.join(', ')}]`,
    },
  ];
}

/** Exactly one of `fields`; AWS has one wording for none and another for several. */
export function exactlyOne(...fields: readonly string[]): Schema[] {
  return [
    {
      anyOf: fields.map((field) => ({ required: [field] })),
      'x-message': `This object should have only one of the following fields: [${fields.join(', ')}]`,
    },
    ...atMostOne(...fields),
  ];
}

/** Next or `End: true`. `End: false` counts as absent. */
export const transition: readonly Schema[] = [
  {
    anyOf: [{ required: ['Next'] }, { required: ['End'], properties: { End: { const: true } } }],
    'x-message': 'This object should have only one of the following fields: [Next, End]',
  },
  {
    not: { required: ['Next', 'End'], properties: { End: { const: true } } },
    'x-message': 'There should only be one of the following fields: [Next, End]',
  },
];

export function stateSchema(type: string, parts: StateParts): Schema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: `${type} state`,
    type: 'object',
    properties: {
      Type: { const: type },
      Comment: text,
      QueryLanguage: oneOfValues('JSONPath', 'JSONata'),
      ...parts.properties,
    },
    required: ['Type', ...(parts.required ?? [])],
    additionalProperties: false,
    ...(parts.rules === undefined ? {} : { allOf: parts.rules }),
    ...(parts.definitions === undefined ? {} : { $defs: parts.definitions }),
  };
}

interface StateParts {
  readonly properties: JsonObject;
  readonly required?: readonly string[];
  readonly rules?: readonly Schema[];
  readonly definitions?: JsonObject;
}

export const leave = { Next: name, End: { type: 'boolean' } } as const;
export const inputOutput = {
  InputPath: pathOrNull,
  OutputPath: pathOrNull,
  Output: anything,
} as const;
export const assign = { Assign: { type: ['object'] } } as const;
export const parameters = { Parameters: anything, ResultPath: pathOrNull } as const;

const errorEquals: Schema = { type: 'array', minItems: 1, items: name };

export const retriers: Schema = {
  type: 'array',
  items: {
    type: 'object',
    properties: {
      ErrorEquals: errorEquals,
      // Measured on AWS: an interval of 0 is accepted.
      IntervalSeconds: literalInteger(0, MAX_SECONDS),
      MaxAttempts: literalInteger(0, MAX_SECONDS),
      BackoffRate: { type: 'number', minimum: 1 },
      MaxDelaySeconds: literalInteger(1, MAX_DELAY_SECONDS),
      JitterStrategy: oneOfValues('NONE', 'FULL'),
      Comment: text,
    },
    required: ['ErrorEquals'],
    additionalProperties: false,
  },
};

export const catchers: Schema = {
  type: 'array',
  items: {
    type: 'object',
    properties: {
      ErrorEquals: errorEquals,
      Next: name,
      ResultPath: pathOrNull,
      Output: anything,
      ...assign,
      Comment: text,
    },
    required: ['ErrorEquals', 'Next'],
    additionalProperties: false,
  },
};

/** StartAt and States; the states themselves are checked one by one, or by `$ref` in the files. */
export const scope = {
  StartAt: name,
  States: { type: 'object', minProperties: 1, additionalProperties: { $ref: 'state.json' } },
  Comment: text,
} as const;
