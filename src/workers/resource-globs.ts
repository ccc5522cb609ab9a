/** Which resources a process serves: globs such as `ml:*`, and exceptions written `!ml:*`. */

export interface ResourceGlobs {
  /** As given; names the pool. */
  readonly globs: readonly string[];
  serves(resource: string): boolean;
}

const MAX_GLOBS = 64;
const MAX_GLOB_LENGTH = 512;

/** Nothing but exceptions means everything else. Throws a RangeError that names the wrong glob. */
export function resourceGlobs(globs: readonly string[]): ResourceGlobs {
  if (globs.length > MAX_GLOBS) throw new RangeError(`At most ${MAX_GLOBS} globs may be given.`);
  for (const glob of globs) {
    if (glob.replace(/^!/, '') === '' || glob.length > MAX_GLOB_LENGTH || /\s/.test(glob)) {
      throw new RangeError(`"${glob}" is no glob of resources: write one such as 'ml:*'.`);
    }
  }
  const not = globs.filter((glob) => glob.startsWith('!')).map((glob) => matcher(glob.slice(1)));
  const written = globs.filter((glob) => !glob.startsWith('!'));
  const yes = (written.length === 0 ? ['*'] : written).map(matcher);
  return {
    globs: [...globs].sort(),
    serves: (resource) => {
      const names = namesOf(resource);
      const any = (matches: (name: string) => boolean): boolean => names.some(matches);
      return yes.some(any) && !not.some(any);
    },
  };
}

/** `arn:aws:states:::ml:ingest` is meant by `ml:*` too. */
function namesOf(resource: string): readonly string[] {
  const short = /^arn:[^:]*:states:::(.+)$/.exec(resource)?.[1];
  return short === undefined ? [resource] : [resource, short];
}

/** `*` stands for any text; everything else is literal. Linear in the length of the name. */
function matcher(glob: string): (name: string) => boolean {
  const parts = glob.split('*');
  const first = parts[0] ?? '';
  const last = parts.at(-1) ?? '';
  if (parts.length === 1) return (name) => name === glob;
  return (name) => {
    if (!name.startsWith(first) || !name.endsWith(last)) return false;
    let at = first.length;
    const end = name.length - last.length;
    for (const part of parts.slice(1, -1)) {
      const found = name.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return at <= end;
  };
}
