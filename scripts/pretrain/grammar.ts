/**
 * The lexicon files as an expandable grammar: `[a|b]` picks one (nesting allowed), `{name}` expands
 * an entry of a word list. Domain lists hide generic lists of the same name.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SeededRandom } from '../../src/ml/onnx/seeded-random.js';

type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'choice'; readonly options: readonly Template[] }
  | { readonly kind: 'list'; readonly name: string };
export type Template = readonly Part[];
export type Lists = ReadonlyMap<string, readonly Template[]>;

/** What a clause says: praise, complaint, fact or balance, question or request. */
export type ClauseKind = '+' | '-' | '=' | '?';

export interface Domain {
  readonly name: string;
  readonly lists: Lists;
  readonly clauses: Readonly<Record<ClauseKind, readonly Template[]>>;
}

export interface Lexicon {
  readonly words: Lists;
  readonly generic: Domain;
  /** Single leaning words and everyday nouns in simple frames. */
  readonly valence: Domain;
  /** Whole situations, of any trade. */
  readonly situations: Domain;
  /** Clauses whose single words mislead. */
  readonly hard: Domain;
  readonly domains: readonly Domain[];
}

const FOLDER = join(import.meta.dirname, 'lexicon');

export function readLexicon(): Lexicon {
  const domains: Domain[] = [];
  for (const file of readdirSync(FOLDER).sort()) {
    if (file === 'words.txt') continue;
    for (const domain of parseDomains(readFileSync(join(FOLDER, file), 'utf8'))) {
      const known = domains.findIndex(({ name }) => name === domain.name);
      if (known < 0) domains.push(domain);
      else domains[known] = merged(domains[known]!, domain);
    }
  }
  const section = (name: string): Domain => {
    const domain = domains.find((candidate) => candidate.name === name);
    if (domain === undefined) throw new Error(`The lexicon has no section called ${name}`);
    return domain;
  };
  const shared = ['any', 'valence', 'situations', 'hard'].map(section);
  const [generic, valence, situations, hard] = shared as [Domain, Domain, Domain, Domain];
  return {
    words: parseLists(readFileSync(join(FOLDER, 'words.txt'), 'utf8').split('\n')),
    generic,
    valence,
    situations,
    hard,
    domains: domains.filter((domain) => !shared.includes(domain)),
  };
}

/** Expands a template; throws on an unknown list, which is a mistake in a lexicon file. */
export function expand(template: Template, lists: readonly Lists[], random: SeededRandom): string {
  let text = '';
  for (const part of template) {
    if (part.kind === 'text') text += part.text;
    else if (part.kind === 'choice') text += expand(random.pick(part.options), lists, random);
    else text += expand(random.pick(findList(part.name, lists)), lists, random);
  }
  return text;
}

function findList(name: string, lists: readonly Lists[]): readonly Template[] {
  for (const candidate of lists) {
    const list = candidate.get(name);
    if (list !== undefined) return list;
  }
  throw new Error(`The lexicon has no list called ${name}`);
}

/** Parses one template. Throws on an unclosed bracket or brace. */
export function parseTemplate(source: string): Template {
  let offset = 0;
  const sequence = (stops: string): Template => {
    const parts: Part[] = [];
    let text = '';
    const flush = (): void => {
      if (text !== '') parts.push({ kind: 'text', text });
      text = '';
    };
    while (offset < source.length && !stops.includes(source[offset]!)) {
      const character = source[offset++]!;
      if (character === '{') {
        flush();
        const end = source.indexOf('}', offset);
        if (end < 0) throw new Error(`Unclosed brace in the template: ${source}`);
        parts.push({ kind: 'list', name: source.slice(offset, end) });
        offset = end + 1;
      } else if (character === '[') {
        flush();
        const options = [sequence('|]')];
        while (source[offset] === '|') {
          offset++;
          options.push(sequence('|]'));
        }
        if (source[offset++] !== ']') throw new Error(`Unclosed bracket in: ${source}`);
        parts.push({ kind: 'choice', options });
      } else text += character;
    }
    flush();
    return parts;
  };
  return sequence('');
}

function parseLists(lines: readonly string[]): Lists {
  const lists = new Map<string, readonly Template[]>();
  for (const line of lines) {
    const match = /^(\w+): (.+)$/.exec(line);
    if (match !== null) lists.set(match[1]!, match[2]!.split(' | ').map(parseTemplate));
  }
  return lists;
}

/** Two sections of one name: the lists of the first, the clauses of both. */
function merged(first: Domain, second: Domain): Domain {
  const both = (kind: ClauseKind): Template[] => [...first.clauses[kind], ...second.clauses[kind]];
  const clauses = { '+': both('+'), '-': both('-'), '=': both('='), '?': both('?') };
  return { ...first, lists: new Map([...second.lists, ...first.lists]), clauses };
}

function parseDomains(text: string): Domain[] {
  return text
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [name = '', ...lines] = section.split('\n');
      const clauses = (kind: ClauseKind): Template[] =>
        lines
          .filter((line) => line.startsWith(`${kind} `))
          .map((line) => parseTemplate(line.slice(2).trim()));
      return {
        name: name.trim(),
        lists: parseLists(lines),
        clauses: { '+': clauses('+'), '-': clauses('-'), '=': clauses('='), '?': clauses('?') },
      };
    });
}
