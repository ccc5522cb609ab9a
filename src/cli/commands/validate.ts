/** `stepwell validate`: what AWS would say of a definition, and what else is likely wrong with it. */
import type { Command } from 'commander';
import { validateDefinition } from '../../core/validate.js';
import { describeDiagnostic, readMachine } from '../input.js';
import { emit, print } from '../output.js';
import { EXIT } from '../problem.js';
import { green, red, yellow } from '../style.js';

interface ValidateOptions {
  readonly express?: boolean;
  readonly strict?: boolean;
  readonly json?: boolean;
}

const HELP = `
Errors are AWS's, warnings are ours. Exit status: 0 all are accepted, 2 one is refused.
Examples:
  stepwell validate state-machines/*.asl.json
  stepwell validate order.asl.json --json | jq .diagnostics`;

export function addValidate(program: Command): void {
  program
    .command('validate')
    .argument('<machine...>', 'files with ASL definitions')
    .description('check state machines as AWS does; exit status 2 when one is refused')
    .option('--strict', 'refuse what AWS would refuse', false)
    .option('--express', 'check as an Express state machine', false)
    .option('--json', 'print one line of JSON a machine', false)
    .addHelpText('after', HELP)
    .action(async (paths: string[], options: ValidateOptions) => {
      for (const path of paths) {
        if (!(await validate(path, options))) process.exitCode = EXIT.badInput;
      }
    });
}

async function validate(path: string, options: ValidateOptions): Promise<boolean> {
  const machine = await readMachine(path);
  const { diagnostics } = validateDefinition(machine.text, {
    type: options.express ? 'EXPRESS' : 'STANDARD',
    strict: options.strict ?? false,
  });
  const ok = diagnostics.every((diagnostic) => diagnostic.severity !== 'ERROR');
  if (options.json) {
    emit({ path, result: ok ? 'OK' : 'FAIL', diagnostics });
    return ok;
  }
  print(`${ok ? green('valid') : red('not valid')} ${path}`);
  for (const diagnostic of diagnostics) {
    const mark = diagnostic.severity === 'ERROR' ? red('error') : yellow('warning');
    print(`  ${mark} ${describeDiagnostic(diagnostic)}`);
  }
  return ok;
}
