/**
 * What README, docs/ and the help texts tell people to type exists: commands and their options, npm
 * scripts, resources, keys of the configuration, files and links.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { program } from '../../src/cli/program.js';
import { parseConfig } from '../../src/handlers/config/load.js';
import { CONFIG_SCHEMA, FUNCTION_SCHEMA } from '../../src/handlers/config/schema.js';
import { isObject, type Json } from '../../src/lib/json.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

const PAGES = [
  'README.md',
  'ARCHITECTURE.md',
  'models/stepwell-mini-bert/README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
].map((file) => ({ file, text: read(file) }));

/** Lines of code blocks, continued ones in one piece, and what stands between backticks. */
function codeOf(text: string): readonly string[] {
  const fence = /^ {0,3}```[^\n]*\n([\s\S]*?)^ {0,3}```/gm;
  const blocks = [...text.matchAll(fence)].map(([, block]) => block ?? '');
  const prose = text.replace(fence, '');
  const indented = prose.split('\n').filter((line) => line.startsWith('    '));
  const lines = [...blocks, indented.join('\n')]
    .join('\n')
    .replace(/\\\n\s*/g, '')
    .split('\n');
  const inline = [...prose.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code ?? '');
  return [...lines, ...inline];
}

/** Words of each call of `stepwell` in a line: up to a pipe, a comment, or prose behind wide blanks. */
function callsIn(line: string): readonly (readonly string[])[] {
  const calls = line.matchAll(/(?<![\w./-])stepwell ((?:'[^']*'|"[^"]*"|[^|&;#'"])*)/g);
  return [...calls].map(([, rest = '']) => {
    const typed = rest.replace(/\s{2,}(?=[^-\s]).*$/, (prose) => (/\s--/.test(prose) ? prose : ''));
    return typed.match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? [];
  });
}

/** What a call names that does not exist; null when all does. */
function unknownIn(root: Command, words: readonly string[]): string | null {
  let command = root;
  let at = 0;
  for (; at < words.length; at++) {
    const next = command.commands.find((one) => one.name() === words[at]);
    if (next === undefined) break;
    command = next;
  }
  const first = words[0] ?? '';
  if (at === 0 && /^[a-z][\w-]*$/.test(first)) return first;
  // `quarantine list / release ARN / remove ARN --yes` names several at once.
  const commands = words.includes('/') ? (command.parent ?? command).commands : [command];
  const known = commands.flatMap(({ options }) =>
    options.flatMap(({ long, short }) => [long ?? '', short ?? '']),
  );
  known.push('-h', '--help', '-V', '--version');
  const flags = words.flatMap(
    (word) => /^\[?(-[a-z]|--[a-z][a-z-]*)(?=[=\]]|$)/.exec(word)?.[1] ?? [],
  );
  return flags.find((flag) => !known.includes(flag)) ?? null;
}

function* withSubcommands(command: Command): Generator<Command> {
  yield command;
  for (const inner of command.commands) yield* withSubcommands(inner);
}

/** Help as a person sees it, with the examples behind it. */
function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => void (text += part) });
  command.outputHelp();
  return text;
}

const whole = await program();

describe('every command and option exists that is named in', () => {
  it('well over a hundred places', () => {
    expect(PAGES.flatMap(({ text }) => codeOf(text).flatMap(callsIn)).length).toBeGreaterThan(100);
  });

  it.each(PAGES)('$file', ({ text }) => {
    const calls = codeOf(text).flatMap(callsIn);
    const wrong = calls.filter((words) => unknownIn(whole, words) !== null);
    expect(wrong.map((words) => words.join(' '))).toEqual([]);
  });

  it('the help of every command, which has examples', () => {
    for (const command of withSubcommands(whole)) {
      const calls = helpOf(command)
        .split('\n')
        .filter((line) => /^ {2}(\$ )?(stepwell|printf) /.test(line))
        .flatMap(callsIn);
      const wrong = calls.filter((words) => unknownIn(whole, words) !== null);
      expect(wrong.map((words) => words.join(' '))).toEqual([]);
      if (command.parent === whole && command.name() !== 'run-task') {
        expect(calls.length, command.name()).toBeGreaterThan(0);
      }
    }
  });

  it('the commands of compose.yaml', () => {
    const commands = [...read('compose.yaml').matchAll(/command: (\["(?:serve|worker)".*\])/g)];
    expect(commands).toHaveLength(2);
    for (const [, words = '[]'] of commands) {
      expect(unknownIn(whole, JSON.parse(words) as string[])).toBeNull();
    }
  });
});

it('a command or option that does not exist is noticed', () => {
  const unknown = (line: string) => callsIn(line).map((words) => unknownIn(whole, words));
  expect(unknown('$ npx stepwell simulat x.json')).toEqual(['simulat']);
  expect(unknown('stepwell models promote m v1 --wy because')).toEqual(['--wy']);
  expect(unknown("stepwell fork a --set '$.x=--y' && stepwell fork a --sett b")).toEqual([
    null,
    '--sett',
  ]);
});

it('every npm script exists', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const named = PAGES.flatMap(({ text }) =>
    [...text.matchAll(/npm run ([a-z][a-z:-]*)/g)].map(([, name]) => name ?? ''),
  );
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
});

it('every ml: resource exists', () => {
  const handlers = readdirSync(join(ROOT, 'src/handlers/ml'), { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.ts'))
    .map((name) => read(join('src/handlers/ml', name)))
    .join('\n');
  const named = PAGES.flatMap(({ text }) => text.match(/(?<=`)ml:[a-z-]+[a-z](?=[` {])/g) ?? []);
  expect(named.length).toBeGreaterThan(50);
  expect(named.filter((name) => !handlers.includes(`'${name}'`))).toEqual([]);
});

it('every piece of configuration is accepted', () => {
  const keys = Object.keys(CONFIG_SCHEMA.properties as object);
  const pieces = PAGES.flatMap(({ text }) => [
    ...[...text.matchAll(/```json\n([\s\S]*?)```/g)].map(([, block]) => block ?? ''),
    ...[...text.matchAll(/`("[a-z]+": ?\{[^`]*)`/g)].map(([, inner]) => `{${inner}}`),
  ]).flatMap(parsed);
  const configurations = pieces.filter(
    (piece) =>
      isObject(piece) &&
      Object.entries(piece).every(([key, value]) => keys.includes(key) && isObject(value)),
  );
  expect(configurations.length).toBeGreaterThan(5);
  for (const piece of configurations) {
    expect(() => parseConfig(piece, { path: null, base: '/base' })).not.toThrow();
  }
});

it('every key of the configuration has its line in docs/configuration.md', () => {
  const page = read('docs/configuration.md');
  const keys = Object.keys(CONFIG_SCHEMA.properties as object);
  const options = Object.keys(FUNCTION_SCHEMA.properties as object);
  const missing = [...keys, ...options].filter(
    (key) => !page.includes(`\`${key}`) && !page.includes(`"${key}"`),
  );
  expect(missing).toEqual([]);
});

it.each(PAGES)('every file and link of $file exists', ({ file, text }) => {
  const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)?(?:#([\w-]+))?\)/g)];
  for (const [link, path, anchor] of links) {
    const target = path === undefined ? file : join(dirname(file), path);
    expect(existsSync(join(ROOT, target)), link).toBe(true);
    if (anchor !== undefined) expect(anchorsOf(read(target)), link).toContain(anchor);
  }
  const paths = text.match(
    /(?<=[\s`(])(?:src|test|bench|scripts|docs|state-machines|examples|functions)\/[\w./-]*\w/g,
  );
  expect((paths ?? []).filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});

/** As GitHub names headings. */
function anchorsOf(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .trim()
      .replace(/\s/g, '-'),
  );
}

function parsed(text: string): Json[] {
  try {
    return [JSON.parse(text) as Json];
  } catch {
    return [];
  }
}
