/** Paths by their text: the definite beginning of a JSONPath, and every path that JSONata reads. */
import { parsePath } from '../../expr/path-parser.js';
import type { Location, Step } from './location.js';

export interface Steps {
  /** `$`, `$$` or `$name`. */
  readonly root: string;
  readonly location: Location;
  /** False: something else follows (a filter, a slice), and the steps only lead to it. */
  readonly whole: boolean;
}

/** The definite beginning of a path. */
export function stepsOf(text: string): Steps | undefined {
  try {
    const { root, tokens, variableName } = parsePath(text);
    const name = root === 'context' ? '$$' : root === 'variable' ? `$${variableName}` : '$';
    const location: Step[] = [];
    let whole = true;
    for (const token of tokens) {
      if (token.kind === 'scan') {
        // Somewhere below: the nearest place will do.
        whole = false;
        continue;
      }
      if (token.kind === 'property' && token.names.length === 1)
        location.push(token.names[0] as string);
      else if (token.kind === 'index' && token.indexes.length === 1)
        location.push(token.indexes[0] as number);
      else return { root: name, location, whole: false };
    }
    return { root: name, location, whole };
  } catch {
    return undefined;
  }
}

const JSONATA_PATH =
  /\$states\.(input|result|errorOutput|context)((?:\.(?:[A-Za-z_]\w*|`[^`]+`)|\[\s*-?\d+\s*\])*)|\$([A-Za-z_]\w*)((?:\.(?:[A-Za-z_]\w*|`[^`]+`)|\[\s*-?\d+\s*\])*)(?!\w|\s*\()/g;

export interface JsonataPath {
  /** `input`, `result`, `errorOutput`, `context`, or `$name`. */
  readonly root: string;
  readonly location: Location;
  /** The function that it is the first argument of: `$number`. */
  readonly argumentOf: string | null;
}

/** Every path that JSONata text reads, by its form. */
export function jsonataPaths(text: string): readonly JsonataPath[] {
  return [...text.matchAll(JSONATA_PATH)].flatMap((match) => {
    const [, member, steps = '', variable, more = ''] = match;
    if (variable === 'states') return [];
    const root = member ?? `$${variable}`;
    const argumentOf = /(\$\w+)\(\s*$/.exec(text.slice(0, match.index))?.[1] ?? null;
    return [{ root, location: jsonataSteps(member === undefined ? more : steps), argumentOf }];
  });
}

export function jsonataSteps(text: string): Location {
  return [...text.matchAll(/\.([A-Za-z_]\w*)|\.`([^`]+)`|\[\s*(-?\d+)\s*\]/g)].map(
    ([, name, quoted, index]) => (index === undefined ? (name ?? quoted ?? '') : Number(index)),
  );
}
