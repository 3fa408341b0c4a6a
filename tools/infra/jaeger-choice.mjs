// Which Jaeger `npm run infra` uses: the given one, a container, or one built with Go.
import { Problem } from '../start/problem.mjs';
import { progress } from '../start/progress.mjs';
import { composeDown, composeStatus, composeUp, dockerAnswers } from './docker.mjs';
import { jaegerBinary } from './jaeger-binary.mjs';
import { answersAsJaeger, givenJaeger, jaegerStatus, startJaeger, stopJaeger } from './jaeger.mjs';
import { forget, remember, startedBy } from './started-by.mjs';

/** Starts one and gives its addresses, with who it is `by`: environment, docker or go. */
export async function jaegerUp(dir, signal) {
  const given = givenJaeger();
  if (given) return { by: 'environment', ...(await reached(given)) };
  const docker = !jaegerStatus({ dir })?.running && dockerAnswers();
  const by = docker ? 'docker' : 'go';
  if (!docker) await jaegerBinary({ signal }); // says itself how far it is
  const step = progress(`starting Jaeger ${docker ? 'with Docker' : 'as a program'}`);
  try {
    const { url, otlpEndpoint } = docker ? await composeUp('jaeger') : await startJaeger({ dir, signal });
    remember(dir, by);
    step.done(`Jaeger ${url}`);
    return { by, url, otlpEndpoint };
  } catch (error) {
    step.failed();
    throw error;
  }
}

/** Stops what `jaegerUp` started; true where it ran. */
export async function jaegerDown(dir) {
  const docker = startedBy(dir) === 'docker';
  if (docker) composeDown('jaeger');
  const stopped = (await stopJaeger({ dir })) || docker;
  forget(dir);
  return stopped;
}

export async function jaegerState(dir) {
  const given = givenJaeger();
  if (given) return { by: 'environment', ...given, running: (await answersAsJaeger(given)) === null };
  const by = startedBy(dir);
  if (by === 'docker') return { by, ...(await composeStatus('jaeger')) };
  return { ...(by && { by }), ...(jaegerStatus({ dir }) ?? { running: false }) };
}

/** What a person reads of it. */
export function jaegerLines({ by, running, url, otlpEndpoint }) {
  if (running === false) return ['Jaeger    not running'];
  const noPages = '  (built with Go it has no pages: traces are JSON at /api/traces/ID; Docker has them)';
  return [
    `Jaeger    ${url}${by === 'go' ? noPages : ''}`,
    `export JAEGER_URL=${url}`,
    `export AURA_OTLP_ENDPOINT=${otlpEndpoint}`,
  ];
}

async function reached(given) {
  const silent = await answersAsJaeger(given);
  if (silent === null) return given;
  throw new Problem(
    `${silent} does not answer as a Jaeger does (JAEGER_URL=${given.url}).`,
    'Start that Jaeger, set AURA_OTLP_ENDPOINT where its OTLP over HTTP is on another port than 4318,\n' +
      'or unset JAEGER_URL to have one started for you.',
  );
}
