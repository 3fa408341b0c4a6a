// `npm run chaos -- events|brokers|sagas [options]`: services under load, crashes in rounds, and at the end
// the books of what was committed and what took effect. Ends 0 where the promise was kept, else 1.
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { CLONE } from '../start/bootstrap.mjs';
import { fail, Problem } from '../start/problem.mjs';
import { progress } from '../start/progress.mjs';
import { misused, readArguments } from '../start/usage.mjs';
import { startTestKafka } from '../infra/kafka.mjs';
import { chaosOfSagas } from './sagas.mjs';

/** What each campaign crashes, and how many rounds it has where none is asked for. */
const CAMPAIGNS = {
  events: { strikes: 'services', rounds: 50 },
  brokers: { strikes: 'brokers', rounds: 20 },
};
const USAGE = `usage: npm run chaos -- events|brokers [options]
       npm run chaos -- sagas [--seconds N] [--log postgres|kafka] [--seed S] [--json]

  events   kills services under load (SIGKILL), at random: 50 rounds, each at least one of three
  brokers  kills one of three Kafka brokers under load (SIGKILL), at random: 20 rounds
  sagas    kills the services of sagas under up to 260 starts a second, one every 5 s: 300 seconds

  --rounds N            how many rounds
  --seed S              draws the rounds of an earlier run again
  --log postgres|kafka  the log of \`events\` and \`sagas\` (default: postgres)
  --seconds N           how long \`sagas\` are under load
  --json                one line of \`sagas\` for scripts

Examples:
  npm run chaos -- events
  npm run chaos -- events --log kafka --rounds 10
  npm run chaos -- brokers --seed 1955388483
  npm run chaos -- sagas --log kafka --seconds 60`;

function asked() {
  const { values, positionals } = readArguments(USAGE, {
    rounds: { type: 'string' },
    seed: { type: 'string' },
    log: { type: 'string' },
    seconds: { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  if (positionals.join() === 'sagas') return askedOfSagas(values);
  const [name, ...more] = positionals;
  const campaign = Object.hasOwn(CAMPAIGNS, name ?? '') && more.length === 0 ? CAMPAIGNS[name] : null;
  if (!campaign) misused(USAGE, 'Give one of events, brokers and sagas.');
  const { rounds = String(campaign.rounds), seed, log } = values;
  if (!/^[1-9]\d{0,3}$/.test(rounds)) misused(USAGE, `There can't be ${rounds} rounds: 1 to 9999.`);
  if (seed !== undefined && !/^\d{1,10}$/.test(seed)) misused(USAGE, `${seed} is no seed: a whole number.`);
  if (log !== undefined && name === 'brokers') misused(USAGE, 'The log of `brokers` is Kafka.');
  if (log !== undefined && !/^(?:postgres|kafka)$/.test(log)) misused(USAGE, `There is no log ${log}.`);
  return {
    name,
    strikes: campaign.strikes,
    rounds: Number(rounds),
    seed: Number(seed ?? Math.floor(Math.random() * 2 ** 31)),
    log: name === 'brokers' ? 'brokers' : (log ?? 'postgres'),
  };
}

function askedOfSagas({ rounds, seed, log = 'postgres', seconds = '300', json }) {
  if (rounds !== undefined) misused(USAGE, 'Sagas have no rounds: give --seconds.');
  if (!/^[1-9]\d{0,4}$/.test(seconds)) misused(USAGE, `${seconds} is no number of seconds: 1 to 99999.`);
  if (seed !== undefined && !/^\d{1,10}$/.test(seed)) misused(USAGE, `${seed} is no seed: a whole number.`);
  if (!/^(?:postgres|kafka)$/.test(log)) misused(USAGE, `There is no log ${log}.`);
  return {
    name: 'sagas',
    seconds: Number(seconds),
    seed: Number(seed ?? Math.floor(Math.random() * 2 ** 31)),
    log,
    json,
  };
}

const load = (path) => import(pathToFileURL(join(CLONE, path)).href);

async function run({ name, strikes, rounds, seed, log }) {
  const { campaign } = await load('e2e/dist/crash/campaign.js');
  const { seeded } = await load('libs/testing/dist/index.js');
  const random = seeded(`chaos ${name}`, seed, console.error);
  const registry = await registryFor(log);
  const words = `chaos ${name} over ${log}: ${rounds} rounds`;
  const step = progress(words);
  try {
    const verdict = await campaign({
      log,
      rounds,
      strikes,
      random,
      onRound: (round, crashes) => {
        const times = [...crashes.values()].reduce((sum, n) => sum + n, 0);
        step.update(`${words}, ${round} done, ${times} crashes`);
      },
    });
    if (verdict.broken.length > 0) step.failed();
    else step.done();
    return verdict;
  } catch (error) {
    step.failed();
    throw error;
  } finally {
    await registry?.stop();
  }
}

/** Kafka's readers need a registry: the environment's, or one of the campaign's own. */
async function registryFor(log) {
  if (log === 'postgres' || process.env['SCHEMA_REGISTRY_URL']) return undefined;
  const kafka = await startTestKafka();
  process.env['SCHEMA_REGISTRY_URL'] = kafka.registryUrl;
  return kafka;
}

function table({ counts, crashes, tookMs, broken }, { seed, rounds }) {
  const rows = [
    ['seed', seed],
    ['rounds', rounds],
    ...[...crashes]
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([name, times]) => [`crashes of ${name}`, times]),
    ...Object.entries(counts),
    ['seconds', Math.round(tookMs / 1_000)],
    ['broken promises', broken.length],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${String(value).padStart(10)}`).join('\n');
}

const MOST_NAMED = 20;

try {
  const options = asked();
  if (options.name === 'sagas') process.exit(await chaosOfSagas(options, { load, registryFor }));
  const verdict = await run(options);
  console.log(table(verdict, options));
  for (const sentence of verdict.broken.slice(0, MOST_NAMED)) console.log(`✖ ${sentence}`);
  if (verdict.broken.length > MOST_NAMED) console.log(`✖ and ${verdict.broken.length - MOST_NAMED} more`);
  console.log(
    verdict.broken.length === 0
      ? '✔ every event that was committed took effect once, in order'
      : `✖ the promise was broken; again with --seed ${options.seed}`,
  );
  process.exit(verdict.broken.length === 0 ? 0 : 1);
} catch (error) {
  fail(
    error instanceof Error && error.code === 'ERR_MODULE_NOT_FOUND'
      ? new Problem(
          'The end-to-end programs are not built.',
          '`npm run build`, or start this with `npm run chaos`.',
          { cause: error },
        )
      : error,
  );
}
