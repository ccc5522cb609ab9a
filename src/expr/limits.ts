/**
 * Bounds of the expression languages. Text and data come from users, so every recursion and every
 * product of one expression is limited here.
 */

/** Jackson, which AWS parses JSON with, refuses documents nested deeper than this. */
export const MAX_NESTING = 1000;
/** Our reason: no real path is longer, and evaluation recurses once per token. */
export const MAX_PATH_TOKENS = 500;
/** Our reason: filters may contain paths that contain filters. */
export const MAX_FILTER_NESTING = 32;
/** AWS: up to 10 intrinsic functions nest within a field. Definitions with more are refused. */
export const MAX_INTRINSIC_NESTING = 10;
/** Our reason: parsing recurses. More than AWS allows, as earlier versions accepted such definitions. */
export const MAX_INTRINSIC_PARSED = 64;
/** AWS: States.ArrayRange may not return more than 1000 items. */
export const MAX_RANGE_ITEMS = 1000;
/** AWS: Base64 and Hash arguments hold at most 10,000 characters. */
export const MAX_INTRINSIC_CHARACTERS = 10_000;
/** AWS: a variable name holds at most 80 characters. */
export const MAX_VARIABLE_NAME = 80;
/** Measured on AWS: an expression nested 100 levels works, 101 fails. */
export const JSONATA_DEPTH = 100;
/**
 * Our reason: an evaluation takes one of few processors. Long enough for what AWS is known to accept
 * (a `$map` over 200,000 numbers) on a machine a few times slower than ours.
 */
export const JSONATA_TIMEOUT_MS = 1800;
/** Our reason: a long evaluation gives the event loop back this often. */
export const JSONATA_SLICE_MS = 20;
/** Our reason: what one regular expression of an evaluation may take of it. */
export const JSONATA_REGEX_MS = 500;
/** Measured on AWS: `[1..873782]` works and one element more exceeds its memory limit. */
export const JSONATA_SEQUENCE = 873_782;
/** Our reason: compiled expressions are kept; a server sees a bounded number of definitions. */
export const COMPILED_CACHE = 5000;
/** Measured on AWS: a string of 2^22 characters works, one of 2^23 exceeds its memory limit. */
export const JSONATA_STRING = 2 ** 22;
/**
 * Our reason: array elements and characters that one evaluation may make, all together. Half a
 * gigabyte at 8 bytes each, an eighth of a default heap; the largest range fits 70 times.
 */
export const JSONATA_ALLOCATIONS = 2 ** 26;
/** Our reason: a result may hold one large value many times and would be written out each time. */
export const JSONATA_RESULT = 2 ** 26;
