import { readdirSync, readFileSync } from 'node:fs'; import { loadTokenizer } from '../../src/ml/encoder/tokenizer.js';
const tok = loadTokenizer(process.argv[2]!, { maxLength: 999 }); let words = 0, split = 0, pieces = 0, unk = 0, n = 0; const lens: number[] = [];
for (const f of readdirSync('data/raw')) for (const l of readFileSync('data/raw/' + f, 'utf8').split('\n')) { const t = l.split('\t')[1]; if (!t) continue; n++; lens.push(tok(t).length);
 for (const w of t.toLowerCase().match(/[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu) ?? []) { const p = tok(w).slice(1, -1); words++; pieces += p.length; if (p.length > 1) split++; if (p.includes(1)) unk++; } }
lens.sort((a, b) => a - b); console.log({ n, words, splitShare: split / words, piecesPerWord: pieces / words, unk: unk / words, median: lens[n >> 1], p95: lens[Math.floor(n * .95)], max: lens.at(-1) });
