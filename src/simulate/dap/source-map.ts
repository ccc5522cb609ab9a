/** Where states stand in the text of a definition: from a state to its lines, from a line to its state. */

export interface StateRange {
  readonly state: string;
  /** Of the member in `States`; lines and columns count from 1. */
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
}

/** The text is valid JSON. Inner states come after those around them. */
export function stateRanges(text: string): readonly StateRange[] {
  const scanner = new Scanner(text);
  scanner.value([]);
  return scanner.ranges.sort(
    (a, b) => a.line - b.line || b.endLine - a.endLine || a.column - b.column,
  );
}

/** The innermost state whose lines contain this one; null outside all states. */
export function stateAtLine(ranges: readonly StateRange[], line: number): StateRange | null {
  return ranges.findLast((range) => range.line <= line && line <= range.endLine) ?? null;
}

class Scanner {
  readonly ranges: StateRange[] = [];
  private at = 0;
  private line = 1;
  private lineStart = 0;

  constructor(private readonly text: string) {}

  value(path: readonly string[]): void {
    this.space();
    const char = this.text[this.at];
    if (char === '{') this.object(path);
    else if (char === '[') this.array(path);
    else if (char === '"') this.string();
    else
      while (this.at < this.text.length && !/[\s,\]}]/.test(this.text[this.at] as string))
        this.at++;
  }

  private object(path: readonly string[]): void {
    this.at++;
    for (this.space(); this.at < this.text.length && this.text[this.at] !== '}'; this.space()) {
      const { line } = this;
      const column = this.at - this.lineStart + 1;
      const name = this.string();
      this.space();
      this.at++;
      this.value([...path, name]);
      // A member of a `States` map is a state; a state of that name has no `States` right below it.
      if (path.at(-1) === 'States' && isStatesMap(path)) {
        this.ranges.push({ state: name, line, column, endLine: this.line });
      }
      this.space();
      if (this.text[this.at] === ',') this.at++;
    }
    this.at++;
  }

  private array(path: readonly string[]): void {
    this.at++;
    let index = 0;
    for (this.space(); this.at < this.text.length && this.text[this.at] !== ']'; this.space()) {
      this.value([...path, String(index++)]);
      this.space();
      if (this.text[this.at] === ',') this.at++;
    }
    this.at++;
  }

  private string(): string {
    const from = this.at;
    for (this.at++; this.text[this.at] !== '"' && this.at < this.text.length; this.at++) {
      if (this.text[this.at] === '\\') this.at++;
    }
    this.at++;
    return JSON.parse(this.text.slice(from, this.at)) as string;
  }

  private space(): void {
    for (; this.at < this.text.length && /\s/.test(this.text[this.at] as string); this.at++) {
      if (this.text[this.at] !== '\n') continue;
      this.line++;
      this.lineStart = this.at + 1;
    }
  }
}

/** `States`, then any of `<state>/Branches/<n>/States` and `<state>/ItemProcessor/States`. */
function isStatesMap(path: readonly string[]): boolean {
  if (path[0] !== 'States') return false;
  for (let at = 1; at < path.length; ) {
    const inner = path[at + 1];
    if (inner === 'Branches' && path[at + 3] === 'States') at += 4;
    else if ((inner === 'ItemProcessor' || inner === 'Iterator') && path[at + 2] === 'States')
      at += 3;
    else return false;
  }
  return true;
}
