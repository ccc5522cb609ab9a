/**
 * A Great Expectations suite that a profiled dataset meets: a first draft for a person to tighten or
 * loosen. Every proposal says in its `meta.notes` what it was read off.
 */
import type { Json, JsonObject } from '../../lib/json.js';
import type { ColumnProfile, Profile } from './profile.js';

/** So few different values, each so often, are categories. */
const CATEGORIES_MAX = 20;
const ROWS_PER_CATEGORY = 10;
/** Fewer rows than this are too few to call a column unique. */
const UNIQUE_FROM = 20;
/** The next delivery may be smaller or larger by this factor. */
const ROW_FACTOR = 2;

export function proposeSuite(profile: Profile, name: string): JsonObject {
  const table: JsonObject[] = [
    expectation(
      'expect_table_columns_to_match_set',
      {
        column_set: profile.columns.map((column) => column.name),
      },
      'the columns found',
    ),
    expectation(
      'expect_table_row_count_to_be_between',
      {
        min_value: Math.floor(profile.rows / ROW_FACTOR),
        // A sample does not know how many rows there are.
        ...(profile.sampled ? {} : { max_value: Math.ceil(profile.rows * ROW_FACTOR) }),
      },
      `${profile.rows} rows found${profile.sampled ? ' and more' : ''}`,
    ),
  ];
  return {
    name,
    expectations: [...table, ...profile.columns.flatMap(forColumn)],
    meta: {
      notes: `Proposed by stepwell from ${profile.rows} rows. A draft: read it before you rely on it.`,
    },
  };
}

function expectation(type: string, kwargs: JsonObject, notes: string): JsonObject {
  return { type, kwargs, meta: { notes } };
}

function forColumn(column: ColumnProfile): readonly JsonObject[] {
  const { name } = column;
  const on = (type: string, kwargs: JsonObject, notes: string) =>
    expectation(type, { column: name, ...kwargs }, notes);
  const proposals: JsonObject[] = [];
  if (column.kind === 'empty') return proposals;
  proposals.push(...completeness(column, on), ...type(column, on), ...values(column, on));
  // Empty texts would be equal to each other.
  const isKey = column.unique && column.missing === 0 && column.kind !== 'number';
  if (isKey && column.rows >= UNIQUE_FROM) {
    proposals.push(on('expect_column_values_to_be_unique', {}, 'every value found once'));
  }
  return proposals;
}

type On = (type: string, kwargs: JsonObject, notes: string) => JsonObject;

function completeness(
  { completeness: share, missing }: ColumnProfile,
  on: On,
): readonly JsonObject[] {
  // Empty texts count as missing in the profile, never in the expectation: the share is a lower bound.
  const mostly = Math.floor(share * 100) / 100;
  if (mostly === 0) return [];
  const kwargs = missing === 0 ? {} : { mostly };
  return [on('expect_column_values_to_not_be_null', kwargs, `${missing} missing`)];
}

const TYPES: Readonly<Partial<Record<ColumnProfile['kind'], readonly string[]>>> = {
  integer: ['int'],
  number: ['float'],
  boolean: ['bool'],
  datetime: ['str'],
  text: ['str'],
};

function type({ kind }: ColumnProfile, on: On): readonly JsonObject[] {
  const list = TYPES[kind];
  if (list === undefined) return [];
  return [
    on('expect_column_values_to_be_in_type_list', { type_list: [...list] }, `all are ${kind}`),
  ];
}

function values(column: ColumnProfile, on: On): readonly JsonObject[] {
  const { kind, distinct, rows, top, numbers, lengths } = column;
  const isCategory =
    (kind === 'text' || kind === 'integer') &&
    distinct <= Math.min(CATEGORIES_MAX, top.length) &&
    rows >= distinct * ROWS_PER_CATEGORY;
  if (isCategory) {
    // An empty text is a value to the expectation, though the profile calls it missing.
    const empty = kind === 'text' && column.missing > 0 ? [''] : [];
    const set = [...top.map(({ value }) => value as Json), ...empty];
    return [
      on('expect_column_values_to_be_in_set', { value_set: set }, `${distinct} different values`),
    ];
  }
  if (numbers !== null) {
    const { min, max } = numbers;
    return [
      on(
        'expect_column_values_to_be_between',
        { min_value: min, max_value: max },
        'least and greatest found',
      ),
    ];
  }
  if (kind === 'datetime') {
    const regex = '^(\\d{4}-\\d{2}-\\d{2}([T ].*)?)?$';
    return [on('expect_column_values_to_match_regex', { regex }, 'ISO 8601 dates and times')];
  }
  if (lengths === null) return [];
  const shortest = column.missing > 0 ? 0 : lengths.min;
  const kwargs = { min_value: shortest, max_value: lengths.max };
  return [on('expect_column_value_lengths_to_be_between', kwargs, 'shortest and longest found')];
}
