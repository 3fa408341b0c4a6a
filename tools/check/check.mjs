// `npm run check [-- --no-test]`: everything that CI asks for. Each check and each test counts in the closing
// line.
import { join } from 'node:path';
import { runProgram } from '../start/run-program.mjs';
import { runTests } from '../start/run-tests.mjs';
import { closingLine } from '../start/summary-reporter.mjs';
import { misused, readArguments } from '../start/usage.mjs';
import { CLONE } from './sources.mjs';

const USAGE = `usage: npm run check [-- --no-test]

  --no-test  the checks alone

Examples:
  npm run check
  npm run check -- --no-test`;

const bin = (file) => [join('node_modules', file)];
/** @type {[string, string[]][]} */
const CHECKS = [
  ['lint', [...bin('oxlint/bin/oxlint'), '--type-aware', '--deny-warnings', '.']],
  ['format', [...bin('prettier/bin/prettier.cjs'), '--check', '--cache', '--log-level=warn', '.']],
  ['boundaries', ['tools/check/boundaries.mjs']],
  ['purity', ['tools/check/purity.mjs']],
  ['limits', ['tools/check/limits.mjs']],
  ['docs', ['tools/check/docs.mjs']],
  ['types', [...bin('typescript7/bin/tsc'), '--build', 'tsconfig.json']],
  ['codegen', ['tools/codegen/codegen.mjs', '--check']],
];

const { values, positionals } = readArguments(USAGE, { 'no-test': { type: 'boolean', default: false } });
if (positionals.length > 0) misused(USAGE, `${positionals[0]} is not an argument: all is checked.`);

const summary = { passed: 0, failed: 0, skipped: [] };
for (const [name, args] of CHECKS) {
  const startedAt = performance.now();
  const { status, output } = await runProgram(process.execPath, args, { cwd: CLONE });
  const took = `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
  if (status === 0) summary.passed++;
  else summary.failed++;
  console.log(status === 0 ? `✔ ${name} (${took})` : `✖ ${name} (${took})\n${output.trimEnd()}\n`);
}
if (!values['no-test']) {
  const tests = await runTests([]);
  summary.passed += tests.passed;
  summary.failed += tests.failed;
  summary.skipped = tests.skipped;
}
console.log(closingLine(summary));
process.exit(summary.failed > 0 ? 1 : 0);
