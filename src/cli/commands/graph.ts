/** `stepwell graph`: a machine, or what a run did, as a picture. */
import { writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { divergenceOf } from '../../graph/compare.js';
import { mermaid } from '../../graph/mermaid.js';
import { graphOf } from '../../graph/model.js';
import { overlayOf } from '../../graph/run.js';
import { svg } from '../../graph/svg.js';
import { type Paint, terminalGraph } from '../../graph/terminal.js';
import type { JsonObject } from '../../lib/json.js';
import { checkMachine, readMachine } from '../input.js';
import { type KeptExecution, readExecution, withStore } from '../kept.js';
import { emit } from '../output.js';
import { Problem } from '../problem.js';
import { STORE_OPTION } from '../store-option.js';
import { bold, cyan, dim, green, red, yellow } from '../style.js';

interface GraphOptions {
  readonly format?: string;
  readonly output?: string;
  readonly run?: string;
  readonly compare?: string;
  readonly store?: string;
  readonly json?: boolean;
}

const FORMATS = ['terminal', 'mermaid', 'svg'] as const;
type Format = (typeof FORMATS)[number];

export function addGraph(program: Command): void {
  program
    .command('graph')
    .argument('<machine|execution>', 'file with the ASL definition, or name or ARN of an execution')
    .description('draw a state machine, and what a run of it did')
    .option('--format <format>', `${FORMATS.join(', ')} (default: by the ending of -o)`)
    .option('-o, --output <file>', 'write to this file instead of standard output')
    .option('--run <execution>', 'lay this execution over the machine')
    .option('--compare <execution>', 'a second execution beside it, and where they part first')
    .option(...STORE_OPTION)
    .option('--json', 'print one line with the picture as a member', false)
    .addHelpText(
      'after',
      `
Examples:
  $ stepwell graph state-machines/hello.asl.json
  $ stepwell graph state-machines/fan-out.asl.json -o fan-out.svg
  $ stepwell graph run-1a2b3c4d5e --format mermaid
  $ stepwell graph run-1a2b3c4d5e --compare run-1a2b3c4d5e-2 -o both.svg`,
    )
    .action(async (what: string, options: GraphOptions) => {
      await draw(what, options);
    });
}

async function draw(what: string, options: GraphOptions): Promise<void> {
  const format = formatOf(options);
  const { title, definition, runs } = await subject(what, options);
  const graph = graphOf(definition);
  const [left, right] = runs;
  const divergence =
    left === undefined || right === undefined ? undefined : divergenceOf(left.facts, right.facts);
  const overlays = runs.map(({ facts }) => overlayOf(facts));
  const said =
    divergence === undefined ? '' : (divergence?.said ?? 'Both runs did the same, step by step.');
  const picture = (): string => {
    if (format === 'svg') {
      return svg(graph, {
        title,
        runs: overlays,
        ...(divergence === undefined ? {} : { divergence }),
      });
    }
    const one = (overlay: (typeof overlays)[number] | null): string => {
      if (format === 'mermaid') return mermaid(graph, overlay);
      const paint = options.output === undefined && !options.json ? PAINT : PLAIN_PAINT;
      const heading = overlay === null ? title : `${title} · ${overlay.title} · ${overlay.status}`;
      return `${paint.bold(heading)}\n\n${terminalGraph(graph, overlay, paint)}`;
    };
    const drawn = overlays.length === 0 ? [one(null)] : overlays.map(one);
    return [
      ...drawn,
      ...(said === ''
        ? []
        : [format === 'mermaid' ? `%% ${said.replaceAll('\n', ' ')}\n` : `${said}\n`]),
    ].join('\n');
  };
  const text = picture();
  if (options.output !== undefined) {
    await writeFile(options.output, text);
    if (!options.json) process.stderr.write(`${green('wrote')} ${options.output}\n`);
  }
  if (options.json) {
    const line = {
      type: 'graph',
      format,
      title,
      ...(divergence === undefined ? {} : { divergence }),
    };
    const where = options.output === undefined ? { picture: text } : { file: options.output };
    emit({ ...line, ...where });
  } else if (options.output === undefined) process.stdout.write(text);
}

function formatOf(options: GraphOptions): Format {
  const ending = /\.(svg|mmd|mermaid|txt)$/.exec(options.output ?? '')?.[1];
  const guessed =
    ending === 'svg' ? 'svg' : ending === 'mmd' || ending === 'mermaid' ? 'mermaid' : 'terminal';
  const asked = options.format ?? guessed;
  const format = FORMATS.find((known) => known === asked);
  if (format === undefined) {
    throw new Problem(`--format '${asked}' is unknown.`, `Use one of ${FORMATS.join(', ')}.`);
  }
  return format;
}

interface Subject {
  readonly title: string;
  readonly definition: JsonObject;
  readonly runs: readonly KeptExecution[];
}

/** A file is a machine; anything else names an execution. */
async function subject(what: string, options: GraphOptions): Promise<Subject> {
  const isFile = what.endsWith('.json') || existsSync(what);
  const wanted = [...(isFile ? [] : [what]), options.run, options.compare].filter(
    (id) => id !== undefined,
  );
  const runs = wanted.length === 0 ? [] : await readExecutions(wanted, options.store);
  const [first] = runs;
  if (isFile) {
    const machine = await readMachine(what);
    checkMachine(machine, { type: 'STANDARD', strict: false });
    return { title: machine.name, definition: JSON.parse(machine.text) as JsonObject, runs };
  }
  if (first === undefined) throw new Problem(`There is no execution ${what}.`);
  return { title: first.state.identity.stateMachineName, definition: first.definition, runs };
}

function readExecutions(
  ids: readonly string[],
  store: string | undefined,
): Promise<readonly KeptExecution[]> {
  if (ids.length > 2) {
    throw new Problem(
      'At most two executions can be drawn side by side.',
      'Leave out --run or --compare.',
    );
  }
  return withStore(store === undefined ? {} : { store }, async (open) => {
    const read: KeptExecution[] = [];
    for (const id of ids) read.push(await readExecution(open, id));
    return read;
  });
}

const COLOURS = {
  succeeded: green,
  retried: yellow,
  caught: yellow,
  failed: red,
  aborted: yellow,
  running: cyan,
  'not-reached': dim,
};

const PAINT: Paint = { status: (status, text) => COLOURS[status](text), bold, dim };
const PLAIN_PAINT: Paint = {
  status: (_status, text) => text,
  bold: (text) => text,
  dim: (text) => text,
};
