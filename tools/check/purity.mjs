// Keeps the files that a lib calls pure (`"aura": { "pure": [...] }` in its package.json) free of I/O,
// frameworks, clock and chance: `node tools/check/purity.mjs`. A pure file may import types from anywhere,
// values from pure files only.
import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { CLONE, importsOf, lineOf, readSource, report, walk } from './sources.mjs';
import { workspace } from './workspace.mjs';

const IMPURE_PACKAGE =
  /^(pg|pg-.*|typeorm|kafkajs|@kafkajs\/.*|@nestjs\/.*|express|pino.*|cockatiel|@opentelemetry\/sdk-.*)$/;
/** Node's modules that only compute. */
const PURE_NODE = ['node:assert', 'node:buffer', 'node:util', 'node:path', 'node:url', 'node:querystring'];
const IMPURE_NAMES = [
  'setTimeout',
  'setInterval',
  'setImmediate',
  'fetch',
  'process',
  'performance',
  'console',
];
const IMPURE_CALLS = [
  'Date.now',
  'Math.random',
  'crypto.randomUUID',
  'crypto.getRandomValues',
  'randomUUID',
  'randomBytes',
];
/** Of node:crypto only this is a function of its arguments. */
const PURE_CRYPTO = ['createHash', 'createHmac', 'hash', 'timingSafeEqual'];

/**
 * What is impure in one source. Pure itself.
 * @param {ts.SourceFile} source
 * @param {Set<string>} pureFiles paths of the lib's pure files
 */
export function impurities(source, pureFiles) {
  const path = source.fileName;
  const found = [];
  const add = (line, what, cure) => found.push({ path, line, what, cure });
  for (const { specifier, line, typeOnly } of importsOf(source)) {
    if (typeOnly) continue;
    const target = posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts');
    if (specifier.startsWith('.')) {
      if (!pureFiles.has(target))
        add(
          line,
          `imports ${specifier}, which is not pure`,
          'Import only its types, or list it as pure as well.',
        );
    } else if (!isPurePackage(specifier))
      add(line, `imports ${specifier}`, 'Hand in what it gives as an argument.');
  }
  walk(source, (node) => {
    const name = impureUse(node, source);
    if (name) add(lineOf(source, node), `uses ${name}`, 'Time, chance and effects come in as arguments.');
  });
  return found;
}

const isPurePackage = (specifier) =>
  specifier.startsWith('node:')
    ? PURE_NODE.includes(specifier) || specifier === 'node:crypto'
    : !IMPURE_PACKAGE.test(specifier);

function impureUse(node, source) {
  if (ts.isImportSpecifier(node)) {
    const from = node.parent.parent.parent.moduleSpecifier.text;
    const name = (node.propertyName ?? node.name).text;
    return from === 'node:crypto' && !isTypePosition(node) && !PURE_CRYPTO.includes(name)
      ? `${name} of node:crypto`
      : null;
  }
  if (ts.isNewExpression(node) && node.expression.getText(source) === 'Date' && !node.arguments?.length)
    return 'new Date()';
  if (ts.isPropertyAccessExpression(node) && IMPURE_CALLS.includes(node.getText(source)))
    return node.getText(source);
  if (ts.isIdentifier(node) && IMPURE_NAMES.includes(node.text) && isFreeName(node)) return node.text;
  return null;
}

const isTypePosition = (node) => node.isTypeOnly || node.parent.parent.isTypeOnly;

/**
 * The identifier stands for the global itself, not for a property, a parameter or a declaration of that name.
 */
function isFreeName(node) {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isTypeQueryNode(parent) || ts.isTypeReferenceNode(parent)) return false;
  return !('name' in parent && parent.name === node) && !ts.isImportSpecifier(parent);
}

function check() {
  const findings = [];
  let looked = 0;
  for (const { path: folder, manifest } of workspace()) {
    const listed = (manifest.aura?.pure ?? []).map((file) => posix.join(folder, file));
    const pureFiles = new Set(listed);
    looked += listed.length;
    for (const path of listed) {
      if (existsSync(join(CLONE, path))) findings.push(...impurities(readSource(path), pureFiles));
      else
        findings.push({
          path: `${folder}/package.json`,
          what: `lists ${path}, which is not there`,
          cure: 'Correct aura.pure.',
        });
    }
  }
  report('purity', findings, `${looked} pure files`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) check();
