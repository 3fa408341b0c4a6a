import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Problem } from '../start/problem.mjs';
import { answers, listens } from './daemons.mjs';

const COMPOSE = fileURLToPath(new URL('../../infra/compose.yaml', import.meta.url));
const port = (variable, usual) => process.env[variable] ?? usual;
/** What of infra/compose.yaml is started together, where it is found, and what answers once it is ready. */
const PARTS = {
  kafka: {
    services: ['kafka', 'registry'],
    addresses: {
      brokers: `127.0.0.1:${port('AURA_KAFKA_PORT', '9092')}`,
      registryUrl: `http://127.0.0.1:${port('AURA_REGISTRY_PORT', '8081')}/apis/ccompat/v7`,
    },
    name: 'The schema registry',
    probe: ({ registryUrl }) => `${registryUrl}/subjects`,
    port: ({ brokers }) => brokers.split(':')[1],
  },
  jaeger: {
    services: ['jaeger'],
    addresses: {
      url: `http://127.0.0.1:${port('AURA_JAEGER_PORT', '16686')}`,
      otlpEndpoint: `http://127.0.0.1:${port('AURA_JAEGER_OTLP_PORT', '4318')}`,
    },
    name: 'Jaeger',
    probe: ({ url }) => `${url}/api/services`,
    port: ({ url }) => new URL(url).port,
  },
};

/** Whether a Docker engine with Compose answers. */
export function dockerAnswers() {
  return [['info'], ['compose', 'version']].every(
    (args) => spawnSync('docker', args, { stdio: 'ignore', timeout: 10_000 }).status === 0,
  );
}

/**
 * Starts the containers of a part and waits until they answer.
 *
 * @param {keyof typeof PARTS} part
 */
export async function composeUp(part) {
  const { services, addresses, name, probe } = PARTS[part];
  compose(['up', '--detach', '--wait', ...services], 'inherit');
  for (const stopAt = Date.now() + 60_000; !(await answers(probe(addresses)));) {
    if (Date.now() > stopAt)
      throw new Problem(`${name} does not answer.`, `Look at its log: docker compose -f ${COMPOSE} logs`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return addresses;
}

/** Stops and removes the containers of a part; the others stay. */
export function composeDown(part) {
  compose(['rm', '--stop', '--force', ...PARTS[part].services], 'inherit');
}

/** Where the containers of a part answer, and whether they do. */
export async function composeStatus(part) {
  const { addresses, port: portOf } = PARTS[part];
  return { ...addresses, running: await listens(Number(portOf(addresses))) };
}

function compose(args, stdio) {
  const { status } = spawnSync('docker', ['compose', '-f', COMPOSE, ...args], {
    stdio: ['ignore', 2, stdio],
  });
  if (status !== 0)
    throw new Problem(`docker compose ${args[0]} failed (exit ${status}).`, 'Its own words are above.');
}
