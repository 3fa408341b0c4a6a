// Starts the servers, runs Vitest once over every project, stops the servers, and closes with `N passed, N
// failed`. Runs under the workspace's Node 24, called by tools/start/test.mjs.
//
// T1: the closing line is the last one, also when the run crashed. T2: what broke outside of a test counts as
// failed.
// T3: a missing Kafka is never silent, and with AURA_REQUIRE_KAFKA=1 it is a failure, as is every skipped
// test.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { box } from './box.mjs';
import { closingLine } from './summary-reporter.mjs';
import { startTestServers } from './test-servers.mjs';

const CLONE = resolve(fileURLToPath(new URL('../..', import.meta.url)));
const REQUIRE_KAFKA = process.env['AURA_REQUIRE_KAFKA'] === '1';

let vitest;
let interrupted = null;

/**
 * @param {string[]} args for Vitest
 * @returns {Promise<import('./summary-reporter.mjs').Summary>}
 */
export async function runTests(args) {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => {
      if (interrupted) return; // a terminal's Ctrl-C comes twice: to the group, and passed on by test.mjs
      interrupted = signal;
      vitest?.kill('SIGTERM'); // it stops its workers; the servers are stopped below
    });
  let servers;
  try {
    servers = await startTestServers();
    if (servers.noKafka) console.log(`\n${noKafkaBox(servers.noKafka)}\n`);
    if (servers.noKafka && REQUIRE_KAFKA) return { passed: 0, failed: 1, skipped: [] };
    const result = judged(await runVitest(servers.env, args), args);
    if (servers.noKafka) console.log(`\n${noKafkaBox(servers.noKafka)}\n`);
    return result;
  } catch (error) {
    console.error(error.name === 'Problem' ? `\n✖ ${error.message}\n` : error);
    return { passed: 0, failed: 1, skipped: [] };
  } finally {
    await servers?.stop();
  }
}

async function runVitest(env, args) {
  const folder = mkdtempSync(join(tmpdir(), 'aura-summary-'));
  const file = join(folder, 'summary.json');
  try {
    const code = await new Promise((done, failed) => {
      const reporter = join(CLONE, 'tools/start/summary-reporter.mjs');
      vitest = spawn(
        process.execPath,
        [
          join(CLONE, 'node_modules/vitest/vitest.mjs'),
          'run',
          '--reporter=default',
          `--reporter=${reporter}`,
          ...args,
        ],
        {
          cwd: CLONE,
          stdio: 'inherit',
          env: { ...compiledOnce(folder), ...process.env, ...env, AURA_TEST_SUMMARY: file },
        },
      );
      if (interrupted) vitest.kill('SIGTERM');
      vitest.on('error', failed);
      vitest.on('exit', (status) => done(status ?? 1));
    });
    return { code, summary: existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Hundreds of processes of a run load the same modules: what one has compiled the next ones read. */
const compiledOnce = (folder) => ({ NODE_COMPILE_CACHE: join(folder, 'compiled') });

function judged({ code, summary }, args) {
  if (!summary) {
    console.error(
      `\n✖ The test run ${interrupted ? `was interrupted (${interrupted})` : 'crashed'} before its end.\n`,
    );
    return { passed: 0, failed: 1, skipped: [] };
  }
  const bySelection = args.some((arg) => arg === '-t' || arg.startsWith('--testNamePattern'));
  const refused = summary.skipped.filter((name) => !mayBeSkipped(name));
  if (REQUIRE_KAFKA && !bySelection && refused.length) {
    console.error('\n✖ Skipped, which AURA_REQUIRE_KAFKA=1 does not allow:');
    for (const name of refused) console.error(`  - ${name}`);
    const skipped = summary.skipped.filter(mayBeSkipped);
    return { passed: summary.passed, failed: summary.failed + refused.length, skipped };
  }
  // Vitest found something that no test carries (nothing matched the arguments, a bad option).
  if (code !== 0 && summary.failed === 0) return { ...summary, failed: 1 };
  return summary;
}

/** T3. Jaeger has to be built with Go, or given: only AURA_REQUIRE_JAEGER=1 makes its absence a failure. */
function mayBeSkipped(name) {
  return name.includes('Jaeger') && process.env['AURA_REQUIRE_JAEGER'] !== '1';
}

function noKafkaBox(reason) {
  return box([
    REQUIRE_KAFKA
      ? 'NO KAFKA, AND AURA_REQUIRE_KAFKA=1 ASKS FOR IT'
      : 'SKIPPED: every suite that needs a real Kafka and registry',
    ...reason.split('\n').map((line) => line.trim()),
    'Cure: install a JDK 17+ with Maven (Debian: apt-get install openjdk-17-jdk-headless maven),',
    'or give KAFKA_BROKERS=host:port and SCHEMA_REGISTRY_URL=http://host:port/...',
  ]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const summary = await runTests(process.argv.slice(2));
  console.log(closingLine(summary));
  process.exit(summary.failed > 0 ? 1 : 0);
}
