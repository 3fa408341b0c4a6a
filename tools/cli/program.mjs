import { Command, Help, InvalidArgumentError } from 'commander';
import { addDeadLetters } from './commands/dead-letters.mjs';
import { addDoctor } from './commands/doctor.mjs';
import { addGroups } from './commands/groups.mjs';
import { addRelay } from './commands/relay.mjs';
import { addReplay } from './commands/replay.mjs';
import { addSagas } from './commands/sagas.mjs';
import { addTopics } from './commands/topics.mjs';
import { EXIT } from './exit-codes.mjs';

const COMMANDS = [addDoctor, addDeadLetters, addGroups, addRelay, addReplay, addSagas, addTopics];

/**
 * The whole command line. Nothing is done while it is read: `act` gets what was asked.
 *
 * @param {(handler: (context: any) => Promise<number | void>, asked: {
 *   args: string[]; options: any; many: boolean }) => Promise<void>} act
 */
export function auraProgram(act) {
  const program = new Command('npm run aura --')
    .description('What an operator asks of running services, through their admin API.')
    .usage('COMMAND [options]')
    .configureHelp({ optionDescription })
    .showSuggestionAfterError(true)
    .addHelpText('after', examples(['doctor', 'dead-letters list', 'groups list --service orders --json']))
    .addHelpText('after', WHERE);
  const kit = {
    act:
      (handler, { many = false } = {}) =>
      (...given) => {
        const command = given.at(-1);
        return act(handler, { args: command.args, options: command.opts(), many });
      },
    asking,
    changing,
    examples,
  };
  for (const add of COMMANDS) add(program, kit);
  prepare(program);
  return program;
}

const WHERE = `
Every command has --help with examples: npm run aura -- groups move --help

Services: --url, or AURA_SERVICES=name=url,... or those of the running demo.
Key: AURA_SERVICE_TOKEN_SECRET (or _FILE), or the demo's. Who: AURA_OPERATOR, or your user name.
Exit codes: ${EXIT.fine} fine, ${EXIT.failed} failed, ${EXIT.usage} wrong usage or no service is known,
            ${EXIT.alarm} the doctor found an alarm.`;

/** Says what has to be given; nobody has to read that a flag is false where it is not given. */
function optionDescription(option) {
  if (option.mandatory) return `${option.description} (needed)`;
  return option.defaultValue === false ? option.description : Help.prototype.optionDescription(option);
}

/** Mistakes end in `run` with the exit code for wrong usage, not in the process. */
function prepare(command) {
  command.exitOverride().helpOption('-h, --help', 'show this page').helpCommand(false);
  for (const each of command.commands) prepare(each);
}

/** The options of every command. */
function asking(command, { many = false } = {}) {
  return command
    .option(
      '--service <name>',
      many ? 'one service, or all (the default)' : 'which service, where several are known',
    )
    .option('--url <url>', 'address of a service, instead of looking it up')
    .option('--timeout <seconds>', 'longest wait for an answer', seconds, 30)
    .option('--json', 'print one JSON document', false);
}

/** The options of every change. */
function changing(command) {
  return asking(command)
    .option('--reason <words>', 'why: needed (but for a dry run), and kept with the change')
    .option('--dry-run', 'say what would be changed, and change nothing', false);
}

function examples(commands) {
  return ['', 'Examples:', ...commands.map((each) => `  npm run aura -- ${each}`)].join('\n');
}

function seconds(text) {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0 && value <= 600) return value;
  throw new InvalidArgumentError('Give seconds, up to 600.');
}
