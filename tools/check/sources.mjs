import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

export const CLONE = resolve(fileURLToPath(new URL('../..', import.meta.url)));

/**
 * A finding of a check: where, what, and what to do.
 * @typedef {{ path: string, line?: number, what: string, cure: string }} Finding
 */

/** Paths of the hand-written sources: what git knows or would add, generated code left out. */
export function sourcePaths(root = CLONE) {
  const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  });
  return [...new Set(list.split('\0'))].filter(
    (path) => /\.(ts|mts|tsx|mjs)$/.test(path) && !isGenerated(path) && existsSync(join(root, path)),
  );
}

const isGenerated = (path) => /(^|\/)generated\//.test(path) || path.endsWith('.generated.ts');

/** @param {string} path @param {string} text */
export function parse(path, text) {
  return ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
}

export function readSource(path, root = CLONE) {
  return parse(path, readFileSync(join(root, path), 'utf8'));
}

/** Line of a node, counted from 1. */
export const lineOf = (source, node) => source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;

/** Calls `see` for every node of a source. */
export function walk(node, see) {
  see(node);
  ts.forEachChild(node, (child) => walk(child, see));
}

/**
 * What a source imports: static, re-exported and dynamic imports.
 * @returns {{ specifier: string, line: number, typeOnly: boolean }[]}
 */
export function importsOf(source) {
  const found = [];
  walk(source, (node) => {
    const target =
      ts.isCallExpression(node) && isLoader(node.expression) ? node.arguments[0] : node.moduleSpecifier;
    if (!target || !ts.isStringLiteral(target)) return;
    found.push({ specifier: target.text, line: lineOf(source, node), typeOnly: isTypeOnly(node) });
  });
  return found;
}

const isLoader = (callee) =>
  callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === 'require');

function isTypeOnly(node) {
  if (ts.isImportDeclaration(node)) {
    const clause = node.importClause;
    if (!clause) return false;
    if (clause.isTypeOnly) return true;
    const named = clause.namedBindings;
    return (
      !clause.name && !!named && ts.isNamedImports(named) && named.elements.every((each) => each.isTypeOnly)
    );
  }
  return ts.isExportDeclaration(node) && node.isTypeOnly;
}

/** Prints the findings of a check and ends the process as they ask. */
export function report(name, findings, looked) {
  for (const { path, line, what, cure } of findings)
    console.error(`✖ ${path}${line ? `:${line}` : ''}  ${what}\n    ${cure}`);
  console.log(`${name}: ${looked}, ${findings.length ? `${findings.length} problems` : 'no problem'}`);
  process.exitCode = findings.length ? 1 : 0;
}
