import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from './problem.mjs';

/** From here on `import-in-the-middle` can hook modules without a second thread, which telemetry needs. */
const WANTED = [24, 11, 1];
const LEAST_TO_INSTALL = 20;

/**
 * Machines for which npm has a Node 24 that `npm ci` installs beside the rest (glibc only, see `hasMusl`).
 */
const BUNDLED = ['linux-x64', 'linux-arm64', 'win32-x64'];

/** Throws a `Problem` with the command that cures it where this Node cannot even begin. */
export function checkMachine(machine = thisMachine()) {
  const { version, platform, arch, musl } = machine;
  if (isRecent(version)) return;
  if (Number(version.split('.')[0]) < LEAST_TO_INSTALL)
    throw new Problem(
      `This needs Node ${LEAST_TO_INSTALL} or newer to begin with; this is Node ${version}.`,
      `Install Node 24: ${installCommand(platform)}`,
    );
  const system = platform === 'darwin' ? 'macOS' : `${platform}-${arch}${musl ? ' with musl' : ''}`;
  if (!BUNDLED.includes(`${platform}-${arch}`) || musl)
    throw new Problem(
      `On ${system} Node 24 has to be installed: npm has none for it. This is Node ${version}.`,
      `Install Node 24: ${installCommand(platform)}`,
    );
}

function installCommand(platform) {
  if (platform === 'darwin')
    return '`brew install node@24 && brew link --overwrite node@24`, or `nvm install 24`';
  if (platform === 'win32') return '`winget install OpenJS.NodeJS.LTS`, or https://nodejs.org';
  return '`nvm install 24` (https://github.com/nvm-sh/nvm), or https://nodejs.org';
}

function thisMachine() {
  const { platform, arch } = process;
  return { version: process.versions.node, platform, arch, musl: hasMusl() };
}

const hasMusl = () => process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime;

const isRecent = (version) => {
  const [major, minor, patch] = version.split('.').map((part) => parseInt(part, 10));
  const [wantedMajor, wantedMinor, wantedPatch] = WANTED;
  if (major !== wantedMajor) return major > wantedMajor;
  return minor > wantedMinor || (minor === wantedMinor && patch >= wantedPatch);
};

/** Path of the Node 24 that runs the workspace: the one that npm installed here, else this one. */
export function workspaceNode(clone) {
  const { platform, arch } = process;
  const name = platform === 'win32' ? `node-win-${arch}/bin/node.exe` : `node-${platform}-${arch}/bin/node`;
  const bundled = join(clone, 'node_modules', name);
  if (existsSync(bundled)) return bundled;
  if (isRecent(process.versions.node)) return process.execPath;
  throw new Problem(
    `npm did not install the Node 24 of this workspace (${bundled}).`,
    'Run `npm ci` without --omit=optional, or install Node 24 yourself.',
  );
}
