/** What is wrong with a mock or scenario file: the place, the reason and, where known, the mend. */
import { didYouMean } from '../../lib/suggest.js';

export interface FileProblem {
  /** JSON pointer into the file. */
  readonly pointer: string;
  readonly message: string;
  readonly severity: 'error' | 'warning';
}

export class FileProblems extends Error {
  override readonly name = 'FileProblems';
  constructor(
    readonly source: string,
    readonly problems: readonly FileProblem[],
  ) {
    const shown = problems.map(({ pointer, message }) => `  ${pointer || '/'}: ${message}`);
    super(`${source} cannot be used:\n${shown.join('\n')}`);
  }
}

/** Collects problems while a file is read. */
export class Problems {
  readonly list: FileProblem[] = [];

  error(pointer: string, message: string): void {
    this.list.push({ pointer, message, severity: 'error' });
  }

  warn(pointer: string, message: string): void {
    this.list.push({ pointer, message, severity: 'warning' });
  }

  /** Names every key that is not known. */
  unknownKeys(value: object, known: readonly string[], pointer: string): void {
    for (const key of Object.keys(value)) {
      if (known.includes(key)) continue;
      this.error(at(pointer, key), `There is no "${key}" here.${didYouMean(key, known)}`);
    }
  }

  /** Throws when there are errors. */
  refuse(source: string): void {
    const errors = this.list.filter(({ severity }) => severity === 'error');
    if (errors.length > 0) throw new FileProblems(source, errors);
  }
}

/** The pointer one step further. */
export function at(pointer: string, key: string | number): string {
  return `${pointer}/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}
