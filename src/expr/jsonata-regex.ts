/**
 * Regular expressions inside JSONata run on RE2: linear in the text, whatever the pattern.
 * The class has the shape of RegExp that jsonata's evaluator uses, and no more.
 */
import { type Matcher, RE2JS } from 're2js';
import { timedOut } from './jsonata-pace.js';
import { JSONATA_REGEX_MS } from './limits.js';

const compiled = new WeakMap<RegExp, RE2JS>();

/** Throws where RE2 cannot run a pattern (back-references and some lookarounds). */
export function compileRegex(pattern: RegExp): RE2JS {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  let flags = 0;
  if (pattern.flags.includes('i')) flags |= RE2JS.CASE_INSENSITIVE;
  if (pattern.flags.includes('m')) flags |= RE2JS.MULTILINE;
  const regex = RE2JS.compile(RE2JS.translateRegExp(pattern.source), flags);
  compiled.set(pattern, regex);
  return regex;
}

export class LinearRegExp {
  lastIndex = 0;
  private readonly regex: RE2JS;
  private matcher: Matcher | null = null;
  private text = '';
  private spentMs = 0;

  constructor(pattern: RegExp) {
    this.regex = compileRegex(pattern);
  }

  exec(text: string): (RegExpExecArray & { index: number }) | null {
    const before = performance.now();
    const found = this.find(text);
    this.spentMs += performance.now() - before;
    if (this.spentMs > JSONATA_REGEX_MS) throw timedOut();
    return found;
  }

  private find(text: string): (RegExpExecArray & { index: number }) | null {
    if (this.matcher === null || this.text !== text) {
      this.matcher = this.regex.matcher(text);
      this.text = text;
    }
    const { matcher } = this;
    if (this.lastIndex > text.length || !matcher.find(this.lastIndex)) {
      this.lastIndex = 0;
      return null;
    }
    const groups: (string | undefined)[] = [];
    for (let i = 0; i <= matcher.groupCount(); i += 1) groups.push(matcher.group(i) ?? undefined);
    this.lastIndex = matcher.end();
    return Object.assign(groups as unknown as RegExpExecArray, { index: matcher.start() });
  }
}
