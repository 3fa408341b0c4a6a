import { wholeNumber } from '../arguments.mjs';
import { changeOf, said } from '../asking.mjs';
import { counted } from '../output.mjs';

/** `topics apply` */
export function addTopics(program, { act, changing, examples }) {
  const group = program.command('topics').description('the topics that services publish on');
  changing(
    group.command('apply').description("make the service's topic where it is missing; say what differs"),
  )
    .option('--partitions <number>', 'partitions of a topic that is made', wholeNumber(1, 1_000), 12)
    .option('--replication <number>', 'copies of each partition in Kafka', wholeNumber(1, 32), 3)
    .addHelpText(
      'after',
      '\nA topic that is there is never changed: moving keys between partitions loses their order.',
    )
    .addHelpText(
      'after',
      examples([
        'topics apply --service orders --dry-run',
        'topics apply --service orders --reason "first rollout"',
      ]),
    )
    .action(act(apply));
}

async function apply({ client, options, output }) {
  const change = changeOf(options);
  const { partitions, replication } = options;
  const { topics } = await client.post('topics/apply', {
    partitions,
    replicationFactor: replication,
    ...change,
  });
  output.document({ service: await client.name(), dryRun: change.dryRun, topics });
  output.table(
    ['topic', 'action', 'what'],
    topics.map(({ name, action, words }) => [name, action, words]),
    'The service publishes on no topic.',
  );
  const made = counted(topics.filter(({ action }) => action === 'create').length, 'topic');
  output.words(said(change, `${made} would be made`, `Made: ${made}.`));
}
