// What a bench is asked for: read, checked, and refused in words.
import { misused, readArguments } from '../start/usage.mjs';

const ABOUT = {
  relay: 'from the outbox into the log',
  consume: "from the log into a service's tables",
  hop: 'from a commit in one service to the commit in another',
  idle: 'what a service costs that has nothing to do',
  codec: 'Avro to payloads and back',
  sagas: 'from the start of a saga to its decision, four services; beside DBOS and Restate',
  'sagas-curve': 'the same behind more and more history: cost per saga, memory, tables',
  'sagas-sampling': 'the same with tracing off, sampled, and full',
};
export const NAMES = Object.keys(ABOUT);

const USAGE = `usage: npm run bench -- ${NAMES.join('|')} [options]

${Object.entries(ABOUT)
  .map(([name, about]) => `  ${name.padEnd(14)}  ${about}`)
  .join('\n')}

  --log kafka|postgres  the log (default: kafka)
  --runs N              figures are medians of N runs, 1 to 99 (default: 3)
  --quick               small numbers, one run, no peers: shows that it works, not how fast it is
  --json                print one line of JSON

of sagas:
  --case noop|purchase|all  branches that do nothing, the real applications, or both (default: all)
  --c N,N,...               sagas under way at once (default: 1,32,128,1024); curve, sampling: one N (128)
  --fail F                  this part is refused by a participant, 0 to 1 (default: 0)
  --peers, --no-peers       whether DBOS and Restate run too, fetched with npm once (default: not if --quick)
of sagas-curve:
  --to N                    the last point, of 1000, 3000, ... 1000000 (default: 1000000)
  --driven N                history beyond so many sagas is written by SQL (default: 30000)
of sagas-sampling:
  --trace-ratio R,R,...     off, or a part from 0 to 1; the first is what the others are compared with
                            (default: off,0.1,1)

Examples:
  npm run bench -- relay
  npm run -s bench -- hop --log postgres --json
  npm run bench -- sagas --case noop --c 128`;

const OPTIONS = {
  log: { type: 'string' },
  runs: { type: 'string' },
  quick: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  case: { type: 'string' },
  c: { type: 'string' },
  fail: { type: 'string' },
  peers: { type: 'boolean' },
  'no-peers': { type: 'boolean' },
  to: { type: 'string' },
  driven: { type: 'string' },
  'trace-ratio': { type: 'string' },
};

/** Which bench an option belongs to; those that are not here belong to all. */
const ONLY_OF = {
  case: ['sagas'],
  fail: ['sagas'],
  peers: ['sagas'],
  'no-peers': ['sagas'],
  c: ['sagas', 'sagas-curve', 'sagas-sampling'],
  to: ['sagas-curve'],
  driven: ['sagas-curve'],
  'trace-ratio': ['sagas-sampling'],
};
const CASES = { noop: ['noop'], purchase: ['purchase'], all: ['noop', 'purchase'] };

const refuse = (sentence) => misused(USAGE, sentence);

/** Ends the process with words where it was asked for something else. */
export function asked() {
  const { values, positionals } = readArguments(USAGE, OPTIONS);
  const [name, ...more] = positionals;
  if (!NAMES.includes(name) || more.length > 0) refuse(`Give one of ${NAMES.join(', ')}.`);
  const { log, quick, json, runs = quick ? '1' : '3' } = values;
  if (log !== undefined && !/^(?:kafka|postgres)$/.test(log)) refuse(`There is no log ${log}.`);
  if (log !== undefined && name === 'codec') refuse('codec needs no log.');
  if (!/^[1-9]\d?$/.test(runs)) refuse(`There can't be ${runs} runs: 1 to 99.`);
  if (values.runs && name === 'sagas-curve') refuse('sagas-curve has no runs: it goes one way.');
  for (const [option, names] of Object.entries(ONLY_OF))
    if (values[option] !== undefined && !names.includes(name))
      refuse(`--${option} is for ${names.join(' and ')}.`);
  return {
    name,
    log: name === 'codec' ? undefined : (log ?? 'kafka'),
    quick,
    json,
    runs: Number(runs),
    ...(name.startsWith('sagas') ? ofSagas(name, values) : {}),
  };
}

function ofSagas(name, { quick, ...values }) {
  const { case: which = 'all', fail = '0', to = '1000000', driven = '30000' } = values;
  if (!Object.hasOwn(CASES, which)) refuse(`--case is noop, purchase or all, not ${which}.`);
  if (values.peers && values['no-peers']) refuse('Give --peers or --no-peers, not both.');
  const failing = Number(fail);
  if (fail.trim() === '' || !(failing >= 0 && failing <= 1)) refuse(`--fail is a part, 0 to 1, not ${fail}.`);
  for (const [option, n] of Object.entries({ to, driven }))
    if (!/^\d{1,8}$/.test(n) || Number(n) < 1_000) refuse(`--${option} is 1000 or more sagas, not ${n}.`);
  const at = concurrencies(name, values.c);
  if (name === 'sagas-curve') return { concurrency: at[0], to: Number(to), driven: Number(driven) };
  if (name === 'sagas-sampling')
    return { concurrency: at[0], ratios: ratios(values['trace-ratio'] ?? 'off,0.1,1') };
  const peers = values.peers ?? !(quick || values['no-peers']);
  return { concurrencies: at, failing, cases: CASES[which], peers };
}

function concurrencies(name, text = name === 'sagas' ? '1,32,128,1024' : '128') {
  const numbers = text.split(',').map(Number);
  if (!numbers.every((c) => Number.isInteger(c) && c > 0 && c <= 4_096))
    refuse(`--c is numbers from 1 to 4096, not ${text}.`);
  if (numbers.length > 1 && name !== 'sagas') refuse(`--c is one number for ${name}, not ${text}.`);
  return numbers;
}

function ratios(text) {
  const each = text.split(',');
  if (!each.every((ratio) => ratio === 'off' || /^(?:0|1|0?\.\d+)$/.test(ratio)))
    refuse(`--trace-ratio is off, or a part from 0 to 1, not ${text}.`);
  if (each.length < 2 || new Set(each).size < each.length)
    refuse(`--trace-ratio is two or more, each once, not ${text}.`);
  return each;
}
