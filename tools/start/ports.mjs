import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';

/** Whether `port` of 127.0.0.1 can be listened on now. */
export function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** A port of 127.0.0.1 that is free now; another program may still take it before its user does. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port: 0, host: '127.0.0.1' }, () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Who listens on a port, as far as this user may know: `nginx, pid 812`, or null. */
export function listenerOn(port) {
  try {
    return process.platform === 'linux' ? linuxListener(port) : toolListener(port);
  } catch {
    return null; // only a courtesy: without rights or tools the message does without the name
  }
}

function linuxListener(port) {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const inodes = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter((field) => field[1]?.endsWith(`:${hex}`) && field[3] === '0A')
      .map((field) => `socket:[${field[9]}]`),
  );
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
    if (openFiles(pid).some((file) => inodes.includes(file)))
      return `${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()}, pid ${pid}`;
  return null;
}

function openFiles(pid) {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  } catch {
    return []; // ended in the meantime, or another user's
  }
}

function toolListener(port) {
  if (process.platform === 'win32') {
    const lines = execFileSync('netstat', ['-ano', '-p', 'TCP'], { encoding: 'utf8' }).split('\n');
    const line = lines.find((text) => text.includes(`:${port} `) && text.includes('LISTENING'));
    return line ? `pid ${line.trim().split(/\s+/).at(-1)}` : null;
  }
  const out = execFileSync('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fcp'], { encoding: 'utf8' });
  const pid = /^p(\d+)/m.exec(out)?.[1];
  return pid ? `${/^c(.+)/m.exec(out)?.[1] ?? 'a program'}, pid ${pid}` : null;
}
