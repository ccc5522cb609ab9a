/** Records the golden journals of a release: `npx tsx test/golden/record.ts 0.1.0`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CORPUS } from '../sim/corpus.js';
import { generateMachine } from '../sim/generator.js';
import { runMachine } from '../support/run-machine.js';
import { type Golden, goldenOf } from './golden.js';

const [release] = process.argv.slice(2);
if (release === undefined) throw new Error('Which release? npx tsx test/golden/record.ts 0.1.0');
const folder = fileURLToPath(new URL(`./${release}/`, import.meta.url));

const RANDOM = 60;
/** Long journals say nothing more. */
const MAX_FACTS = 120;

const machines = [
  ...Object.entries(CORPUS),
  ...Array.from({ length: RANDOM }, (_, index) => {
    const made = generateMachine(1000 + index);
    return [`random ${made.seed}`, made] as const;
  }),
];

mkdirSync(folder, { recursive: false });
const lines: string[] = [];
for (const [name, { definition, script, input }] of machines) {
  const run = await runMachine(definition, input ?? {}, script);
  if (run.facts.length > MAX_FACTS) continue;
  lines.push(JSON.stringify(goldenOf(name, run.facts) satisfies Golden));
  // Open journals must fold as well: what a crash half way leaves behind.
  const half = run.facts.slice(0, Math.ceil(run.facts.length / 2));
  lines.push(JSON.stringify(goldenOf(`${name}, half`, half) satisfies Golden));
}
writeFileSync(`${folder}journals.jsonl`, `${lines.join('\n')}\n`);
console.log(`${lines.length} journals in ${folder}`);
