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
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

/** Runs the corpus and prints the table; 0 when every case passed. */
async function replay(endpoint) {
  const report = options.report ?? join(folder, 'report.json');
  const log = join(folder, 'replay.log');
  const args = ['replay.mjs', '--endpoint', endpoint, '--lambda-port', String(awsPort)];
  const child = spawn(process.execPath, [...args, '--report', report, ...options.passedOn], {
    cwd: options.corpus,
    env: environment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (text) => {
    output += text;
    if (options.failures) process.stdout.write(text);
  });
  const status = await new Promise((done) => child.on('close', done));
  writeFileSync(log, output);
  printTable(JSON.parse(readFileSync(report, 'utf8')));
  const last = output.trim().split('\n').at(-1);
  if (server?.complaints && /InvariantError|quarantined/.test(server.complaints())) {
    console.log('The server reported broken invariants: see the log with STEPWELL_LOG=error.');
  }
  console.log(last);
  return status;
}

function printTable({ byArea, results }) {
  const peer = {};
  for (const result of results) {
    if (!result.ok && result.onlyPeerSkips) peer[result.area] = (peer[result.area] ?? 0) + 1;
  }
  console.log(`${'area'.padEnd(24)} ${'passed'.padStart(6)} ${'failed'.padStart(6)}`);
  for (const area of Object.keys(byArea).sort()) {
    const { passed, failed } = byArea[area];
    const note = peer[area]
      ? `  ${peer[area]} only where the reference emulator does not look`
      : '';
    console.log(
      `${area.padEnd(24)} ${String(passed).padStart(6)} ${String(failed).padStart(6)}${note}`,
    );
  }
  if (!options.failures) return;
  for (const result of results.filter((one) => !one.ok)) console.log(`  FAIL ${result.id}`);
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
