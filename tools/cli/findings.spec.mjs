// What the services tell operators to type exists: every command in the sources of libs and apps is read by
// the command line's own parser; and the README has each code of a finding.
import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { lineOf, readSource, sourcePaths, walk } from '../check/sources.mjs';
import { changeOf } from './asking.mjs';
import { auraProgram } from './program.mjs';
import { silenced } from './test/silenced.mjs';

/** What only running code knows: valid as a name, a key, an id and a number. */
const ANY = '7';
const CLONE_URL = new URL('../../', import.meta.url);
const MENTION = /npm run aura -- ([^`]+)/g;

/** The text of an expression that is one, with `ANY` for its holes; undefined for every other expression. */
function textOf(node) {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isParenthesizedExpression(node)) return textOf(node.expression);
  if (ts.isTemplateExpression(node))
    return node.head.text + node.templateSpans.map(({ literal }) => ANY + literal.text).join('');
  if (!ts.isBinaryExpression(node) || node.operatorToken.kind !== ts.SyntaxKind.PlusToken) return undefined;
  const [left, right] = [textOf(node.left), textOf(node.right)];
  return left === undefined && right === undefined ? undefined : (left ?? ANY) + (right ?? ANY);
}

/** Both sides of `when ? a : b`. */
const alternatives = (node) =>
  ts.isConditionalExpression(node)
    ? [...alternatives(node.whenTrue), ...alternatives(node.whenFalse)]
    : [textOf(node)].filter((text) => text !== undefined);

/** `command: '…'` of findings, whole; and what is said in backticks in any other text. */
function commandsOf(path) {
  const source = readSource(path);
  const found = { whole: [], mentioned: [], codes: [] };
  walk(source, (node) => {
    const where = `${path}:${lineOf(source, node)}`;
    if (ts.isPropertyAssignment(node) && node.name.getText(source) === 'command')
      for (const command of alternatives(node.initializer)) found.whole.push({ where, command });
    found.codes.push(...codesOf(node, source));
    const text = textOf(node);
    if (text === undefined || textOf(node.parent) !== undefined) return;
    for (const [, command] of text.matchAll(MENTION)) found.mentioned.push({ where, command });
  });
  return found;
}

const has = (literal, name, source) => literal.properties.some((each) => each.name?.getText(source) === name);

/** `code: '…'` beside a severity, and the codes in the types of the event path. */
function codesOf(node, source) {
  if (!ts.isPropertyAssignment(node) && !ts.isPropertySignature(node)) return [];
  if (node.name.getText(source) !== 'code') return [];
  if (ts.isPropertyAssignment(node))
    return has(node.parent, 'severity', source) ? alternatives(node.initializer) : [];
  if (!/\/eventing\//.test(source.fileName)) return [];
  const types = node.type && ts.isUnionTypeNode(node.type) ? node.type.types : [node.type];
  return types.flatMap((type) => (type && ts.isLiteralTypeNode(type) ? textOf(type.literal) : []));
}

const words = (command) =>
  [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c);

async function read(command) {
  let asked;
  const program = silenced(auraProgram(async (_, asking) => void (asked = asking)));
  await program.parseAsync(words(command), { from: 'user' });
  return asked.options;
}

const sources = sourcePaths().filter(
  (path) => /^(libs|apps)\/[^/]+\/src\/.*\.ts$/.test(path) && !/\.spec\./.test(path),
);
const found = sources.map(commandsOf);

describe('the README', () => {
  const page = readFileSync(new URL('README.md', import.meta.url), 'utf8');
  const [, section = ''] = /## What the doctor finds\n(.*)/s.exec(page) ?? [];
  const told = [...section.matchAll(/`([a-z]+(?:-[a-z]+)+)`/g)].map(([, code]) => code);

  it('has every code that a finding of the event path can have', () => {
    const codes = new Set(found.flatMap((each) => each.codes).filter((code) => code.includes('-')));
    expect(codes.size).toBeGreaterThan(20);
    expect([...codes].filter((code) => !told.includes(code))).toEqual([]);
  });

  it('has no code that there is not', () => {
    const texts = sources.map((path) => readFileSync(new URL(path, CLONE_URL), 'utf8'));
    expect(told.filter((code) => !texts.some((text) => text.includes(`'${code}'`)))).toEqual([]);
  });
});

describe('the commands that services name', () => {
  const whole = found.flatMap((each) => each.whole);
  const mentioned = found.flatMap((each) => each.mentioned);

  it('are found', () => {
    expect(whole.map(({ command }) => command)).toContain(
      `dead-letters redrive --topic ${ANY} --key ${ANY} --reason "…"`,
    );
    expect(mentioned.map(({ command }) => command)).toContain('groups resume');
  });

  it.each(whole.map(({ where, command }) => [command, where]))(
    '%s can be typed as it is (%s)',
    async (command) => {
      const options = await read(command);
      // "…" stands for the reason: that there is one is what counts.
      if ('dryRun' in options) changeOf({ ...options, reason: options.reason && 'a reason' });
    },
  );

  it.each(mentioned.map(({ where, command }) => [command, where]))('%s exists (%s)', async (command) => {
    const codes = ['commander.missingMandatoryOptionValue', 'commander.missingArgument'];
    await read(command).catch((error) => expect(codes).toContain(error.code));
  });
});
