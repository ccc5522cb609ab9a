/**
 * Every recorded case that scripts/conformance-known.json leaves out is shown to be one that no engine
 * can pass: the runner's own comparison refuses whatever AWS could have answered to that request, or
 * another recording demands the opposite. An entry without such a proof fails here.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

const CORPUS = new URL('../../../shared/conformance/', import.meta.url).pathname;
const isThere = existsSync(join(CORPUS, 'compare.mjs'));
if (!isThere) console.warn(`No recorded cases in ${CORPUS}: nothing is proven.`);

interface Step {
  readonly op?: string;
  readonly params?: Record<string, unknown>;
  readonly expect?: unknown;
  readonly expectError?: unknown;
  readonly save?: Record<string, string>;
}

interface Case {
  readonly id: string;
  readonly placeholders?: Record<string, unknown>;
  readonly logGroups?: readonly string[];
  readonly steps: readonly Step[];
}

interface Known {
  readonly id: string;
  readonly reason: string;
  readonly differs: readonly string[];
}

interface Comparer {
  cmp(expected: unknown, actual: unknown, path: string): boolean;
}

/** Of the case's variables, as the runner fills them in. */
const VARIABLES: Record<string, string> = {
  account: '123456789012',
  region: 'us-east-1',
  ...Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`uid${i}`, `c${i}abcdef`])),
};

const filled = (text: unknown): string =>
  String(text).replaceAll(/\$\{(\w+)\}/g, (all, name: string) => VARIABLES[name] ?? all);

async function world() {
  const known = JSON.parse(
    readFileSync(new URL('../../scripts/conformance-known.json', import.meta.url), 'utf8'),
  ) as readonly Known[];
  const all = readdirSync(join(CORPUS, 'cases')).flatMap((file) => {
    const read = JSON.parse(readFileSync(join(CORPUS, 'cases', file), 'utf8')) as Case | Case[];
    return Array.isArray(read) ? read : [read];
  });
  const module = (await import(pathToFileURL(join(CORPUS, 'compare.mjs')).href)) as {
    Comparer: new (of: Case, variables: Record<string, string>) => Comparer;
  };
  const accepts = (of: Case, expected: unknown, actual: unknown): boolean =>
    new module.Comparer(of, VARIABLES).cmp(expected, actual, 'x');
  return { known, all, accepts };
}

type World = Awaited<ReturnType<typeof world>>;

/** A legal label: AWS makes up a UUID, a user may write these characters. */
const label = fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/);

function provesLabel(of: Case, { accepts }: World): boolean {
  const [expected] =
    /"(arn:[^"]*:mapRun:[^"]*<MapRunArnPart0_0idx>[^"]*)"/
      .exec(JSON.stringify(of.steps))
      ?.slice(1) ?? [];
  if (expected === undefined) return false;
  const machine = filled((of.placeholders?.['<ArnPart_0idx>'] as { value?: string })?.value);
  fc.assert(
    fc.property(label, fc.uuid(), (name, run) => {
      const arn = `arn:aws:states:us-east-1:123456789012:mapRun:${machine}/${name}:${run}`;
      return !accepts(of, expected, arn);
    }),
  );
  // The same ARN passes once the label is the text that no label can be.
  const odd = `arn:aws:states:us-east-1:123456789012:mapRun:${machine}/<MapRunArnPart0_0idx>:r`;
  return accepts(of, expected, odd);
}

/** The history must show the role that the machine was created with; the case wants another one. */
function provesRole(of: Case, { accepts }: World): boolean {
  if (!JSON.stringify(of.steps).includes('"roleArn":"snf_role_arn"')) return false;
  const started = of.steps.find(({ op }) => op === 'StartExecution')?.params?.stateMachineArn;
  const creation = of.steps.find(
    ({ op, save }) =>
      op === 'CreateStateMachine' &&
      Object.keys(save ?? {}).some((name) => started === `\${${name}}`),
  );
  const role = filled(creation?.params?.roleArn);
  return role.startsWith('arn:') && !accepts(of, 'snf_role_arn', role);
}

/** The member is what the request sent, and the runner wants a time there. */
function provesTime(of: Case, { accepts }: World): boolean {
  const text = JSON.stringify(of.steps);
  const sent = text.includes('05-12-2016T21:29:29Z') ? '05-12-2016T21:29:29Z' : '$startAt';
  return (
    text.includes(sent) &&
    /"Timestamp(Value|Path)":"timestamp"/.test(text) &&
    !accepts(of, 'timestamp', sent)
  );
}

/** An output is a text in the API; the case has a number. */
function provesNumber(of: Case, { accepts }: World): boolean {
  return /"output":1,/.test(JSON.stringify(of.steps)) && !accepts(of, 1, '1');
}

function provesUuid(of: Case, { accepts }: World): boolean {
  fc.assert(fc.property(fc.uuid({ version: 4 }), (uuid) => !accepts(of, 'generated-uuid', uuid)));
  return JSON.stringify(of.steps).includes('"FunctionResult":"generated-uuid"');
}

/** Another recording: an execution that was never redriven is listed with its count. */
function provesRedriveCount(of: Case, { all }: World): boolean {
  const lists = (one: Case): string[] =>
    one.steps
      .filter(({ op, expect: answer }) => op === 'ListExecutions' && answer !== undefined)
      .map((step) => JSON.stringify(step.expect));
  const own = lists(of).every((text) => !text.includes('redriveCount'));
  return own && all.some((one) => lists(one).some((text) => text.includes('"redriveCount":0')));
}

/** Another recording: the same request for a group that exists, as it does here, is granted. */
function provesLogGroup(of: Case, { all }: World): boolean {
  const asked = (one: Case): unknown =>
    one.steps.find(({ op }) => op === 'CreateStateMachine')?.params?.loggingConfiguration;
  const shape = (one: Case): string =>
    JSON.stringify(asked(one) ?? null).replaceAll(/uid\d/g, 'uid');
  const refused = of.steps.some(
    ({ op, expectError }) => op === 'CreateStateMachine' && expectError !== undefined,
  );
  const granted = all.some(
    (one) =>
      one.id !== of.id &&
      (one.logGroups?.length ?? 0) > 0 &&
      shape(one) === shape(of) &&
      one.steps.every(({ expectError }) => expectError === undefined),
  );
  return refused && (of.logGroups?.length ?? 0) > 0 && granted;
}

const PROOFS = [
  provesLabel,
  provesRole,
  provesTime,
  provesNumber,
  provesUuid,
  provesRedriveCount,
  provesLogGroup,
] as const;

describe.skipIf(!isThere)('recorded cases that cannot pass', () => {
  test('each is proven to be one', async () => {
    const here = await world();
    const unproven = here.known.filter(({ id }) => {
      const of = here.all.find((one) => one.id === id);
      return of === undefined || !PROOFS.some((proves) => proves(of, here));
    });
    expect(unproven.map(({ id }) => id)).toEqual([]);
  });

  test('a proof is no formality: no case that passes has one', async () => {
    const here = await world();
    const known = new Set(here.known.map(({ id }) => id));
    const passing = here.all.filter(({ id }) => !known.has(id));
    const proven = passing.filter((of) =>
      [provesRole, provesTime, provesNumber, provesUuid, provesLogGroup].some((proves) =>
        proves(of, here),
      ),
    );
    expect(proven.map(({ id }) => id)).toEqual([]);
  });
});
