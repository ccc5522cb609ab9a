/**
 * Coverage as one HTML file without scripts or anything from elsewhere: the picture of each machine
 * with what was reached, and every place with how often and by which scenarios. All text is escaped.
 */
import { graphOf } from '../../graph/model.js';
import { overlayOf, type NodeRun, type RunOverlay } from '../../graph/run.js';
import { svg } from '../../graph/svg.js';
import {
  type CoverageReport,
  percentOf,
  type Reached,
  type Total,
} from '../../simulate/coverage/coverage.js';
import { KINDS } from '../../simulate/coverage/places.js';
import type { Machine, ScenarioResult } from '../../simulate/scenarios/suite.js';
import { xml } from './machine-reporters.js';
import { countsOf, type Outcome } from './reporter.js';

const STYLE = `
:root{--ink:#1b2430;--soft:#5d6b7c;--ground:#fff;--line:#d9e0e8;--good:#1a7f4b;--bad:#c0392b;--mid:#b7791f;--tint:#f5f7fa}
@media(prefers-color-scheme:dark){:root{--ink:#e6ebf2;--soft:#9aa7b8;--ground:#12171e;--line:#2b3542;--good:#4ac585;--bad:#f0776a;--mid:#e0b252;--tint:#1a212b}}
*{box-sizing:border-box}body{margin:0 auto;max-width:1080px;padding:32px 24px;font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground)}
h1{font-size:24px;margin:0 0 4px}h2{font-size:19px;margin:40px 0 8px}p{margin:4px 0;color:var(--soft)}
table{border-collapse:collapse;width:100%;margin:12px 0}th,td{text-align:left;padding:6px 10px;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600;color:var(--soft);font-size:13px}td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.bar{display:block;width:160px;height:8px;border-radius:4px;background:var(--line);overflow:hidden}.bar i{display:block;height:100%;background:var(--good)}
.bar.mid i{background:var(--mid)}.bar.bad i{background:var(--bad)}tr.miss td:first-child{border-left:3px solid var(--bad)}tr.hit td:first-child{border-left:3px solid var(--good)}
.kind{color:var(--soft);font-size:13px}.by{color:var(--soft);font-size:13px}.picture{overflow:auto;border:1px solid var(--line);border-radius:8px;padding:8px;background:var(--tint);margin:12px 0}
.picture svg{max-width:100%;height:auto}code{font:13px ui-monospace,monospace}`;

export function coverageHtml(outcome: Outcome): string {
  const { failed, passed, skipped } = countsOf(outcome.results);
  const parts = outcome.machines.map((machine) => section(machine, outcome.results));
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>Coverage of state machines</title><style>${STYLE}</style></head><body>
<h1>Coverage of state machines</h1>
<p>${passed} scenarios passed, ${failed} failed, ${skipped} skipped</p>
${parts.join('\n')}
</body></html>
`;
}

function section(machine: Machine, results: readonly ScenarioResult[]): string {
  const report = machine.coverage.report([...machine.ignoreCoverage]);
  const percent = percentOf(report.total);
  return `<section><h2>${xml(machine.name)} · ${percent} %</h2>
<p><code>${xml(machine.path)}</code></p>
${summary(report)}
<div class="picture">${picture(machine, results, percent)}</div>
<table><thead><tr><th>Place</th><th>Kind</th><th>Reached</th><th>By</th></tr></thead><tbody>
${report.places.map(row).join('\n')}
</tbody></table></section>`;
}

function summary({ totals, total }: CoverageReport): string {
  const lines = KINDS.map(([kind, title]) => [title, totals[kind]] as const).filter(
    ([, one]) => one.all > 0,
  );
  const rows = [...lines, ['all', total] as const].map(([title, one]) => totalRow(title, one));
  return `<table><tbody>${rows.join('')}</tbody></table>`;
}

function totalRow(title: string, total: Total): string {
  const percent = percentOf(total);
  const tone = percent === 100 ? '' : percent >= 80 ? ' mid' : ' bad';
  return `<tr><td>${xml(title)}</td><td class="n">${total.covered} / ${total.all}</td><td><span class="bar${tone}"><i style="width:${percent}%"></i></span></td><td class="n">${percent} %</td></tr>`;
}

function row({ by, hits, kind, title }: Reached): string {
  const names = by.length === 0 ? 'no scenario' : by.join(', ');
  return `<tr class="${hits > 0 ? 'hit' : 'miss'}"><td>${xml(title)}</td><td class="kind">${kind}</td><td class="n">${hits}</td><td class="by">${xml(names)}</td></tr>`;
}

/** The machine with all its runs laid over each other. */
function picture(machine: Machine, results: readonly ScenarioResult[], percent: number): string {
  const overlays = results
    .filter((result) => result.machine === machine)
    .flatMap(({ run }) => [...(run?.journals.values() ?? [])].map((facts) => overlayOf(facts)));
  if (overlays.length === 0)
    return svg(graphOf(machine.definition), { title: machine.name, runs: [] });
  return svg(graphOf(machine.definition), {
    title: machine.name,
    runs: [together(overlays)],
    heading: `${machine.name} · ${percent} % reached`,
  });
}

function together(overlays: readonly RunOverlay[]): RunOverlay {
  const nodes = new Map<string, NodeRun>();
  const edges = new Map<string, number>();
  for (const overlay of overlays) {
    for (const [name, run] of overlay.nodes) {
      const known = nodes.get(name);
      nodes.set(
        name,
        known === undefined
          ? { ...run, status: 'succeeded' }
          : {
              ...known,
              visits: known.visits + run.visits,
              retries: known.retries + run.retries,
              totalMs: known.totalMs + run.totalMs,
              failures: known.failures + run.failures,
            },
      );
    }
    for (const [edge, count] of overlay.edges) edges.set(edge, (edges.get(edge) ?? 0) + count);
  }
  return {
    title: '',
    status: 'SUCCEEDED',
    visits: overlays.flatMap(({ visits }) => visits),
    nodes,
    edges,
  };
}
