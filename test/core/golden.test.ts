/** Journals that earlier releases wrote fold to what they folded to then. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type Golden, goldenOf } from '../golden/golden.js';

const FOLDER = fileURLToPath(new URL('../golden/', import.meta.url));
const releases = readdirSync(FOLDER, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

describe.each(releases)('journals of %s', (release) => {
  const lines = readFileSync(`${FOLDER}${release}/journals.jsonl`, 'utf8').trim().split('\n');
  const journals = lines.map((line) => JSON.parse(line) as Golden);

  it.each(journals.map((golden) => [golden.name, golden] as const))('%s', (name, golden) => {
    const { state, history } = goldenOf(name, golden.facts);
    expect({ state, history }).toEqual({ state: golden.state, history: golden.history });
  });
});
