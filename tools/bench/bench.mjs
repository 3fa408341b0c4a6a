// `npm run bench -- relay|consume|hop|idle|codec [--log kafka|postgres] [--json] [--runs N] [--quick]`: how
// fast the event path is, see README.md. Ends 0 with figures, 1 where an event was lost or doubled, 2 where
// something else was asked.
import { fail } from '../start/problem.mjs';
import { progress } from '../start/progress.mjs';
import { misused, readArguments } from '../start/usage.mjs';
import { benchCodec } from './codec.mjs';
import { benchConsume } from './consume.mjs';
import { benchHop } from './hop.mjs';
import { benchIdle } from './idle.mjs';
import { benchRelay } from './relay.mjs';
import { benchSagas } from './sagas.mjs';
import { printed, verdict } from './report.mjs';
import { machine, startServers } from './servers.mjs';

const BENCHES = {
  relay: benchRelay,
  consume: benchConsume,
  hop: benchHop,
  idle: benchIdle,
  codec: benchCodec,
  sagas: benchSagas,
};
const NAMES = Object.keys(BENCHES).join('|');
const USAGE = `usage: npm run bench -- ${NAMES} [options]

  relay    from the outbox into the log
  consume  from the log into a service's tables
  hop      from a commit in one service to the commit in another
  idle     what a service costs that has nothing to do
  codec    Avro to payloads and back
  sagas    from the start of a saga to its decision, four services

  --log kafka|postgres  the log (default: kafka)
  --c N,N,...           sagas under way at once (default: 1,32,128,1024)
  --fail F              this part of the sagas is refused by a participant, 0 to 1 (default: 0)
  --runs N              figures are medians of N runs, 1 to 99 (default: 3)
  --quick               small numbers, one run: shows that it works, not how fast it is
  --json                print one line of JSON

Examples:
  npm run bench -- relay
  npm run -s bench -- hop --log postgres --json`;

function asked() {
  const { values, positionals } = readArguments(USAGE, {
    log: { type: 'string' },
    runs: { type: 'string' },
    c: { type: 'string' },
    fail: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  });
  const [name, ...more] = positionals;
  if (!Object.hasOwn(BENCHES, name ?? '') || more.length > 0)
    misused(USAGE, `Give one of ${NAMES.replaceAll('|', ', ')}.`);
  const { log, quick, json, runs = quick ? '1' : '3' } = values;
  if (log !== undefined && !/^(?:kafka|postgres)$/.test(log)) misused(USAGE, `There is no log ${log}.`);
  if (log !== undefined && name === 'codec') misused(USAGE, 'codec needs no log.');
  if (!/^[1-9]\d?$/.test(runs)) misused(USAGE, `There can't be ${runs} runs: 1 to 99.`);
  if ((values.c ?? values.fail) !== undefined && name !== 'sagas')
    misused(USAGE, '--c and --fail are for sagas.');
  const concurrencies = (values.c ?? '1,32,128,1024').split(',').map(Number);
  if (!concurrencies.every((c) => Number.isInteger(c) && c > 0 && c <= 4_096))
    misused(USAGE, `--c is numbers from 1 to 4096, not ${values.c}.`);
  const failing = Number(values.fail ?? 0);
  if (!(failing >= 0 && failing <= 1)) misused(USAGE, `--fail is a part, 0 to 1, not ${values.fail}.`);
  return {
    concurrencies,
    failing,
    name,
    log: name === 'codec' ? undefined : (log ?? 'kafka'),
    quick,
    json,
    runs: Number(runs),
  };
}

async function run({ name, log, ...how }) {
  const words = log ? `bench ${name} over ${log}` : `bench ${name}`;
  const step = progress(words);
  let servers;
  try {
    servers = await startServers(log);
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
  const broken = verdict(result.rows);
  for (const sentence of broken) console.error(`✖ ${sentence}`);
  process.exit(broken.length === 0 ? 0 : 1);
} catch (error) {
  fail(error);
}
