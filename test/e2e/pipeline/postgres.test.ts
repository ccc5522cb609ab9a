/** The mission's own SQL through the shipped machine: the last seven days of a real Postgres. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  POSTGRES_MISSING,
  type Postgres,
  postgresBinaries,
  startPostgres,
} from '../../services/support/postgres.js';
import { feedback, LIFECYCLE, lifecycleInput, type Loose, Project } from './project.js';

const bin = postgresBinaries();
if (bin === null) console.warn(POSTGRES_MISSING);

/** Word for word from the mission. */
const QUERY =
  "SELECT text, sentiment FROM customer_feedback WHERE created_at > NOW() - INTERVAL '7 days'";
const RECENT = 400;
const PASSWORD = 'pa55-w0rd-canary';

describe.skipIf(bin === null)('Postgres as the source', () => {
  let postgres: Postgres;
  let project: Project;
  beforeAll(async () => {
    postgres = await startPostgres(bin as string);
    const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;
    const rows = feedback(RECENT).map(
      ({ text, sentiment }, index) =>
        `(${quoted(text)}, ${quoted(sentiment)}, NOW() - ${index} * INTERVAL '10 minutes')`,
    );
    await postgres.sql(`
      CREATE TABLE customer_feedback (text text, sentiment text, created_at timestamptz NOT NULL);
      INSERT INTO customer_feedback VALUES ${rows.join(', ')};
      INSERT INTO customer_feedback
        SELECT 'of last month ' || i, 'no label', NOW() - INTERVAL '8 days' FROM generate_series(1, 50) i;
      CREATE ROLE reader LOGIN PASSWORD '${PASSWORD}';
      GRANT SELECT ON customer_feedback TO reader;
    `);
    const url = `postgres://reader:${PASSWORD}@127.0.0.1:${postgres.port}/postgres`;
    project = new Project({
      rows: 1,
      environment: { FEEDBACK_DATABASE: url },
      config: (shipped: Loose) => ({
        ...shipped,
        secrets: { feedback: { env: 'FEEDBACK_DATABASE' } },
      }),
    });
  });
  afterAll(async () => {
    project?.remove();
    await postgres?.stop();
  });

  function inputFor(query: string) {
    return lifecycleInput({
      source: { type: 'postgres', connection: 'secret://feedback', query },
      hyperparameters: { strategy: 'feature-extraction', epochs: 1 },
      minimumAccuracy: 0.1,
    });
  }

  it("the mission's SQL goes through the shipped machine to a deployed model", async () => {
    const { result, stdout, stderr } = await project.run(LIFECYCLE, inputFor(QUERY));
    expect(result, stderr).toMatchObject({ status: 'SUCCEEDED' });
    const { dataset, data, deployment } = result.output as Loose;
    expect(dataset.rows).toBe(RECENT);
    expect(dataset.columns.map((column: Loose) => column.name)).toEqual(['text', 'sentiment']);
    const { trainSize, testSize, validationSize, dropped } = data;
    expect(trainSize + testSize + validationSize + dropped.duplicates).toBe(RECENT);
    expect(dropped.unknownLabel).toBe(0);
    expect(deployment.status).toBe('InService');
    expect(stdout + stderr).not.toContain(PASSWORD);
    expect(project.read('.stepwell/stepwell.db')).not.toContain(PASSWORD);
  });

  it('a query that may not be run is a failure with an alert, and no password in it', async () => {
    const { result, stdout } = await project.run(LIFECYCLE, inputFor('SELECT * FROM pg_authid'));
    expect(result).toMatchObject({
      status: 'FAILED',
      error: expect.stringMatching(/^DataSource\./),
      cause: expect.stringMatching(/permission denied/),
    });
    expect(stdout).not.toContain(PASSWORD);
    expect(project.jsonLines('.stepwell/alerts.jsonl').at(-1)).toMatchObject({
      Subject: 'Retraining failed',
    });
  });
});
