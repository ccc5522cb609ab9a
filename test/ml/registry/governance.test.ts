import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  cardMarkdown,
  DEFAULT_POLICY,
  draftCard,
  emptyFields,
  openRegistry,
  type Registry,
} from '../../../src/ml/registry/index.js';

let folder: string;
let clock: number;
let registry: Registry;
const author = { who: 'ann', why: 'review' };
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'governance-'));
  clock = Date.parse('2026-01-05T02:00:00Z');
  registry = openRegistry({ folder, now: () => clock });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const register = (uri: string, extra: object = {}) =>
  registry.register({ ...author, name: 'm', uri, metrics: { accuracy: 0.9 }, ...extra });
const strict = { ...DEFAULT_POLICY, requireApproval: true };
const PEOPLE = {
  model_overview: {
    model_description: 'sentiment of feedback',
    model_owner: 'ann',
    problem_type: 'text classification',
  },
  intended_uses: {
    purpose_of_model: 'triage',
    intended_uses: 'sorting feedback',
    risk_rating: 'Low',
  },
  training_details: { training_job_details: { training_datasets: ['d1'] } },
  additional_information: { caveats_and_recommendations: 'English only' },
};

describe('approval', () => {
  it('is pending at first, and does not matter until the policy asks for it', async () => {
    const first = await register('/1');
    expect(first.approval).toBe('PendingManualApproval');
    expect((await registry.setStage('m', 'v1.0.0', 'Production', author)).stage).toBe('Production');
  });

  it('is needed for Production and for the champion alias once the policy asks', async () => {
    await register('/1');
    await registry.setPolicy('m', strict, author);
    const refused = { code: 'PromotionRefused', message: expect.stringContaining('Pending') };
    await expect(registry.setStage('m', 'v1.0.0', 'Production', author)).rejects.toMatchObject(
      refused,
    );
    await expect(registry.setAlias('m', 'v1.0.0', 'champion', author)).rejects.toMatchObject(
      refused,
    );
    await expect(register('/2', { stage: 'Production' })).rejects.toMatchObject(refused);
    await registry.setStage('m', 'v1.0.0', 'Staging', author);
    await registry.setAlias('m', 'v1.0.0', 'challenger', author);
    await registry.setApproval('m', 'v1.0.0', 'Approved', author);
    expect((await registry.setStage('m', 'v1.0.0', 'Production', author)).stage).toBe('Production');
    expect((await register('/3', { stage: 'Production', approval: 'Approved' })).stage).toBe(
      'Production',
    );
    await registry.setApproval('m', 'v1.1.0', 'Rejected', author);
    await registry.setStage('m', 'v1.1.0', 'None', author);
    await expect(registry.setStage('m', 'v1.1.0', 'Production', author)).rejects.toMatchObject({
      message: expect.stringContaining('Rejected'),
    });
  });

  it('refuses words that SageMaker does not know', async () => {
    await register('/1');
    await expect(
      registry.setApproval('m', 'v1.0.0', 'Maybe' as never, author),
    ).rejects.toMatchObject({ code: 'ValidationException' });
  });
});

describe('model cards', () => {
  it('are refused as Approved while a required field is empty, and the field is named', async () => {
    const version = await register('/1', { lineage: { dataVersion: 'd1' } });
    const draft = draftCard(version);
    expect(emptyFields(draft)).toContain('model_overview.model_owner');
    expect(emptyFields(draft)).not.toContain('evaluation_details.0.metric_groups.0.metric_data');
    await registry.setCard('m', 'v1.0.0', { status: 'Draft', content: draft }, author);
    const half = draftCard(version, {
      ...PEOPLE,
      intended_uses: { ...PEOPLE.intended_uses, risk_rating: ' ' },
    });
    await expect(
      registry.setCard('m', 'v1.0.0', { status: 'Approved', content: half }, author),
    ).rejects.toMatchObject({
      message: expect.stringContaining('intended_uses.risk_rating is empty'),
    });
    const whole = draftCard(version, PEOPLE);
    const done = await registry.setCard(
      'm',
      'v1.0.0',
      { status: 'Approved', content: whole },
      author,
    );
    expect(done.card).toMatchObject({ status: 'Approved', writtenBy: 'ann' });
    expect(cardMarkdown(done)).toContain('- accuracy: 0.9');
  });

  it('are asked for by a policy before promotion', async () => {
    const version = await register('/1');
    await registry.setPolicy('m', { ...DEFAULT_POLICY, requireCard: true }, author);
    await expect(registry.setStage('m', 'v1.0.0', 'Production', author)).rejects.toMatchObject({
      code: 'PromotionRefused',
      message: expect.stringContaining('model card'),
    });
    const content = draftCard(version, PEOPLE);
    await registry.setCard('m', 'v1.0.0', { status: 'Approved', content }, author);
    await registry.setStage('m', 'v1.0.0', 'Production', author);
  });

  it('treat __proto__ in their content as a plain key', async () => {
    const version = await register('/1');
    const content = draftCard(version, JSON.parse('{"__proto__":{"model_overview":1}}'));
    expect(({} as { model_overview?: unknown }).model_overview).toBeUndefined();
    expect(Object.hasOwn(content, '__proto__')).toBe(true);
  });
});

describe('the audit log', () => {
  it('answers what was in production, approved and described at any instant', async () => {
    const at = async (hours: number, change: () => Promise<unknown>): Promise<string> => {
      clock = Date.parse('2026-01-05T02:00:00Z') + hours * 3_600_000;
      await change();
      return new Date(clock).toISOString();
    };
    const t0 = await at(0, () => register('/1'));
    const t1 = await at(1, () => registry.setStage('m', 'v1.0.0', 'Production', author));
    await at(2, () => register('/2'));
    const t3 = await at(3, () => registry.setStage('m', 'v1.1.0', 'Production', author));
    const inProduction = async (time: string) =>
      (await registry.versionsAt(time))
        .filter((item) => item.stage === 'Production')
        .map((item) => item.version);
    expect(await inProduction(t0)).toEqual([]);
    expect(await inProduction(t1)).toEqual(['v1.0.0']);
    expect(await inProduction('2026-01-05T04:59:59.999Z')).toEqual(['v1.0.0']);
    expect(await inProduction(t3)).toEqual(['v1.1.0']);
    await expect(registry.versionsAt('yesterday')).rejects.toMatchObject({
      code: 'ValidationException',
    });
  });

  it('notices an approval that was forged into it', async () => {
    await register('/1');
    await registry.setApproval('m', 'v1.0.0', 'Rejected', author);
    const path = join(folder, 'log.jsonl');
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace('"Rejected"', '"Approved"'));
    const reopened = openRegistry({ folder });
    expect((await reopened.verify()).problems).toContain(
      'Entry 2 was changed after it was written.',
    );
    await expect(reopened.versions('m')).rejects.toMatchObject({ name: 'LogCorrupt' });
  });
});
