import { ago, limitOption, oneOf } from '../arguments.mjs';
import { askAll, changeOf, none, said } from '../asking.mjs';
import { timeText } from '../output.mjs';

const PHASES = ['PREPARING', 'PREPARED', 'COMMITTING', 'COMMITTED', 'ABORTING', 'ABORTED'];

const ACTIONS = {
  retry: ['say again now what was not answered', 'the participants are back'],
  abort: ['abort what is not decided; a pivot under way is asked not to run', 'the buyer called'],
  'force-commit': ['commit: every voting branch is prepared, nothing is decided', 'all have said yes'],
  'force-cancel': ['abort now, or not at all: no pivot may be under way', 'the buyer called'],
};

/** `sagas list|show|retry|abort|force-commit|force-cancel|resolve` */
export function addSagas(program, { act, asking, changing, examples }) {
  const group = program
    .command('sagas')
    .description('sagas that services started, and what an operator can do');
  limitOption(asking(group.command('list').description('sagas, newest first'), { many: true }))
    .option('--type <name>', 'only of this type')
    .option('--phase <phase>', 'only in this phase', oneOf(...PHASES))
    .option('--attention', 'only those that an operator should look at')
    .option('--older-than <span>', 'only started longer ago: 15m, 2h, 3d', ago)
    .option('--before <id>', 'goes on behind this one: the last of the page before')
    .addHelpText(
      'after',
      examples(['sagas list', 'sagas list --attention', 'sagas list --phase COMMITTING --older-than 15m']),
    )
    .action(act(list, { many: true }));
  limitOption(asking(group.command('show').description('one saga: branches, why, and its log')))
    .argument('<id>', 'its id')
    .addHelpText('after', examples(['sagas show 0193…', 'sagas show 0193… --json']))
    .action(act(show));
  for (const [name, [description, why]] of Object.entries(ACTIONS))
    changing(group.command(name).description(description))
      .argument('<id>', "the saga's id")
      .addHelpText(
        'after',
        examples([`sagas ${name} 0193… --dry-run`, `sagas ${name} 0193… --reason "${why}"`]),
      )
      .action(act((context) => change(context, name)));
  changing(group.command('resolve').description('say by hand what became of one branch'))
    .argument('<id>', "the saga's id")
    .requiredOption('--branch <name>', 'the branch, as `sagas show` has it')
    .requiredOption('--as <outcome>', 'committed or cancelled', oneOf('committed', 'cancelled'))
    .addHelpText(
      'after',
      examples([
        'sagas resolve 0193… --branch payment --as committed --dry-run',
        'sagas resolve 0193… --branch payment --as committed --reason "the bank has it"',
      ]),
    )
    .action(
      act((context) =>
        change(context, 'resolve', { branch: context.options.branch, outcome: context.options.as }),
      ),
    );
}

async function list(context) {
  const { options, output } = context;
  const { type, phase, attention, olderThan: startedBefore, before, limit } = options;
  const query = { type, phase, attention, startedBefore, before, limit };
  const { answers, exitCode } = await askAll(context, (client) => client.get('sagas', query));
  output.table(
    ['service', 'id', 'saga', 'phase', 'started', 'decided', 'ended', 'why'],
    answers.flatMap(({ service, answer }) => answer.sagas.map((saga) => sagaRow(service, saga))),
    none(answers, 'No such saga was started.'),
  );
  for (const { service, answer } of answers)
    if (answer.next) output.line(`There is more of ${service}: --service ${service} --before ${answer.next}`);
  return exitCode;
}

function sagaRow(service, { id, type, version, phase, startedAt, decidedAt, endedAt, ...saga }) {
  const times = [startedAt, decidedAt, endedAt].map(timeText);
  return [service, id, `${type} v${version}`, phase, ...times, whyOf(saga)];
}

/** What an operator should look at comes first. */
function whyOf({ why, attention }) {
  if (attention) return `! ${attention.text}`;
  return why ? `${why.code}: ${why.text}` : '';
}

async function show({ client, args, options, output }) {
  const answer = await client.get(`sagas/${encodeURIComponent(args[0])}`, { limit: options.limit });
  const service = await client.name();
  output.document({ service, ...answer });
  showSaga(service, answer.saga, output);
  output.line(`\nPossible now: ${answer.possible.join(', ') || 'nothing'}.\n`);
  output.table(
    ['step', 'at', 'what'],
    answer.log.map(({ revision, at, facts }) => [revision, timeText(at), facts.map(factText).join('; ')]),
    'Nothing of it was kept.',
  );
}

function showSaga(service, saga, output) {
  output.table(
    ['service', 'id', 'saga', 'phase', 'started', 'decided', 'ended', 'why'],
    [sagaRow(service, saga)],
    '',
  );
  output.table(
    ['branch', 'type', 'kind', 'state', 'refused'],
    saga.branches.map(({ name, type, kind, state, refusal }) => [name, type, kind, state, refusal?.text]),
    'Nothing is known of its branches.',
  );
}

/** `prepared stock`, `aborted (no answer in time from stock)` */
function factText({ fact, branch, action, by, why, reason, text }) {
  const more = why?.text ?? (typeof reason === 'string' ? `${by}: ${reason}` : reason?.text) ?? text;
  return [fact, action, branch, more && `(${more})`].filter(Boolean).join(' ');
}

async function change({ client, args, options, output }, action, more = {}) {
  const asked = changeOf(options);
  const { saga } = await client.post(`sagas/${encodeURIComponent(args[0])}/${action}`, { ...more, ...asked });
  const service = await client.name();
  output.document({ service, dryRun: asked.dryRun, saga });
  output.words(
    said(asked, `saga ${saga.id} would be ${saga.phase}`, `Saga ${saga.id} is ${saga.phase} now.`),
  );
  showSaga(service, saga, output);
}
