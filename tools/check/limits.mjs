// How long things may be: a function 70 lines, a file 400, a line 110. `node tools/check/limits.mjs`
// Exceptions stand in limits.json, each with its reason; one that is no longer needed is reported too.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { lineOf, readSource, report, sourcePaths, walk } from './sources.mjs';

export const LIMITS = { function: 70, file: 400, line: 110 };

const CURES = {
  function: 'Take a step out of it that has a name of its own.',
  file: 'Split it along an idea.',
  line: 'Run `npx prettier --write` on it; what stays long is text: break it.',
};

/**
 * What is too long in one source. Pure. The callback of a `describe` is a list of tests, not a function: it
 * may be long.
 *
 * @returns {(import('./sources.mjs').Finding & { rule: keyof typeof LIMITS })[]}
 */
export function tooLong(source) {
  const path = source.fileName;
  const found = [];
  const add = (rule, line, what) => found.push({ path, line, rule, what, cure: CURES[rule] });
  const lines = source.text.trimEnd().split('\n');
  if (lines.length > LIMITS.file) add('file', 1, `the file has ${lines.length} lines (limit ${LIMITS.file})`);
  lines.forEach((text, index) => {
    if (text.length > LIMITS.line) add('line', index + 1, `${text.length} characters (limit ${LIMITS.line})`);
  });
  walk(source, (node) => {
    if (!ts.isFunctionLike(node) || !node.body || isDescribe(node.parent)) return;
    const first = lineOf(source, node);
    const length = source.getLineAndCharacterOfPosition(node.end).line + 2 - first;
    if (length > LIMITS.function)
      add('function', first, `${nameOf(node)} has ${length} lines (limit ${LIMITS.function})`);
  });
  return found;
}

function isDescribe(parent) {
  return ts.isCallExpression(parent) && /^describe\b/.test(parent.expression.getText());
}

const nameOf = (node) => node.name?.getText() ?? node.parent?.name?.getText?.() ?? 'a function';

const matches = (exception) => (finding) =>
  finding.path === exception.path && finding.rule === exception.rule;

/** Takes away what the exceptions allow, and adds the exceptions that allow nothing. Pure. */
export function withExceptions(found, exceptions) {
  const left = found.filter((finding) => !exceptions.some((exception) => matches(exception)(finding)));
  for (const exception of exceptions) {
    if (!exception.reason?.trim())
      left.push({
        path: exception.path,
        what: 'an exception without a reason',
        cure: 'Write why into limits.json.',
      });
    if (!found.some(matches(exception)))
      left.push({
        path: exception.path,
        what: `needs no exception (${exception.rule}) any more`,
        cure: 'Take it out of tools/check/limits.json.',
      });
  }
  return left;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const exceptions = JSON.parse(readFileSync(new URL('limits.json', import.meta.url), 'utf8'));
  const paths = sourcePaths();
  const found = paths.flatMap((path) => tooLong(readSource(path)));
  report('limits', withExceptions(found, exceptions), `${paths.length} files`);
}
