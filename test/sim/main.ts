import { runSchedule, setupOf } from './schedule.js';
const from = Number(process.argv[2] ?? 1), n = Number(process.argv[3] ?? 1);
const t0 = performance.now(); let commits = 0, faults = 0, fails = 0;
const kinds = new Map<string, number[]>();
for (let seed = from; seed < from + n; seed++) {
  const outcome = await runSchedule(setupOf(seed));
  commits += outcome.commits; faults += outcome.faults.length;
  if (outcome.error) { fails++; const k = String(outcome.error).replace(/[0-9a-f]{8}-[0-9a-f-]+|e\d|\d+/g,'#').slice(0, 150); (kinds.get(k) ?? kinds.set(k, []).get(k)!).push(seed); if (n < 3) console.log(outcome.error, JSON.stringify(outcome.faults)); }
}
const s = (performance.now() - t0) / 1000;
for (const [k, seeds] of kinds) console.log(seeds.length, k, seeds.slice(0, 6).join(','));
console.log({ fails, perS: n / s, commits: commits / n, faults: faults / n });
