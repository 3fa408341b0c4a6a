import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from '../start/lock.mjs';
import { progress } from '../start/progress.mjs';
import { fileProblem } from '../start/problem.mjs';
import { cacheFolder } from './cache.mjs';
import { runMaven } from './java.mjs';

export const KAFKA_VERSION = '4.4.0';
const REGISTRY_VERSION = '2.6.13.Final';
const POM = fileURLToPath(new URL('../../infra/kafka/pom.xml', import.meta.url));

/**
 * The folder with Kafka's jars (`lib/`) and the registry (`registry/`), shared by every clone of this user.
 * Fetched once, by one process at a time; it appears whole (a rename) or not at all.
 */
export async function kafkaJars() {
  const cache = join(cacheFolder(), `kafka-${KAFKA_VERSION}-registry-${REGISTRY_VERSION}`);
  if (existsSync(cache)) return cache;
  await withLock(`${cache}.lock`, () => fetchInto(cache), {
    onWait: (pid) => process.stderr.write(`… process ${pid} is fetching Kafka: waiting for it\n`),
  });
  return cache;
}

async function fetchInto(cache) {
  if (existsSync(cache)) return;
  const half = `${cache}.${process.pid}`;
  const step = progress(
    `fetching Kafka ${KAFKA_VERSION} and a schema registry from Maven, once, about 150 MB into ${cache}`,
  );
  try {
    mkdirSync(half, { recursive: true });
    copyFileSync(POM, join(half, 'pom.xml'));
    await runMaven(half);
    rmSync(join(half, 'target'), { recursive: true, force: true });
    renameSync(half, cache);
    step.done(`Kafka ${KAFKA_VERSION} and its schema registry are fetched`);
  } catch (error) {
    step.failed();
    throw fileProblem(error, half);
  } finally {
    rmSync(half, { recursive: true, force: true });
  }
}
