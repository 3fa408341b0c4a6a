import { limitOption, oneOf } from '../arguments.mjs';
import { askAll, changeOf, none, said } from '../asking.mjs';
import { misuse } from '../exit-codes.mjs';
import { counted, timeText } from '../output.mjs';

/** `dead-letters list|show|redrive|discard` */
export function addDeadLetters(program, { act, asking, changing, examples }) {
  const group = program
    .command('dead-letters')
    .description("events that can't go on, and what waits behind them");
  selecting(
    limitOption(
      asking(group.command('list').description('keys that stand still, longest first'), { many: true }),
    ),
  )
    .addHelpText(
      'after',
      examples(['dead-letters list', 'dead-letters list --state dead --type shop.OrderPlaced']),
    )
    .action(act(list, { many: true }));
  limitOption(
    keyed(asking(group.command('show').description("one key's letters, in order, with error and stack"))),
  )
    .addHelpText('after', examples(['dead-letters show --topic shop.events --key order-17']))
    .action(act(show));
  selecting(
    changing(
      group
        .command('redrive')
        .description('try all parked keys again, or the selected ones, in the background'),
    ),
  )
    .addHelpText(
      'after',
      examples([
        'dead-letters redrive --dry-run',
        'dead-letters redrive --topic shop.events --key order-17 --reason "stock was mended"',
      ]),
    )
    .action(act(redrive));
  keyed(
    changing(
      group.command('discard').description('give one event up for good; what waits behind it goes on'),
    ),
  )
    .requiredOption('--event <id>', 'id of the event')
    .addHelpText(
      'after',
      examples([
        'dead-letters discard --topic shop.events --key order-17 --event 0193… --reason "a test order"',
      ]),
    )
    .action(act(discard));
}

function selecting(command) {
  return command
    .option('--topic <name>', 'only of this topic')
    .option('--key <key>', 'only this key')
    .option('--type <name>', 'only where the event at the head is of this type')
    .option('--error <name>', 'only where the head failed with an error of this class')
    .option('--state <state>', 'only retrying or dead', oneOf('retrying', 'dead'));
}

function keyed(command) {
  return command
    .requiredOption('--topic <name>', 'topic of the key')
    .requiredOption('--key <key>', 'the key');
}

const selection = ({ topic, key, type, error, state }) => ({ topic, key, type, error, state });

async function list(context) {
  const { options, output } = context;
  const query = { ...selection(options), limit: options.limit };
  const { answers, exitCode } = await askAll(context, (client) => client.get('dead-letters', query));
  output.table(
    ['service', 'topic', 'key', 'state', 'behind', 'since', 'error'],
    answers.flatMap(({ service, answer }) => answer.keys.map((key) => keyRow(service, key))),
    none(answers, 'No key stands still.'),
  );
  return exitCode;
}

function keyRow(service, { topic, key, state, waiting, since, error }) {
  const words = error ? `${error.name}: ${error.message}` : '';
  return [service, topic, key, state, waiting, timeText(since), words];
}

async function show({ client, options, output }) {
  const { topic, key, limit } = options;
  const answer = await client.get('dead-letters/letters', { topic, key, limit });
  output.document({ service: await client.name(), ...answer });
  output.table(
    ['event', 'type', 'place', 'attempts', 'parked at', 'error'],
    answer.letters.map((letter) => [
      letter.eventId,
      letter.type,
      `${letter.partition}/${letter.offset}`,
      letter.attempts,
      timeText(letter.parkedAt),
      letter.error ? `${letter.error.name}: ${letter.error.message}` : 'waits behind the one above',
    ]),
    `${key} of ${topic} has no letter.`,
  );
  const stack = answer.letters.find(({ error }) => error)?.error.stack;
  if (stack) output.words(`\n${stack}`);
}

async function redrive({ client, options, output }) {
  const change = changeOf(options);
  const answer = await client.post('dead-letters/redrive', { ...selection(options), ...change });
  output.document({ service: await client.name(), dryRun: change.dryRun, ...answer });
  const what = `${counted(answer.letters, 'letter')} of ${counted(answer.keys, 'key')}`;
  output.words(said(change, `${what} would be tried again`, `Trying again: ${what}, in the background.`));
}

async function discard({ client, options, output }) {
  const change = changeOf(options);
  const { topic, key, event } = options;
  if (!/^[0-9a-f-]{36}$/i.test(event)) throw misuse(`--event ${event} is no id: dead-letters show has them`);
  const answer = await client.post('dead-letters/discard', { topic, key, eventId: event, ...change });
  output.document({ service: await client.name(), dryRun: change.dryRun, ...answer });
  const what = `event ${event} of ${key}`;
  output.words(said(change, `${what} would be given up`, `Given up for good: ${what}.`));
}
