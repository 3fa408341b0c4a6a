// The servers of a clone: `npm run infra -- up|down|status [--kafka] [--jaeger] [--json] [--dir DIR] ...`.
//
// Always Postgres. With --kafka: Kafka and a schema registry as well, the first of these that there is:
// KAFKA_BROKERS + SCHEMA_REGISTRY_URL; a Docker engine (infra/compose.yaml); Java with Maven. With --jaeger:
// JAEGER_URL; a Docker engine; one built with Go. `up` leaves them running and ends; `down` stops what `up`
// started, whoever ran it; `status` only looks.
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { postgresStatus, startPostgres, stopPostgres } from '../start/postgres.mjs';
import { fail, Problem } from '../start/problem.mjs';
import { progress } from '../start/progress.mjs';
import { misused, readArguments } from '../start/usage.mjs';
import { answers, listens } from './daemons.mjs';
import { composeDown, composeStatus, composeUp, dockerAnswers } from './docker.mjs';
import { jaegerDown, jaegerLines, jaegerState, jaegerUp } from './jaeger-choice.mjs';
import { kafkaStatus, startKafka, stopKafka } from './kafka.mjs';
import { forget, remember, startedBy } from './started-by.mjs';

const CLONE = resolve(fileURLToPath(new URL('../..', import.meta.url)));
const USAGE = `usage: npm run infra -- up|down|status [options]

  up        starts Postgres and leaves it running
  down      stops what up started
  status    looks what is running

  --kafka          Kafka and a schema registry as well
  --jaeger         Jaeger as well, for traces (JAEGER_URL, Docker, or built once with Go)
  --brokers 1|2|3  how many brokers (default: 1)
  --json           print one line of JSON
  --dir DIR        where data and logs are kept (default: .aura in this clone)

Examples:
  npm run infra -- up --kafka
  npm run infra -- up --jaeger
  npm run -s infra -- status --json
  npm run infra -- down`;
/** Two signals closer than this are one (ms): a terminal tells the whole group, and run.mjs passes it on. */
const REPEAT_MS = 500;

/** Kafka as the environment gives it; null where it gives none. Half of it is a mistake. */
function givenKafka() {
  const { KAFKA_BROKERS: brokers, SCHEMA_REGISTRY_URL: registryUrl } = process.env;
  if (!brokers && !registryUrl) return null;
  if (brokers && registryUrl) return { brokers, registryUrl };
  const [there, missing] = brokers
    ? ['KAFKA_BROKERS', 'SCHEMA_REGISTRY_URL']
    : ['SCHEMA_REGISTRY_URL', 'KAFKA_BROKERS'];
  throw new Problem(`${there} is set, but ${missing} is not.`, 'Set both, or neither.');
}

async function isUp({ brokers, registryUrl }) {
  const ports = brokers.split(',').map((broker) => /^(?:127\.0\.0\.1|localhost):(\d+)$/.exec(broker)?.[1]);
  const local = ports.filter(Boolean).map((port) => listens(Number(port)));
  return (await Promise.all([...local, answers(`${registryUrl}/subjects`)])).every(Boolean);
}

async function kafkaUp(dir, brokers, signal) {
  const given = givenKafka();
  if (given) {
    if (await isUp(given)) return { by: 'environment', ...given };
    throw new Problem(
      `KAFKA_BROKERS=${given.brokers} or SCHEMA_REGISTRY_URL=${given.registryUrl} does not answer.`,
      'Start those servers, or unset both variables to have some started for you.',
    );
  }
  const docker = brokers === 1 && !kafkaStatus({ dir })?.running && dockerAnswers();
  const step = progress(`starting Kafka and a schema registry with ${docker ? 'Docker' : 'Java'}`);
  try {
    const kafka = docker ? await composeUp('kafka') : await startKafka({ dir, brokers, signal });
    remember(dir, docker ? 'docker' : 'java');
    step.done(`Kafka ${kafka.brokers}, schema registry ${kafka.registryUrl}`);
    return { by: docker ? 'docker' : 'java', brokers: kafka.brokers, registryUrl: kafka.registryUrl };
  } catch (error) {
    step.failed();
    throw error;
  }
}

async function up({ dir, kafka, jaeger, brokers, signal }) {
  const step = progress('starting Postgres');
  const postgres = await startPostgres({ dir: dir.postgres, keep: true }).catch((error) => {
    step.failed();
    throw error;
  });
  step.done(`Postgres on 127.0.0.1:${postgres.port}, data in ${postgres.dir}`);
  return {
    postgres: { url: postgres.url, port: postgres.port },
    ...(kafka && { kafka: await kafkaUp(dir.kafka, brokers, signal) }),
    ...(jaeger && { jaeger: await jaegerUp(dir.jaeger, signal) }),
  };
}

/** Without --kafka and --jaeger too: `down` leaves nothing of `up` behind. */
async function down({ dir }) {
  const by = startedBy(dir.kafka);
  if (by === 'docker') composeDown('kafka');
  const kafka = (await stopKafka({ dir: dir.kafka })) || by === 'docker';
  forget(dir.kafka);
  const jaeger = await jaegerDown(dir.jaeger);
  return { postgres: await stopPostgres({ dir: dir.postgres }), kafka, jaeger };
}

async function status({ dir }) {
  const given = givenKafka();
  const own =
    startedBy(dir.kafka) === 'docker' ? await composeStatus('kafka') : kafkaStatus({ dir: dir.kafka });
  return {
    postgres: postgresStatus({ dir: dir.postgres }) ?? { running: false },
    kafka: given ? { ...given, running: await isUp(given) } : (own ?? { running: false }),
    jaeger: await jaegerState(dir.jaeger),
  };
}

function say(command, result) {
  if (command === 'down') {
    const stopped = Object.keys(result).filter((name) => result[name]);
    return stopped.length > 0 ? `stopped: ${stopped.join(', ')}` : 'nothing was running';
  }
  const { postgres, kafka, jaeger } = result;
  const lines = [`Postgres  ${postgres.running === false ? 'not running' : postgres.url}`];
  if (kafka?.running === false) lines.push('Kafka     not running');
  else if (kafka)
    lines.push(`export KAFKA_BROKERS=${kafka.brokers}`, `export SCHEMA_REGISTRY_URL=${kafka.registryUrl}`);
  if (jaeger) lines.push(...jaegerLines(jaeger));
  return lines.join('\n');
}

/** Aborted by the first Ctrl-C or SIGTERM; a later one ends the process at once. */
function firstSignal() {
  const controller = new AbortController();
  let first;
  for (const signal of ['SIGINT', 'SIGTERM'])
    process.on(signal, () => {
      first ??= performance.now();
      if (performance.now() - first > REPEAT_MS) process.exit(130);
      controller.abort();
    });
  return controller.signal;
}

async function main() {
  const { values, positionals } = readArguments(USAGE, {
    kafka: { type: 'boolean', default: false },
    jaeger: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    brokers: { type: 'string', default: '1' },
    dir: { type: 'string', default: join(CLONE, '.aura') },
  });
  const commands = { up, down, status };
  const [command, ...more] = positionals;
  if (!Object.hasOwn(commands, command ?? '') || more.length > 0)
    misused(USAGE, 'Give one of up, down and status.');
  if (!/^[123]$/.test(values.brokers)) misused(USAGE, `There can't be ${values.brokers} brokers.`);
  const home = resolve(values.dir);
  const result = await commands[command]({
    dir: { postgres: join(home, 'postgres'), kafka: join(home, 'kafka'), jaeger: join(home, 'jaeger') },
    kafka: values.kafka,
    jaeger: values.jaeger,
    brokers: Number(values.brokers),
    signal: firstSignal(),
  });
  console.log(values.json ? JSON.stringify(result) : say(command, result));
  process.exit(0); // the daemons' pipes must not keep this open
}

await main().catch(fail);
