#!/usr/bin/env node
/**
 * `npm run conformance`: a server over the memory store on a free port, and AWS's recorded
 * conversations against it. The runner brings its own stand-in for the AWS services a machine calls.
 *
 *   --area api,logs   --id text   --slow   --verbose   --concurrency 8   --report out.json
 *                     passed on to the runner (see its README)
 *   --endpoint URL    a server that runs already, instead of one of ours
 *   --built           dist/ instead of the sources
 *   --corpus DIR      where replay.mjs and cases/ lie (default ../shared/conformance)
 *   --failures        what differs in the failed cases, too
 *   --summary FILE    {passed, failed, known} for scripts/verify.mjs
 *
 * conformance-known.json lists the recorded cases that cannot pass, each with its reason and the
 * members in which it differs. They count neither as passed nor as failed. Any other difference is a
 * failure all the same, and an entry that passes is stale and fails the run.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const START_TIMEOUT_MS = 60_000;

const options = readOptions(process.argv.slice(2));
const folder = mkdtempSync(join(tmpdir(), 'stepwell-conformance-'));
const awsPort = await freePort();
let server = null;
let exitCode = 2;
try {
  const endpoint = options.endpoint ?? (await startServer());
  exitCode = await replay(endpoint);
} catch (error) {
  console.error(error.message);
} finally {
  if (server !== null) await stop(server);
  rmSync(folder, { recursive: true, force: true });
}
process.exit(exitCode);

function readOptions(args) {
  const found = { corpus: join(ROOT, '..', 'shared', 'conformance'), passedOn: [] };
  for (let i = 0; i < args.length; i++) {
    if (args[i] === '--endpoint') found.endpoint = args[++i];
    else if (args[i] === '--corpus') found.corpus = resolve(args[++i]);
    else if (args[i] === '--report') found.report = resolve(args[++i]);
    else if (args[i] === '--summary') found.summary = resolve(args[++i]);
    else if (args[i] === '--built') found.built = true;
    else if (args[i] === '--failures') found.failures = true;
    else found.passedOn.push(args[i]);
  }
  return found;
}

/** The environment the corpus's README asks for; nothing of the caller's AWS settings remains. */
function environment() {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('AWS_'));
  const standIn = `http://127.0.0.1:${awsPort}`;
  return {
    ...Object.fromEntries(inherited),
    AWS_ENDPOINT_URL: standIn,
    AWS_ENDPOINT_URL_LAMBDA: standIn,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  };
}

async function startServer() {
  const port = await freePort();
  const program = options.built
    ? [join(ROOT, 'dist', 'cli', 'main.js')]
    : [join(ROOT, 'node_modules', 'tsx', 'dist', 'cli.mjs'), join(ROOT, 'src', 'cli', 'main.ts')];
  const args = [...program, 'serve', '--host', '127.0.0.1', '--port', String(port)];
  server = spawn(process.execPath, [...args, '--store', 'memory', '--strict'], {
    cwd: folder,
    env: environment(),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaints = '';
  server.stderr.on('data', (text) => {
    complaints = (complaints + text).slice(-20_000);
  });
  const endpoint = `http://127.0.0.1:${port}`;
  const giveUpAt = Date.now() + START_TIMEOUT_MS;
  while (!(await isReady(endpoint))) {
    if (server.exitCode !== null) throw new Error(`The server did not start:\n${complaints}`);
    if (Date.now() > giveUpAt) throw new Error(`The server is not ready:\n${complaints}`);
    await new Promise((wake) => setTimeout(wake, 200));
  }
  server.complaints = () => complaints;
  return endpoint;
}

async function isReady(endpoint) {
  try {
    return (await fetch(`${endpoint}/readyz`)).ok;
  } catch {
    return false;
  }
}

/** Runs the corpus and prints the table; 0 when nothing failed but what is known to. */
async function replay(endpoint) {
  const report = options.report ?? join(folder, 'report.json');
  const args = ['replay.mjs', '--endpoint', endpoint, '--lambda-port', String(awsPort)];
  const child = spawn(process.execPath, [...args, '--report', report, ...options.passedOn], {
    cwd: options.corpus,
    env: environment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.stdout.on('data', (text) => {
    if (options.failures) process.stdout.write(text);
  });
  await new Promise((done) => child.on('close', done));
  if (!existsSync(report)) throw new Error('The runner left no report.');
  return judge(JSON.parse(readFileSync(report, 'utf8')).results);
}

/** Prints what came out; the exit status. */
function judge(results) {
  const known = new Map(readKnown().map((entry) => [entry.id, entry]));
  const outcomes = results.map((result) => ({ ...result, outcome: outcomeOf(result, known) }));
  const of = (outcome) => outcomes.filter((result) => result.outcome === outcome);
  printTable(outcomes);
  printKnown(of('known').map(({ id }) => known.get(id)));
  for (const { id } of of('failed')) console.log(`FAILED ${id}`);
  for (const { id } of of('stale')) {
    console.log(`STALE  ${id} passes: remove it from scripts/conformance-known.json`);
  }
  if (server?.complaints && /InvariantError|quarantined/.test(server.complaints())) {
    console.log('The server reported broken invariants: see the log with STEPWELL_LOG=error.');
  }
  const failed = of('failed').length + of('stale').length;
  const summary = { passed: of('passed').length, failed, known: of('known').length };
  if (options.summary) writeFileSync(options.summary, `${JSON.stringify(summary)}\n`);
  console.log(`${summary.passed} passed, ${failed} failed, ${summary.known} skipped`);
  return failed === 0 ? 0 : 1;
}

function readKnown() {
  return JSON.parse(readFileSync(join(ROOT, 'scripts', 'conformance-known.json'), 'utf8'));
}

function outcomeOf({ id, ok, diffs = [] }, known) {
  const entry = known.get(id);
  if (entry === undefined) return ok ? 'passed' : 'failed';
  if (ok) return 'stale';
  const isKnown = ({ path }) => entry.differs.includes(memberOf(path ?? ''));
  return diffs.length > 0 && diffs.every(isKnown) ? 'known' : 'failed';
}

/** `history.events[5].details.mapRunArn` -> `mapRunArn`. */
function memberOf(path) {
  return path
    .split('.')
    .at(-1)
    .replace(/\[\d+\]$/, '');
}

function printTable(outcomes) {
  const heads = ['passed', 'failed', 'known'];
  console.log(`${'area'.padEnd(24)} ${heads.map((head) => head.padStart(6)).join(' ')}`);
  for (const area of [...new Set(outcomes.map((result) => result.area))].sort()) {
    const here = outcomes.filter((result) => result.area === area);
    const count = (...wanted) =>
      String(here.filter(({ outcome }) => wanted.includes(outcome)).length).padStart(6);
    const counts = [count('passed'), count('failed', 'stale'), count('known')];
    console.log(`${area.padEnd(24)} ${counts.join(' ')}`);
  }
}

/** Grouped by reason: most have one in common. */
function printKnown(entries) {
  if (entries.length === 0) return;
  console.log('\nRecorded cases that cannot pass:');
  for (const reason of new Set(entries.map((entry) => entry.reason))) {
    console.log(`- ${reason}`);
    for (const entry of entries) if (entry.reason === reason) console.log(`    ${entry.id}`);
  }
  console.log('');
}

async function stop(child) {
  if (child.exitCode !== null) return;
  const gone = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
  await gone;
  clearTimeout(timer);
}

function freePort() {
  return new Promise((done, fail) => {
    const probe = createServer().once('error', fail);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
}
