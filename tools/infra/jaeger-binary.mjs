// Jaeger as a program, built from its Go module: its makers ship it as a container image or from a host that
// no package manager knows. As a command, `node tools/infra/jaeger-binary.mjs` builds it and prints its path;
// with --fetch it only fetches what is built.
//
// Checked: the module's own hash is written here (and asked of Go's checksum database, unless that is turned
// off), and its go.sum holds those of everything that it needs.
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from '../start/lock.mjs';
import { fail, fileProblem, Problem } from '../start/problem.mjs';
import { progress } from '../start/progress.mjs';
import { cacheFolder } from './cache.mjs';
import { checkGo, JAEGER_CURE, runGo } from './go.mjs';

/** The Go module's version of Jaeger 2.13.0; later ones have no version that Go can fetch. */
const VERSION = 'v1.76.0';
const MODULE = `github.com/jaegertracing/jaeger@${VERSION}`;
const SUM = 'h1:sWCOOF1dr+NL0PLil7mFo3BqqQL8k4WiM7aguFbc14g=';

/**
 * The path of the program, shared by every clone of this user. Built once, by one process at a time; it
 * appears whole (a rename) or not at all. Throws a `Problem` where it is not there and can't be built, or may
 * not be (`build: false`).
 *
 * @param {{ build?: boolean, signal?: AbortSignal }} [options]
 */
export async function jaegerBinary({ build = true, signal } = {}) {
  const folder = join(cacheFolder(), `jaeger-${VERSION}`);
  const file = join(folder, process.platform === 'win32' ? 'jaeger.exe' : 'jaeger');
  if (existsSync(file)) return file;
  if (!build)
    throw new Problem(
      'No Jaeger has been built here yet.',
      'Build it once (Go 1.24, about five minutes): npm run infra -- up --jaeger\n' +
        'or set JAEGER_URL to one that is there.',
    );
  checkGo();
  await withLock(`${folder}.lock`, () => buildInto(folder, file, signal), {
    onWait: (pid) => process.stderr.write(`… process ${pid} is building Jaeger: waiting for it\n`),
  });
  return file;
}

async function buildInto(folder, file, signal) {
  if (existsSync(file)) return;
  const half = `${folder}.${process.pid}`;
  const step = progress(`building Jaeger with Go, once, which takes some minutes (into ${folder})`);
  try {
    mkdirSync(half, { recursive: true });
    const source = await fetchSource(signal);
    const output = join(half, file.slice(folder.length + 1));
    // Not optimised: a third less to do, and it is to take the traces of one machine.
    const quick = ['-gcflags=all=-N -l', '-ldflags=-s -w'];
    const flags = ['-trimpath', '-buildvcs=false', ...quick, '-o', output];
    await runGo(['build', ...flags, './cmd/jaeger'], { cwd: source, signal });
    renameSync(half, folder);
    step.done('Jaeger is built');
  } catch (error) {
    step.failed();
    throw fileProblem(error, half);
  } finally {
    rmSync(half, { recursive: true, force: true });
  }
}

/** The module's folder in Go's own cache, which is read-only: it is built there, with its own go.sum. */
async function fetchSource(signal) {
  const { Dir: dir, Sum: sum } = JSON.parse(await runGo(['mod', 'download', '-json', MODULE], { signal }));
  if (sum === SUM) return dir;
  throw new Problem(
    `What came as ${MODULE} is not what its makers published: its hash is ${sum}, not ${SUM}.`,
    `Ask whoever runs your Go proxy (\`go env GOPROXY\`). Without it:\n${JAEGER_CURE}`,
  );
}

/** As a command. What it does ends with it. */
async function main(argument) {
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => interrupted.abort());
  const { signal } = interrupted;
  if (argument !== '--fetch') return jaegerBinary({ signal });
  checkGo();
  return fetchSource(signal);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(await main(process.argv[2]).catch(fail));
