/** Coverage for a terminal: a line for each machine and kind of place, then what no scenario has reached. */
import { percentOf } from '../../simulate/coverage/coverage.js';
import { KINDS } from '../../simulate/coverage/places.js';
import type { Machine } from '../../simulate/scenarios/suite.js';
import { bar, bold, dim, green, red, yellow } from '../style.js';

const MAX_SHOWN = 40;

export function coverageText(machines: readonly Machine[]): string {
  const lines: string[] = [];
  for (const { coverage, ignoreCoverage, name, path } of machines) {
    const report = coverage.report([...ignoreCoverage]);
    const percent = percentOf(report.total);
    lines.push('', `${bold(name)} ${painted(percent, `${percent} %`)} ${dim(path)}`);
    for (const [kind, title] of KINDS) {
      const total = report.totals[kind];
      if (total.all === 0) continue;
      const share = percentOf(total);
      const counts = `${total.covered}/${total.all}`.padStart(9);
      lines.push(
        `  ${title.padEnd(20)}${counts}  ${painted(share, bar(total.covered, total.all, 20))} ${share} %`,
      );
    }
    const missing = report.places.filter(({ hits }) => hits === 0);
    if (missing.length > 0) lines.push(`  ${yellow('not reached')}`);
    for (const { id, title } of missing.slice(0, MAX_SHOWN)) lines.push(`    ${title}  ${dim(id)}`);
    if (missing.length > MAX_SHOWN) lines.push(dim(`    … ${missing.length - MAX_SHOWN} more`));
  }
  return `${lines.join('\n')}\n`;
}

function painted(percent: number, text: string): string {
  if (percent === 100) return green(text);
  return percent >= 80 ? yellow(text) : red(text);
}
