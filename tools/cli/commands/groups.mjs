import { InvalidArgumentError } from 'commander';
import { position, time, wholeNumber } from '../arguments.mjs';
import { askAll, changeOf, none, said } from '../asking.mjs';
import { counted, timeText } from '../output.mjs';

/** `groups list|move|pause|resume` */
export function addGroups(program, { act, asking, changing, examples }) {
  const group = program.command('groups').description('where services stand in what they read');
  asking(
    group
      .command('list')
      .description('each partition: position, bounds of the log, records behind, owner, why it stands still'),
    {
      many: true,
    },
  )
    .addHelpText('after', examples(['groups list', 'groups list --service orders']))
    .action(act(list, { many: true }));
  changing(
    group
      .command('move')
      .description('set where a group reads on in a topic; what it has applied is not applied again'),
  )
    .requiredOption('--topic <name>', 'in this topic')
    .option('--partition <number>', 'only this partition', wholeNumber(0, 100_000))
    .requiredOption('--to <where>', 'first, end, an offset, or a time such as 2026-11-26T22:00:00Z', target)
    .addHelpText(
      'after',
      examples([
        'groups move --topic shop.events --to 2026-11-26T22:00:00Z --dry-run',
        'groups move --topic shop.events --partition 3 --to 1200 --reason "read again what was lost"',
      ]),
    )
    .action(act(move));
  changing(
    group
      .command('pause')
      .description('stop applying events in every replica, until it is resumed; nothing is lost'),
  )
    .addHelpText('after', examples(['groups pause --service orders --reason "a bad deploy"']))
    .action(act(pause));
  changing(
    group
      .command('resume')
      .description('go on where it stood, after a pause by an operator or by too many failures'),
  )
    .addHelpText('after', examples(['groups resume --service orders --reason "rolled back"']))
    .action(act(resume));
}

/** The body's part that says where to. */
function target(text) {
  if (text === 'first' || text === 'end') return { to: text };
  try {
    return /^\d+$/.test(text) ? { offset: position(text) } : { time: time(text) };
  } catch {
    throw new InvalidArgumentError(
      'Give first, end, an offset, or a time with its zone (2026-11-26T22:00:00Z).',
    );
  }
}

async function list(context) {
  const { output } = context;
  const { answers, exitCode } = await askAll(context, (client) => client.get('group'));
  for (const { service, answer } of answers) {
    const { since, by, reason } = answer.paused ?? {};
    if (since) output.words(`${service} is paused since ${timeText(since)} by ${by}: ${reason}`);
  }
  output.table(
    ['service', 'topic', 'partition', 'next', 'log', 'behind', 'owner', 'stands still'],
    answers.flatMap(({ service, answer }) => answer.partitions.map((each) => partitionRow(service, each))),
    none(answers, 'No group has read anything yet.'),
  );
  return exitCode;
}

function partitionRow(service, { topic, partition, nextOffset, first, end, owner, released, stalled }) {
  const bounds = end === undefined ? 'does not answer' : `${first}–${end}`;
  const behind = end && nextOffset ? String(BigInt(end) - BigInt(nextOffset)) : '';
  const holder = released ? 'free' : owner.slice(0, 8);
  const why = stalled ? `${stalled.code}: ${stalled.words}` : undefined;
  return [service, topic, partition, nextOffset ?? 'unknown', bounds, behind, holder, why];
}

async function move({ client, options, output }) {
  const change = changeOf(options);
  const { topic, partition, to } = options;
  const { moves } = await client.post('group/move', { topic, partition, ...to, ...change });
  output.document({ service: await client.name(), dryRun: change.dryRun, moves });
  output.table(
    ['topic', 'partition', 'from', 'to'],
    moves.map((each) => [each.topic, each.partition, each.from ?? 'unknown', each.target]),
    `${topic} has no such partition.`,
  );
  const what = counted(moves.length, 'partition');
  output.words(said(change, `${what} would be moved`, `Moved: ${what}. Units under way start anew there.`));
}

function pause(context) {
  return plainChange(context, 'group/pause', 'paused');
}

function resume(context) {
  return plainChange(context, 'group/resume', 'resumed');
}

async function plainChange({ client, options, output }, path, done) {
  const change = changeOf(options);
  await client.post(path, change);
  const service = await client.name();
  output.document({ service, dryRun: change.dryRun });
  output.words(said(change, `${service} would be ${done}`, `${service} is ${done}.`));
}
