// What tracing costs: the same sagas with tracing off, sampled and full, in turns, exported over OTLP.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { givenJaeger } from '../infra/jaeger.mjs';
import { CLONE } from '../start/bootstrap.mjs';
import { median, rowOf } from './figures.mjs';
import { drive, startSystem } from './saga-system.mjs';
import { startService } from './service-process.mjs';

const SECONDS = { full: 10, quick: 2 };
const REGISTER = pathToFileURL(join(CLONE, 'libs/service/dist/telemetry/register.js')).href;

/**
 * Each ratio has four services of its own, all of them up from the beginning. They take turns, each round in
 * another order: what slows the machine for a while, or the tables that grow, slow all of them.
 */
export async function benchSampling({ servers, runs, quick, say, concurrency, ratios }) {
  const seconds = quick ? SECONDS.quick : SECONDS.full;
  const systems = [];
  const sink = await openSink();
  try {
    for (const ratio of ratios) {
      say(`tracing ${ratio}: four services start`);
      const system = await startSystem(servers, say, processWith(ratio, sink.endpointOf(ratio)));
      systems.push({ ...system, ratio, runs: [], sagas: 0 });
      await turn(systems.at(-1), { concurrency, seconds: 2 });
    }
    for (let n = 0; n < runs; n++)
      for (const [i] of systems.entries()) {
        const system = systems[(i + n) % systems.length];
        say(`tracing ${system.ratio}, C=${concurrency}, run ${n + 1} of ${runs}`);
        system.runs.push(await turn(system, { concurrency, seconds }));
      }
    return rowsOf(systems, concurrency, await sink.counts());
  } finally {
    for (const { stop } of systems) await stop();
    await sink.stop();
  }
}

/** A load, and all that follows from it: ends, and spans on their way, belong to nobody else's turn. */
async function turn(system, how) {
  const { run, cpuMs } = await drive(system, how);
  system.sagas += run.stepsMs.length;
  return { ...run, cpuMsPerSaga: cpuMs / run.stepsMs.length };
}

/** Off: no SDK is loaded at all. Otherwise as the applications load it. */
function processWith(ratio, endpoint) {
  if (ratio === 'off') return undefined;
  return (service) => ({
    execArgv: ['--import', REGISTER],
    env: {
      ...process.env,
      OTEL_SERVICE_NAME: service,
      AURA_OTLP_ENDPOINT: endpoint,
      AURA_TRACE_SAMPLE_RATIO: ratio,
    },
  });
}

/** A given Jaeger, which counts nothing for us, or a listener in a process of its own. */
async function openSink() {
  const jaeger = givenJaeger();
  if (jaeger)
    return {
      endpointOf: () => jaeger.otlpEndpoint,
      counts: async () => undefined,
      stop: async () => undefined,
    };
  const sink = await startService({ name: 'otlp-sink' }, 'otlp-sink.mjs');
  const url = await sink.ask('url');
  return {
    endpointOf: (ratio) => `${url}/${ratio}`,
    counts: () => sink.ask('counts'),
    stop: () => sink.stop(),
  };
}

function rowsOf(systems, concurrency, counts) {
  const [base] = systems;
  return systems.map(({ ratio, runs, sagas }) => {
    const what = ratio === 'off' ? 'tracing off' : `tracing ${Number(ratio) * 100} %`;
    return rowOf({ system: 'aura', case: what, concurrency }, runs, {
      cpuMsPerSaga: round(median(runs.map((run) => run.cpuMsPerSaga))),
      ...(counts ? { spansPerSaga: round((counts[ratio] ?? 0) / sagas) } : {}),
      ...(ratio === base.ratio ? {} : costOf(runs, base.runs)),
    });
  });
}

/** How much less per second, and how much more CPU, than the base in the same round, in percent. */
function costOf(runs, baseRuns) {
  const less = runs.map(({ perSecond }, n) => 100 * (1 - perSecond / baseRuns[n].perSecond));
  const more = runs.map((run, n) => 100 * (run.cpuMsPerSaga / baseRuns[n].cpuMsPerSaga - 1));
  return { ...spreadOf('costPercent', less), ...spreadOf('cpuPercent', more) };
}

const spreadOf = (field, values) => ({
  [field]: round(median(values)),
  [`${field}Min`]: round(Math.min(...values)),
  [`${field}Max`]: round(Math.max(...values)),
});
const round = (value) => Number(value.toPrecision(3));
