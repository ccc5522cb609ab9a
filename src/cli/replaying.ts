/** `simulate --replay`: a recorded history against the machine, the differences for people and as lines. */
import type { JsonObject } from '../lib/json.js';
import { defaultResponder } from '../simulate/mocks/defaults.js';
import { type Difference, titleOf } from '../simulate/replay/diff.js';
import { readHistory } from '../simulate/replay/history-file.js';
import { type Replay, type ReplayOptions, replay } from '../simulate/replay/replay.js';
import { readDocument } from '../simulate/documents.js';
import { emitResult } from './driving.js';
import { emit, print } from './output.js';
import { EXIT } from './problem.js';
import { bold, dim, green, red, yellow } from './style.js';

const SHOWN = 20;

export async function replayFile(
  path: string,
  text: string,
  options: Omit<ReplayOptions, 'definition' | 'history'> & { readonly json: boolean },
): Promise<number> {
  const history = readHistory(await readDocument(path, 'history'), path);
  const definition = JSON.parse(text) as JsonObject;
  const result = await replay({
    ...options,
    definition: text,
    history,
    responders: [defaultResponder(definition)],
  });
  if (options.json) tellLines(result);
  else tellPeople(result, path);
  return result.diff.differences.length === 0 ? EXIT.succeeded : EXIT.failed;
}

function tellLines({ diff, simulation }: Replay): void {
  for (const difference of diff.differences) emit({ type: 'difference', ...difference });
  const { outcome } = simulation.state;
  if (outcome !== null) emitResult(simulation.status, outcome, simulation.arn);
}

function tellPeople({ diff, newCalls, simulation }: Replay, path: string): void {
  const { differences, compared, truncated } = diff;
  if (differences.length === 0) {
    print(
      `${green(bold('SAME'))} all ${compared} events of ${path} come out again (${simulation.status})`,
    );
  } else {
    const many = truncated ? 'more than ' : '';
    print(
      `${red(bold('DIFFERENT'))} ${many}${differences.length} of ${compared} events differ from ${path}`,
    );
    for (const difference of differences.slice(0, SHOWN)) tellDifference(difference, print);
    if (differences.length > SHOWN) print(dim(`… ${differences.length - SHOWN} more`));
  }
  if (newCalls > 0)
    print(yellow(`${newCalls} calls are not in the history; their answers are made up.`));
}

function tellDifference(
  { actual, fields, kind, recorded, thread }: Difference,
  print: (text: string) => void,
): void {
  const place = thread === '' ? '' : dim(` in ${thread}`);
  print('');
  if (kind === 'missing' && recorded !== null)
    print(`${red('- recorded')} ${titleOf(recorded)}${place}`);
  if (kind === 'unexpected' && actual !== null)
    print(`${green('+ simulated')} ${titleOf(actual)}${place}`);
  if (kind !== 'changed' || recorded === null) return;
  print(`${yellow('~ changed')} ${titleOf(recorded)}${place}`);
  for (const field of fields.slice(0, SHOWN)) {
    print(`    ${field.pointer}`);
    print(`      ${red(`- ${shown(field.recorded)}`)}`);
    print(`      ${green(`+ ${shown(field.actual)}`)}`);
  }
}

function shown(value: unknown): string {
  if (value === undefined) return '(absent)';
  const text = JSON.stringify(value);
  return text.length > 300 ? `${text.slice(0, 297)}...` : text;
}
