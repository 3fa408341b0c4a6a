// `npm run bench -- NAME [options]`: how fast the event path and the sagas are, see README.md. Ends 0 with
// figures, 1 where an event was lost or doubled or a saga ended otherwise than it should, 2 where something
// else was asked.
import { fail } from '../start/problem.mjs';
import { progress } from '../start/progress.mjs';
import { asked } from './arguments.mjs';
import { benchCodec } from './codec.mjs';
import { benchConsume } from './consume.mjs';
import { benchHop } from './hop.mjs';
import { benchIdle } from './idle.mjs';
import { benchRelay } from './relay.mjs';
import { benchSagas } from './sagas.mjs';
import { benchCurve } from './saga-curve.mjs';
import { benchSampling } from './saga-sampling.mjs';
import { printed, verdict } from './report.mjs';
import { machine, startServers } from './servers.mjs';

const BENCHES = {
  relay: benchRelay,
  consume: benchConsume,
  hop: benchHop,
  idle: benchIdle,
  codec: benchCodec,
  sagas: benchSagas,
  'sagas-curve': benchCurve,
  'sagas-sampling': benchSampling,
};

async function run({ name, log, ...how }) {
  const words = log ? `bench ${name} over ${log}` : `bench ${name}`;
  const step = progress(words);
  let servers;
  try {
    servers = await startServers(log, { registry: how.cases?.includes('purchase') });
    const on = await machine(servers.adminUrl);
    const say = (what) => step.update(`${words}: ${what}`);
    const rows = await BENCHES[name]({ servers, say, ...how });
    step.done(words);
    return { bench: name, log: log ?? null, machine: on, rows };
  } catch (error) {
    step.failed();
    throw error;
  } finally {
    await servers?.stop();
  }
}

try {
  const options = asked();
  const result = await run(options);
  console.log(printed(result, options.json));
  const broken = verdict(result);
  for (const sentence of broken) console.error(`✖ ${sentence}`);
  process.exit(broken.length === 0 ? 0 : 1);
} catch (error) {
  fail(error);
}
