/** Limits of the data steps. Each has our reason beside it; nothing here is an AWS quota. */

/** A longer line is a wrong format or a bomb, not a row. */
export const LINE_BYTES_MAX = 16 * 1024 * 1024;
/** A quoted CSV field may span lines; past this the opening quote is taken for a stray one. */
export const CSV_RECORD_LINES_MAX = 1_000;
export const CSV_RECORD_CHARACTERS_MAX = 1024 * 1024;
/** RELIABILITY section 6: wide files are columnar bombs. */
export const COLUMNS_MAX = 1_000;
/** Bytes a source may deliver after decompression, so that a small file cannot fill a disk. */
export const SOURCE_BYTES_MAX = 64 * 1024 ** 3;
/** Output over input of a gzip stream, once it has delivered enough to tell. */
export const GZIP_RATIO_MAX = 1_000;
export const GZIP_RATIO_CHECK_BYTES = 64 * 1024 * 1024;
/** A JSON document that is not an array at its top must be parsed whole. */
export const WHOLE_JSON_BYTES_MAX = 256 * 1024 * 1024;
/** Nesting of one cell; RELIABILITY section 5. */
export const CELL_DEPTH_MAX = 256;
/** Broken rows shown to a person; all are counted. */
export const BAD_ROWS_SHOWN = 10;
/** Characters of a broken row that are shown. */
export const BAD_ROW_CHARACTERS_SHOWN = 200;
/** A body that sends nothing for this long is unreachable. */
export const IDLE_TIMEOUT_MS = 30_000;
/** Rows a server-side cursor returns at once: flat memory, few round trips. */
export const CURSOR_ROWS = 2_000;
/** Rows between two progress reports. */
export const PROGRESS_ROWS = 10_000;
/** Preprocess holds the cleaned rows in memory to split them independently of their order. */
export const SPLIT_ROWS_MAX = 5_000_000;
export const SPLIT_CHARACTERS_MAX = 1024 ** 3;
