import { writeFileSync } from 'node:fs';

/**
 * Vitest reporter that leaves the counts of a run in the file named by AURA_TEST_SUMMARY; the launcher makes
 * its closing line of them. A file that is not written means that the run itself crashed.
 */
export default class SummaryReporter {
  onTestRunEnd(modules, unhandledErrors) {
    for (const name of triedAgain(modules)) console.error(`✖ passed only when tried again: ${name}`);
    const file = process.env['AURA_TEST_SUMMARY'];
    if (file) writeFileSync(file, JSON.stringify(summarise(modules, unhandledErrors)));
  }
}

/**
 * @typedef {{ passed: number, failed: number, skipped: string[] }} Summary
 *
 * Counts tests. What broke outside of a test (a file that does not load, a hook, an error nobody caught)
 * counts as one failed test each: it must not vanish from the closing line.
 *
 * @returns {Summary} `skipped` are the full names, with their file
 */
export function summarise(modules, unhandledErrors) {
  const summary = { passed: 0, failed: unhandledErrors.length, skipped: [] };
  for (const module of modules) {
    summary.failed += module.errors().length;
    for (const suite of module.children.allSuites()) summary.failed += suite.errors().length;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === 'passed') summary.passed++;
      else if (state === 'failed') summary.failed++;
      else summary.skipped.push(`${module.project.name} ${module.relativeModuleId}: ${test.fullName}`);
    }
  }
  return summary;
}

/** The tests that failed first and passed then, and why: to be looked into, not to be hidden. */
function triedAgain(modules) {
  const tests = modules.flatMap((module) =>
    [...module.children.allTests()].map((test) => ({ module, test })),
  );
  return tests
    .filter(({ test }) => test.diagnostic()?.flaky)
    .map(({ module, test }) => {
      const [first] = test.result().errors ?? [];
      const where = first?.stacks?.[0] ? ` (line ${first.stacks[0].line})` : '';
      return `${module.relativeModuleId}: ${test.fullName}${where}: ${first?.message ?? 'no error was kept'}`;
    });
}

/** The closing line of a test run. */
export function closingLine({ passed, failed, skipped }) {
  const more = skipped.length ? `, ${skipped.length} skipped` : '';
  return `${passed} passed, ${failed} failed${more}`;
}
