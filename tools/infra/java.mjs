import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../start/problem.mjs';

const OLDEST_JAVA = 17;
const CURE =
  'Any one of these gives you a Kafka:\n' +
  '- set KAFKA_BROKERS and SCHEMA_REGISTRY_URL to servers that are there;\n' +
  '- start Docker (`docker info` must answer);\n' +
  '- install Java 17 or newer and Maven\n' +
  '  (Debian: apt install openjdk-17-jre-headless maven; macOS: brew install openjdk maven).\n' +
  'Without Kafka everything still runs over Postgres.';

/**
 * The `java` to use: JAVA_HOME's, else the PATH's. Throws a `Problem` where there is none, or only an old
 * one.
 */
export function findJava() {
  const home = process.env['JAVA_HOME'];
  const exe = process.platform === 'win32' ? 'java.exe' : 'java';
  const java = home && existsSync(join(home, 'bin', exe)) ? join(home, 'bin', exe) : 'java';
  const version = javaVersion(java);
  if (version === null) throw new Problem('Kafka needs Java, and none was found.', CURE);
  if (version < OLDEST_JAVA)
    throw new Problem(`Kafka needs Java ${OLDEST_JAVA}, but ${java} is Java ${version}.`, CURE);
  return java;
}

function javaVersion(java) {
  const { stderr } = spawnSync(java, ['-XshowSettings:properties', '-version'], { encoding: 'utf8' });
  const found = /java\.specification\.version = (?:1\.)?(\d+)/.exec(stderr ?? '');
  return found ? Number(found[1]) : null;
}

/** Runs `mvn package` in a folder, quietly. Rejects with a `Problem` that carries what Maven said. */
export async function runMaven(dir) {
  const windows = process.platform === 'win32';
  const mvn = spawn(windows ? 'mvn.cmd' : 'mvn', ['-q', '-B', '-ntp', 'package'], {
    cwd: dir,
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: windows, // the only way to start a .cmd; the arguments are ours
  });
  let said = '';
  for (const stream of [mvn.stdout, mvn.stderr])
    stream.setEncoding('utf8').on('data', (text) => (said = (said + text).slice(-4000)));
  const code = await new Promise((resolve) => {
    mvn.once('error', (error) => resolve(error.code));
    mvn.once('close', resolve);
  });
  if (code === 'ENOENT') throw new Problem('Kafka is fetched with Maven (`mvn`), and none was found.', CURE);
  if (code !== 0)
    throw new Problem(
      `Maven could not fetch Kafka (exit ${code}):\n${said.trim().split('\n').slice(0, 12).join('\n')}`,
      'Look at its network settings (~/.m2/settings.xml), then start again.',
    );
}
