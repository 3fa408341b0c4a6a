import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Problem } from '../start/problem.mjs';
import { answers, listens } from './daemons.mjs';

const COMPOSE = fileURLToPath(new URL('../../infra/compose.yaml', import.meta.url));
const PORTS = {
  kafka: process.env['AURA_KAFKA_PORT'] ?? '9092',
  registry: process.env['AURA_REGISTRY_PORT'] ?? '8081',
};
const ADDRESSES = {
  brokers: `127.0.0.1:${PORTS.kafka}`,
  registryUrl: `http://127.0.0.1:${PORTS.registry}/apis/ccompat/v7`,
};

/** Whether a Docker engine with Compose answers. */
export function dockerAnswers() {
  return [['info'], ['compose', 'version']].every(
    (args) => spawnSync('docker', args, { stdio: 'ignore', timeout: 10_000 }).status === 0,
  );
}

/** Starts the containers of infra/compose.yaml and waits until both answer. */
export async function composeUp() {
  compose(['up', '--detach', '--wait'], 'inherit');
  for (const stopAt = Date.now() + 60_000; !(await answers(`${ADDRESSES.registryUrl}/subjects`));) {
    if (Date.now() > stopAt)
      throw new Problem(
        'The schema registry does not answer.',
        `Look at its log: docker compose -f ${COMPOSE} logs`,
      );
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return ADDRESSES;
}

/** Stops and removes the containers. */
export function composeDown() {
  compose(['down'], 'inherit');
}

/** Where the containers answer, and whether they do. */
export async function composeStatus() {
  return { ...ADDRESSES, running: await listens(Number(PORTS.kafka)) };
}

function compose(args, stdio) {
  const { status } = spawnSync('docker', ['compose', '-f', COMPOSE, ...args], {
    stdio: ['ignore', 2, stdio],
  });
  if (status !== 0)
    throw new Problem(`docker compose ${args[0]} failed (exit ${status}).`, 'Its own words are above.');
}
