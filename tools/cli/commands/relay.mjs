import { limitOption } from '../arguments.mjs';
import { askAll, changeOf, none, said } from '../asking.mjs';
import { counted, timeText } from '../output.mjs';

/** `relay status|resume-key|mend` */
export function addRelay(program, { act, asking, changing, examples }) {
  const group = program.command('relay').description('what carries the outbox to the log');
  limitOption(
    asking(
      group.command('status').description('who leads, what waits, which keys are parked, what stops it'),
      {
        many: true,
      },
    ),
  )
    .addHelpText('after', examples(['relay status', 'relay status --service orders --json']))
    .action(act(status, { many: true }));
  changing(group.command('resume-key').description('publish what waits of a parked key, in order'))
    .requiredOption('--topic <name>', 'topic of the key')
    .requiredOption('--key <key>', 'the key')
    .addHelpText(
      'after',
      examples([
        'relay resume-key --topic orders.events --key order-17 --reason "the topic takes 2 MiB now"',
      ]),
    )
    .action(act(resumeKey));
  changing(
    group
      .command('mend')
      .description('do what a finding offers that has stopped the relay, as the doctor describes it'),
  )
    .argument('<code>', 'sequence-behind, database-went-back, topic-behind or partitions-changed')
    .addHelpText(
      'after',
      examples(['relay mend topic-behind --dry-run', 'relay mend topic-behind --reason "…"']),
    )
    .action(act(mend));
}

async function status(context) {
  const { options, output } = context;
  const { answers, exitCode } = await askAll(context, (client) =>
    client.get('relay', { limit: options.limit }),
  );
  const rows = (of) => answers.flatMap(({ service, answer }) => of(answer).map((each) => [service, each]));
  output.table(
    ['service', 'relay', 'waiting', 'oldest', 'last error'],
    answers.map(({ service, answer: { leader, waiting, waitingSeconds, lastError } }) => [
      service,
      leader ? 'leads' : 'stands by',
      waiting,
      waitingSeconds === undefined ? '' : `${Math.round(waitingSeconds)} s`,
      lastError,
    ]),
    '',
  );
  const parked = rows(({ parkedKeys }) => parkedKeys);
  if (parked.length > 0) output.line('\nParked keys:');
  output.table(
    ['service', 'topic', 'key', 'waiting', 'since', 'error'],
    parked.map(([service, { topic, key, waiting, since, error }]) => [
      service,
      topic,
      key,
      waiting,
      timeText(since),
      `${error.name}: ${error.message}`,
    ]),
    none(answers, 'No key is parked at the relay.'),
  );
  for (const [service, { severity, code, words }] of rows(({ findings }) => findings))
    output.words(`${severity} ${code} of ${service}: ${words}`);
  return exitCode;
}

async function resumeKey({ client, options, output }) {
  const change = changeOf(options);
  const { topic, key } = options;
  const answer = await client.post('relay/resume-key', { topic, key, ...change });
  output.document({ service: await client.name(), dryRun: change.dryRun, ...answer });
  const what = `${counted(answer.records, 'record')} of ${key}`;
  output.words(said(change, `${what} would be published`, `Publishing again: ${what}.`));
}

async function mend({ client, args, options, output }) {
  const change = changeOf(options);
  const answer = await client.post('relay/mend', { code: args[0], ...change });
  output.document({ service: await client.name(), dryRun: change.dryRun, ...answer });
  output.words(said(change, answer.done, answer.done));
}
