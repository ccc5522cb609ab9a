/** Results for a person at a terminal, as they come. */
import { bold, cyan, dim, duration, green, red, yellow } from '../style.js';
import { countsOf, failureLines, type Reporter } from './reporter.js';

export function textReporter(write: (line: string) => void): Reporter {
  let file = '';
  return {
    onResult: (result) => {
      if (result.file !== file) {
        file = result.file;
        write(bold(file));
      }
      const { madeUp, run, scenario, status } = result;
      if (status === 'skipped') return write(`  ${cyan('○')} ${scenario.name} ${dim('skipped')}`);
      const took = run === null || run.tookMs === 0 ? '' : dim(` ${duration(run.tookMs)} virtual`);
      if (status === 'passed') return write(`  ${green('✓')} ${scenario.name}${took}`);
      write(`  ${red('✗')} ${bold(scenario.name)}${took} ${dim(scenario.pointer)}`);
      for (const line of failureLines(result)) write(`      ${coloured(line)}`);
      if (run !== null) write(dim(`      path ${run.pathTaken.join(' → ')}`));
      if (madeUp.length > 0) write(dim(`      made-up answers for ${madeUp.join(', ')}`));
    },
    onError: ({ message }) => write(`${red('error')} ${message}`),
    finish: ({ errors, ms, results }) => {
      const { failed, passed, skipped } = countsOf(results);
      const parts = [
        passed > 0 || failed === 0 ? green(`${passed} passed`) : '',
        failed > 0 ? red(`${failed} failed`) : '',
        skipped > 0 ? cyan(`${skipped} skipped`) : '',
        errors.length > 0 ? yellow(`${errors.length} files could not be used`) : '',
      ];
      return `\n${parts.filter((part) => part !== '').join(', ')} ${dim(`in ${duration(ms)}`)}\n`;
    },
  };
}

function coloured(line: string): string {
  if (line.startsWith('    - ')) return red(line);
  return line.startsWith('    + ') ? green(line) : line;
}
