import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { changeOf } from './asking.mjs';
import { Output, printable } from './output.mjs';
import { auraProgram } from './program.mjs';
import { chosen, knownServices, operatorName, tokenSecret } from './services.mjs';
import { silenced } from './test/silenced.mjs';

/** What the arguments ask for, without doing it. */
async function asked(...words) {
  let found;
  const program = silenced(auraProgram(async (_, asking) => void (found = asking)));
  await program.parseAsync(words, { from: 'user' });
  return found;
}

const commands = (command, path = []) =>
  command.commands.length === 0
    ? [path]
    : command.commands.flatMap((each) => commands(each, [...path, each.name()]));
const optionsOf = (path) =>
  path
    .reduce(
      (command, name) => command.commands.find((each) => each.name() === name),
      auraProgram(async () => {}),
    )
    .options.map(({ long }) => long);

describe('the command line', () => {
  const all = commands(auraProgram(async () => {}));

  it('has a help page with examples for every command', async () => {
    for (const path of all) {
      let page = '';
      const program = auraProgram(async () => {});
      const silent = silenced(program, (text) => (page += text));
      await expect(silent.parseAsync([...path, '--help'], { from: 'user' })).rejects.toMatchObject({
        exitCode: 0,
      });
      expect(page).toContain('Examples:');
      expect(page).toContain(`npm run aura -- ${path.join(' ')}`);
    }
  });

  it('O1, O2: every change takes a reason and can be tried dry; nothing else does', () => {
    const changes = all.filter((path) => optionsOf(path).includes('--dry-run')).map((path) => path.join(' '));
    expect(changes).toEqual([
      'dead-letters redrive',
      'dead-letters discard',
      'groups move',
      'groups pause',
      'groups resume',
      'relay resume-key',
      'relay mend',
      'replay outbox',
      'replay cancel',
      'sagas retry',
      'sagas abort',
      'sagas force-commit',
      'sagas force-cancel',
      'sagas resolve',
      'topics apply',
    ]);
    for (const path of all)
      expect(optionsOf(path).includes('--reason')).toBe(changes.includes(path.join(' ')));
    for (const path of all)
      expect(optionsOf(path)).toEqual(expect.arrayContaining(['--json', '--service', '--url']));
  });

  it.each([
    [['groups', 'move', '--topic', 't', '--to', '1200'], { offset: '1200' }],
    [['groups', 'move', '--topic', 't', '--to', 'first'], { to: 'first' }],
    [
      ['groups', 'move', '--topic', 't', '--to', '2026-11-26T22:00:00+01:00'],
      { time: '2026-11-26T21:00:00.000Z' },
    ],
  ])('%j means %j', async (words, to) => {
    expect((await asked(...words)).options.to).toEqual(to);
  });

  it.each([
    ['an unknown command', ['doktor'], /unknown command 'doktor'\n\(Did you mean doctor\?\)/],
    ['an unknown option', ['doctor', '--jsn'], /unknown option '--jsn'\n\(Did you mean --json\?\)/],
    ['a word too many', ['doctor', 'orders'], /too many arguments/],
    ['a time without a zone', ['replay', 'outbox', '--from', '2026-11-26 22:00'], /with its zone/],
    ['a position beyond 64 bits', ['replay', 'outbox', '--from-position', `${2n ** 63n}`], /64 bits/],
    ['a limit beyond the bound', ['dead-letters', 'list', '--limit', '1001'], /from 1 to 1000/],
    ['a state that is none', ['dead-letters', 'list', '--state', 'lost'], /one of retrying, dead/],
    ['a time span without a unit', ['sagas', 'list', '--older-than', '10'], /30s, 15m, 2h or 3d/],
    [
      'an outcome that is none',
      ['sagas', 'resolve', '7', '--branch', 'b', '--as', 'done'],
      /committed, canc/,
    ],
    ['a missing key', ['dead-letters', 'show', '--topic', 't'], /--key/],
  ])('%s is refused in words', async (_, words, said) => {
    let text = '';
    const program = silenced(
      auraProgram(async () => {}),
      (more) => (text += more),
    );
    await expect(program.parseAsync(words, { from: 'user' })).rejects.toMatchObject({
      name: 'CommanderError',
    });
    expect(text).toMatch(said);
  });

  it('a change without a reason is refused; a dry run needs none', () => {
    expect(() => changeOf({ dryRun: false })).toThrow('--reason');
    expect(() => changeOf({ dryRun: false, reason: ' a' })).toThrow('--reason');
    expect(changeOf({ dryRun: true })).toEqual({ dryRun: true, reason: 'dry run' });
    expect(changeOf({ dryRun: false, reason: 'why not' })).toEqual({ dryRun: false, reason: 'why not' });
  });
});

describe('services', () => {
  const folders = [];
  afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true })));
  const home = () => {
    const folder = mkdtempSync(join(tmpdir(), 'aura-cli-'));
    folders.push(folder);
    return folder;
  };
  const orders = { name: 'orders', url: 'http://a:1' };
  const stock = { name: 'stock', url: 'http://b:2' };

  it('come from AURA_SERVICES, or from the running demo', () => {
    const AURA_HOME = home();
    expect(knownServices({ AURA_HOME }).services).toEqual([]);
    const secretFile = join(AURA_HOME, 'secret');
    writeFileSync(secretFile, 'of the demo\n');
    const demo = { services: [stock], tokenSecretFile: secretFile };
    writeFileSync(join(AURA_HOME, 'services.json'), JSON.stringify(demo));
    const place = knownServices({ AURA_HOME });
    expect(place.services).toEqual([stock]);
    expect(tokenSecret({}, place)).toBe('of the demo');
    expect(tokenSecret({ AURA_SERVICE_TOKEN_SECRET: 'mine' }, place)).toBe('mine');
    const given = knownServices({ AURA_HOME, AURA_SERVICES: 'orders=http://a:1/, stock=http://b:2' });
    expect(given.services).toEqual([orders, stock]);
    expect(() => tokenSecret({}, given)).toThrow('set AURA_SERVICE_TOKEN_SECRET');
    expect(() => knownServices({ AURA_SERVICES: 'http://a:1' })).toThrow('write name=url');
  });

  it('are all asked by a list, and named for a change', () => {
    const place = { services: [orders, stock], from: 'here' };
    expect(chosen({}, place, { many: true })).toEqual([orders, stock]);
    expect(chosen({ service: 'all' }, place, { many: true })).toEqual([orders, stock]);
    expect(chosen({ service: 'stock' }, place, { many: false })).toEqual([stock]);
    expect(chosen({}, { ...place, services: [orders] }, { many: false })).toEqual([orders]);
    expect(() => chosen({}, place, { many: false })).toThrow('one of orders, stock');
    expect(() => chosen({ service: 'all' }, place, { many: false })).toThrow('for one service');
    expect(() => chosen({ service: 'stok' }, place, { many: true })).toThrow('there are orders, stock');
    expect(() => chosen({}, { services: [], from: 'here' }, { many: true })).toThrow('No service is known');
    expect(() => chosen({ url: 'ftp://x' }, place, { many: true })).toThrow('is no address');
  });

  it('know their operator', () => {
    expect(operatorName({ AURA_OPERATOR: 'anna@shop' })).toBe('anna@shop');
    expect(() => operatorName({ AURA_OPERATOR: 'anna b' })).toThrow('set AURA_OPERATOR');
  });
});

function printed(columns, print) {
  let text = '';
  const out = new Writable({ write: (chunk, _, done) => done(void (text += chunk)) });
  print(new Output({ json: false, out: Object.assign(out, { isTTY: columns > 0, columns }), err: out }));
  return text;
}

describe('what is printed', () => {
  it('a table fits into its terminal, and has one line per row elsewhere', () => {
    const rows = [['shop', 'word '.repeat(60)]];
    const print = (output) => output.table(['service', 'words'], rows, 'nothing');
    const lines = printed(80, print).split('\n');
    for (const line of lines) expect(stripVTControlCharacters(line).length).toBeLessThanOrEqual(80);
    expect(
      printed(0, print)
        .split('\n')
        .filter((line) => line.includes('word ')).length,
    ).toBe(1);
  });

  it('nobody paints over an alarm with the key of an event', () => {
    const evil = 'key\u001B[2Ja\rb\u009B1m';
    expect(printable(evil)).toBe('key\uFFFD[2Ja\uFFFDb\uFFFD1m');
    expect(printed(0, (output) => output.table(['key'], [[evil]], ''))).toContain(printable(evil));
  });
});
