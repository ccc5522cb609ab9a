/**
 * StringMatches patterns: `*` is any run of characters, `\*` and `\\` are the characters
 * themselves. Matching looks for the fixed pieces from left to right, so it never backtracks.
 */
import { StatesError } from './scope.js';

export function compileWildcard(pattern: string): (text: string) => boolean {
  const pieces = splitPieces(pattern);
  if (pieces === null) {
    return () => {
      throw new StatesError(
        'States.Runtime',
        `The pattern '${pattern}' of StringMatches has an open escape sequence.`,
      );
    };
  }
  const first = pieces[0] as string;
  if (pieces.length === 1) return (text) => text === first;
  const last = pieces[pieces.length - 1] as string;
  const middle = pieces.slice(1, -1).filter((piece) => piece !== '');
  return (text) => {
    if (text.length < first.length + last.length) return false;
    if (!text.startsWith(first) || !text.endsWith(last)) return false;
    const end = text.length - last.length;
    let position = first.length;
    for (const piece of middle) {
      const found = text.indexOf(piece, position);
      if (found === -1 || found + piece.length > end) return false;
      position = found + piece.length;
    }
    return true;
  };
}

/** The fixed texts between the stars; null for a backslash at the end. */
function splitPieces(pattern: string): readonly string[] | null {
  const pieces = [''];
  for (let i = 0; i < pattern.length; i += 1) {
    const character = pattern[i] as string;
    if (character === '*') {
      pieces.push('');
      continue;
    }
    if (character === '\\') i += 1;
    if (i >= pattern.length) return null;
    pieces.push((pieces.pop() ?? '') + pattern[i]);
  }
  return pieces;
}
