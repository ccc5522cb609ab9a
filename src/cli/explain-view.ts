/** Explanations as a person reads them: one block a visit, one line a field of the data flow. */
import { compileMachine } from '../core/compiler.js';
import type { Fact } from '../core/fact.js';
import type { AttemptExplanation } from '../explain/recovery.js';
import { explain, type StageExplanation, type VisitExplanation } from '../explain/explain.js';
import { kibibytes } from '../explain/weight.js';
import { conditionOf } from '../graph/model.js';
import type { Json, JsonObject } from '../lib/json.js';
import { bold, cyan, dim, duration, green, red, yellow } from './style.js';
import { print } from './output.js';

const STAGES: Readonly<Record<StageExplanation['stage'], string>> = {
  input: 'input',
  afterInputPath: 'after InputPath',
  afterItemsPath: 'after ItemsPath',
  afterParameters: 'after Parameters',
  afterArguments: 'after Arguments',
  afterItemSelector: 'after ItemSelector',
  afterItemBatcher: 'after ItemBatcher',
  maxConcurrency: 'MaxConcurrency',
  toleratedFailureCount: 'ToleratedFailureCount',
  toleratedFailurePercentage: 'ToleratedFailurePercentage',
  result: 'result',
  afterResultSelector: 'after ResultSelector',
  afterResultPath: 'after ResultPath',
  output: 'output',
};

const LABEL = 22;

/** One block, or one JSON line, for every visit of a run; on standard output. */
export async function printExplanation(
  definition: string,
  facts: readonly Fact[],
  options: { readonly json: boolean; readonly state?: string },
): Promise<number> {
  const machine = compileMachine(JSON.parse(definition) as JsonObject);
  const only = options.state === undefined ? {} : { state: options.state };
  const visits = await explain(machine, facts, only);
  const lines = options.json
    ? visits.map((visit) => JSON.stringify({ type: 'visit', ...visit }))
    : explainLines(visits, process.stdout.columns ?? 110);
  if (lines.length > 0) print(lines.join('\n'));
  return visits.length;
}

export function explainLines(
  visits: readonly VisitExplanation[],
  width: number,
): readonly string[] {
  return visits.flatMap((visit) => [...block(visit, width), '']);
}

function block(visit: VisitExplanation, width: number): string[] {
  const took = visit.tookMs === null ? 'under way' : duration(visit.tookMs);
  const place = visit.place === 'root' ? '' : `  in ${visit.place}`;
  const lines = [
    `${mark(visit)} ${bold(visit.state)}  ${dim(`${visit.kind}${place}  event ${visit.eventId}  ${took}`)}`,
  ];
  const line = (label: string, text: string): void => {
    lines.push(`  ${label.padEnd(LABEL)}${text}`);
  };
  for (const stage of visit.stages) {
    const text = stage.unchanged ? dim('unchanged') : value(stage, width);
    line(STAGES[stage.stage], text);
  }
  for (const [name, assigned] of Object.entries(visit.assigned ?? {})) {
    line(`assigns $${name}`, short(assigned, width - LABEL));
  }
  if (Object.keys(visit.variables).length > 0 && visit.assigned === null) {
    line('variables', short(visit.variables, width - LABEL));
  }
  for (const rule of visit.choices) {
    const verdict =
      rule.holds === null
        ? dim('not asked')
        : rule.holds
          ? green('holds')
          : yellow('does not hold');
    line(`rule ${rule.index}`, `${conditionOf(rule.rule)} ${dim('→')} ${rule.next}  ${verdict}`);
    for (const because of rule.because) line('', dim(because));
  }
  const none = visit.choices.length > 0 && visit.choices.every(({ holds }) => holds === false);
  if (none && visit.otherwise !== null) line('otherwise', `${dim('→')} ${visit.otherwise}`);
  for (const attempt of visit.attempts) lines.push(...attemptLines(attempt));
  for (const { stage, bytes, path, pathBytes, limit } of visit.weights) {
    const carried = path === '$' ? '' : `, of which ${path} carries ${kibibytes(pathBytes)}`;
    line(
      'weight',
      yellow(`${STAGES[stage]}: ${kibibytes(bytes)} of ${kibibytes(limit)}${carried}`),
    );
  }
  if (visit.next !== null) line('next', `${dim('→')} ${visit.next}`);
  return lines;
}

function mark({ end, attempts }: VisitExplanation): string {
  if (end === 'succeeded') return attempts.length > 0 ? yellow('↻') : green('✓');
  if (end === 'caught') return yellow('⚑');
  return end === 'running' ? cyan('▸') : red('✗');
}

function attemptLines(attempt: AttemptExplanation): string[] {
  const cause = attempt.cause === null ? '' : `: ${attempt.cause.split('\n', 1)[0]}`;
  const lines = [
    `  ${`attempt ${attempt.number} failed`.padEnd(LABEL)}${red(`${attempt.error ?? '(no error name)'}${cause}`)}`,
  ];
  for (const rule of attempt.rules) {
    const label = `  ${rule.kind} ${rule.index}`;
    const text = `${rule.errors.join(', ')}  ${rule.said}`;
    lines.push(`  ${label.padEnd(LABEL)}${rule.chosen ? text : dim(text)}`);
  }
  const told =
    attempt.retryAt !== null
      ? `retried at ${new Date(attempt.retryAt).toISOString()} (${duration(attempt.retryAt - attempt.at)} later)`
      : attempt.decision === 'catch'
        ? `caught, goes on with ${attempt.next}`
        : 'not caught: the failure goes up';
  lines.push(`  ${''.padEnd(LABEL)}${yellow(told)}`);
  return lines;
}

function value({ value: shown, bytes }: StageExplanation, width: number): string {
  const size = bytes < 1024 ? '' : dim(`  ${kibibytes(bytes)}`);
  return `${short(shown, width - LABEL)}${size}`;
}

function short(shown: Json, width: number): string {
  const text = JSON.stringify(shown);
  return text.length > width ? `${text.slice(0, width - 1)}…` : text;
}
