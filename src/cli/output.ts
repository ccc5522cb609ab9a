/** What commands put on standard output: lines for people, JSON lines for programs. */

export function print(line = ''): void {
  process.stdout.write(`${line}\n`);
}

/** One JSON line. */
export function emit(value: unknown): void {
  print(JSON.stringify(value));
}
