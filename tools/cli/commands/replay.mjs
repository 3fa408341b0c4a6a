import { limitOption, numbers, position, time, wholeNumber } from '../arguments.mjs';
import { askAll, changeOf, none, said } from '../asking.mjs';
import { follow } from '../follow.mjs';
import { counted, timeText } from '../output.mjs';

/** `replay outbox|list|show|follow|cancel` */
export function addReplay(program, { act, asking, changing, examples }) {
  const group = program
    .command('replay')
    .description('send past events again: explicit, labelled, cancellable');
  selecting(
    changing(group.command('outbox').description('publish events of the outbox again; counts them first')),
  )
    .option(
      '--per-second <number>',
      'most records per second; without it as many as the log takes',
      wholeNumber(1, 1_000_000),
    )
    .option('--no-follow', 'end when it has started; it goes on in the service')
    .addHelpText(
      'after',
      examples([
        'replay outbox --service orders --from 2026-11-26T22:00:00Z --dry-run',
        'replay outbox --service orders --key order-17 --reason "stock lost it"',
      ]),
    )
    .action(act(outbox));
  limitOption(asking(group.command('list').description('replays, newest first'), { many: true }))
    .addHelpText('after', examples(['replay list']))
    .action(act(list, { many: true }));
  asking(group.command('show').description('one replay'))
    .argument('<id>', 'its id')
    .addHelpText('after', examples(['replay show 0193…']))
    .action(act(show));
  asking(group.command('follow').description('watch a replay until it ends'))
    .argument('<id>', 'its id')
    .addHelpText('after', examples(['replay follow 0193…']))
    .action(act(watch));
  changing(group.command('cancel').description('end a replay; what was published stays'))
    .argument('<id>', 'its id')
    .addHelpText('after', examples(['replay cancel 0193… --reason "wrong key"']))
    .action(act(cancel));
}

function selecting(command) {
  return command
    .option('--topic <name>', 'only of this topic')
    .option('--from-position <number>', 'from this position of the outbox on', position)
    .option('--to-position <number>', 'up to this position', position)
    .option('--from <time>', 'raised at this time or later (2026-11-26T22:00:00Z)', time)
    .option('--to <time>', 'raised before this time', time)
    .option('--type <name>', 'only of this type')
    .option('--key <key>', 'only of this key')
    .option('--correlation-id <id>', 'only of this saga or workflow')
    .option('--partitions <numbers>', 'only of these partitions of --topic: 0,3,7', numbers);
}

async function outbox(context) {
  const { client, options, output } = context;
  const change = changeOf(options);
  const { topic, fromPosition, toPosition, from, to, type, key, correlationId, partitions, perSecond } =
    options;
  const selection = { topic, fromPosition, toPosition, from, to, type, key, correlationId, partitions };
  const { count, job } = await client.post('replays', { selection, perSecond, ...change });
  const service = await client.name();
  showCount(count, output);
  if (!job) {
    output.document({ service, dryRun: true, count });
    return output.words(said(change, `${counted(count.records, 'record')} would be published again`, ''));
  }
  output.line(`Replay ${job.id} has started.`);
  if (options.follow) return follow(context, job, { count });
  output.document({ service, count, job });
  output.line(`Follow it: npm run aura -- replay follow ${job.id} --service ${service}`);
}

function showCount({ records, bytes, notPublished, oldest, newest }, output) {
  output.table(
    ['records', 'bytes', 'left to the relay', 'oldest', 'newest'],
    [[records, bytes, notPublished, timeText(oldest), timeText(newest)]],
    '',
  );
}

async function list(context) {
  const { options, output } = context;
  const { answers, exitCode } = await askAll(context, (client) =>
    client.get('replays', { limit: options.limit }),
  );
  output.table(
    ['service', 'id', 'state', 'published', 'started', 'by', 'reason'],
    answers.flatMap(({ service, answer }) =>
      answer.jobs.map((job) => [
        service,
        job.id,
        job.state,
        `${job.published} of ${job.selected}`,
        timeText(job.startedAt),
        job.by,
        job.reason,
      ]),
    ),
    none(answers, 'Nothing was ever replayed.'),
  );
  return exitCode;
}

async function show({ client, args, output }) {
  const { job } = await client.get(`replays/${encodeURIComponent(args[0])}`);
  output.document({ service: await client.name(), job });
  showJob(job, output);
}

function showJob(job, output) {
  output.table(
    ['what', 'value'],
    [
      ['id', job.id],
      ['state', job.state],
      ['selection', JSON.stringify(job.selection)],
      ['published', `${job.published} of ${job.selected}`],
      ['position', job.position],
      ['per second', job.perSecond ?? 'as fast as the log takes them'],
      ['started', timeText(job.startedAt)],
      ['ended', timeText(job.endedAt)],
      ['by', job.by],
      ['reason', job.reason],
      ...(job.error ? [['error', job.error]] : []),
    ],
    '',
  );
}

async function watch(context) {
  const { job } = await context.client.get(`replays/${encodeURIComponent(context.args[0])}`);
  return follow(context, job, {});
}

async function cancel({ client, args, options, output }) {
  const change = changeOf(options);
  const { job } = await client.post(`replays/${encodeURIComponent(args[0])}/cancel`, change);
  output.document({ service: await client.name(), dryRun: change.dryRun, job });
  output.words(said(change, `replay ${job.id} would be cancelled`, `Replay ${job.id}: ${job.state}.`));
}
