/** Journals that earlier releases wrote fold to what they folded to then. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type Golden, goldenOf } from '../golden/golden.js';

const FOLDER = fileURLToPath(new URL('../golden/', import.meta.url));
const releases = readdirSync(FOLDER, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

function journalsOf(release: string): readonly Golden[] {
  const file = `${FOLDER}${release}/journals.jsonl`;
  const text = existsSync(file) ? readFileSync(file) : gunzipSync(readFileSync(`${file}.gz`));
  const lines = text.toString('utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Golden);
}

describe.each(releases)('journals of %s', (release) => {
  const journals = journalsOf(release);

  it(`all ${journals.length} fold to the same`, () => {
    for (const golden of journals) {
      const { state, history } = goldenOf(golden.name, golden.facts);
      const recorded = { state: golden.state, history: golden.history };
      expect({ state, history }, golden.name).toEqual(recorded);
    }
  });
});

it('more than a thousand journals are kept', () => {
  expect(releases.flatMap(journalsOf).length).toBeGreaterThan(1_000);
});
