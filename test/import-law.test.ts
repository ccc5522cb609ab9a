/**
 * The import law (ARCHITECTURE, section 4): which folder of src may know which, read off the import
 * lines of every file. A row says what may be imported as values; types alone go a little further.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const SRC = fileURLToPath(new URL('../src/', import.meta.url));

interface Row {
  /** Folders, or files of a folder, whose values may be imported. */
  readonly values: readonly string[];
  /** The same for `import type`; values are included. */
  readonly types?: readonly string[];
  /** Modules of Node and npm: all when absent. */
  readonly modules?: readonly string[];
}

const LAW: Readonly<Record<string, Row>> = {
  lib: { values: [], modules: [] },
  expr: { values: ['lib'], modules: ['jsonata', 're2js'] },
  core: { values: ['lib', 'expr'], modules: [] },
  // The projection of a history folds the journal along: evolve is a pure function of core.
  wire: { values: ['lib', 'core/evolve'], types: ['core'], modules: [] },
  store: { values: ['lib'], types: ['core'] },
  // Pictures: a definition and a journal in, text out.
  graph: { values: ['lib', 'core/visits'], types: ['core'], modules: ['@dagrejs/dagre'] },
  // What a run did, inspected again by the code behind TestState.
  explain: { values: ['lib', 'core', 'expr', 'runtime/test-state'], modules: [] },
  ml: { values: ['lib'] },
  handlers: { values: ['lib', 'ml', 'serving/index'] },
  // The engine answers for histories: the projection is wire's, and pure.
  runtime: {
    values: ['lib', 'core', 'handlers/handler', 'wire/history'],
    types: ['store', 'wire'],
  },
  serving: { values: ['lib', 'ml'] },
  // Doctor, rebuild, backup: everything follows from the journals, so it folds and loads them.
  care: { values: ['lib', 'core', 'runtime'], types: ['store'] },
  // Other processes on the same store: queues and membership over Redis, behind runtime/peers.
  workers: {
    values: ['lib', 'store/redis-client', 'store/redis-url'],
    types: ['runtime', 'store', 'handlers/handler'],
  },
  schedule: { values: ['lib', 'runtime'], types: ['core', 'store'] },
  simulate: {
    // Mocks throw what handlers throw, and say in JSONata which call they are for.
    values: [
      'lib',
      'runtime',
      'core',
      'expr',
      'store/memory',
      'wire/history',
      'wire/describe',
      'wire/service-outputs',
      'handlers/handler',
      // Nested executions are started by the handler of production.
      'handlers/execution',
      'explain',
    ],
    types: ['handlers', 'store', 'wire'],
  },
  // Definitions are checked by core and read by expr: pure functions without state of the engine.
  api: {
    values: [
      'lib',
      'wire',
      'runtime',
      'schedule',
      'serving',
      'core/diagnostic',
      'core/validate',
      'core/resource',
      'expr',
      // Looking into executions: explanations, pictures, debug sessions.
      'explain',
      'graph',
      'simulate/debug',
      'simulate/mocks',
    ],
    types: ['core', 'store'],
  },
  cli: { values: [''] },
};

/** Single files that may import a module their folder may not. */
const MODULES_OF: Readonly<Record<string, readonly string[]>> = {
  'lib/digest.ts': ['node:crypto'],
  'lib/sigv4.ts': ['node:crypto'],
  'core/validate/structure.ts': ['ajv/dist/2020.js'],
  // The models of the services' answers lie in files.
  'wire/service-outputs/model.ts': ['node:fs'],
};

interface Import {
  readonly file: string;
  readonly from: string;
  readonly typesOnly: boolean;
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.ts'),
);

const imports = files.flatMap(importsOf);

function importsOf(file: string): Import[] {
  const text = readFileSync(join(SRC, file), 'utf8');
  const found: Import[] = [];
  for (const match of text.matchAll(
    /^(?:import|export)\s+(type\s)?([^;'"]*?)\s*from\s+'([^']+)'/gms,
  )) {
    const [, type, names = '', from = ''] = match;
    found.push({ file, from, typesOnly: type !== undefined || namesTypesOnly(names) });
  }
  for (const match of text.matchAll(/^import\s+'([^']+)'|\bimport\('([^']+)'\)/gm)) {
    found.push({ file, from: match[1] ?? match[2] ?? '', typesOnly: false });
  }
  return found;
}

/** `{ type A, type B }` brings nothing at run time. */
function namesTypesOnly(names: string): boolean {
  const inside = /^\{(.*)\}$/s.exec(names.trim())?.[1];
  if (inside === undefined) return false;
  return inside
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
    .every((name) => name.startsWith('type '));
}

/** Path below src, without its ending; null for a module of Node or npm. */
function targetOf({ file, from }: Import): string | null {
  if (!from.startsWith('.')) return null;
  return normalize(join(dirname(file), from)).replace(/\.js$/, '');
}

function isWithin(target: string, places: readonly string[]): boolean {
  return places.some((place) => place === '' || target === place || target.startsWith(`${place}/`));
}

function folderOf(path: string): string {
  return path.split('/')[0] ?? '';
}

function breaks(made: Import): boolean {
  const folder = folderOf(made.file);
  const row = LAW[folder];
  if (row === undefined) return true;
  const target = targetOf(made);
  if (target === null) {
    const allowed = row.modules;
    return (
      allowed !== undefined &&
      !allowed.includes(made.from) &&
      !(MODULES_OF[made.file] ?? []).includes(made.from)
    );
  }
  if (folderOf(target) === folder) return false;
  if (isWithin(target, row.values)) return false;
  return !(made.typesOnly && isWithin(target, row.types ?? []));
}

describe('the import law', () => {
  it('knows every folder of src', () => {
    const folders = new Set(files.map(folderOf));
    expect([...folders].filter((folder) => LAW[folder] === undefined)).toEqual([]);
  });

  it('is kept by every import', () => {
    expect(files.length).toBeGreaterThan(100);
    expect(imports.length).toBeGreaterThan(500);
    const broken = imports.filter(breaks).map(({ file, from }) => `${file} imports ${from}`);
    expect(broken).toEqual([]);
  });

  it('would notice a broken one', () => {
    const bad: readonly Import[] = [
      { file: 'core/decide.ts', from: 'node:fs', typesOnly: false },
      { file: 'core/decide.ts', from: '../runtime/clock.js', typesOnly: true },
      { file: 'expr/path.ts', from: '../core/state.js', typesOnly: true },
      { file: 'store/memory.ts', from: '../core/evolve.js', typesOnly: false },
      { file: 'runtime/engine.ts', from: '../store/memory.js', typesOnly: false },
      { file: 'runtime/engine.ts', from: '../handlers/registry.js', typesOnly: false },
      { file: 'handlers/ml/deploy.ts', from: '../../runtime/face.js', typesOnly: true },
      { file: 'nowhere/a.ts', from: '../lib/json.js', typesOnly: false },
    ];
    expect(bad.filter((made) => !breaks(made))).toEqual([]);
  });

  it('core and expr read no clock, draw no chance and write no log', () => {
    const forbidden =
      /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bconsole\.|\bprocess\.|\bsetTimeout\(/;
    const pure = files.filter((file) => /^(core|expr)\//.test(file));
    const found = pure.filter((file) =>
      forbidden.test(code(readFileSync(join(SRC, file), 'utf8'))),
    );
    expect(found.map((file) => relative('.', file))).toEqual([]);
  });
});

function code(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
}
