import pc from 'picocolors';
import { askAll } from '../asking.mjs';
import { EXIT } from '../exit-codes.mjs';
import { printable } from '../output.mjs';

const ORDER = ['alarm', 'warning', 'note'];
const PAINT = { alarm: pc.red, warning: pc.yellow, note: pc.dim };

/** `doctor` */
export function addDoctor(program, { act, asking, examples }) {
  asking(program.command('doctor').description('everything that an operator should know, alarms first'), {
    many: true,
  })
    .addHelpText(
      'after',
      `\nExit code ${EXIT.alarm} when there is an alarm, ${EXIT.failed} when a service can't be asked.`,
    )
    .addHelpText('after', examples(['doctor', 'doctor --service orders --json']))
    .action(act(doctor, { many: true }));
}

async function doctor(context) {
  const { output } = context;
  const { answers, exitCode } = await askAll(context, (client) => client.get('doctor'));
  const findings = answers
    .flatMap(({ service, answer }) => answer.findings.map((finding) => ({ service, ...finding })))
    .toSorted((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity));
  const colour = output.out.isTTY === true;
  for (const { service, severity, code, subject, words, command } of findings) {
    const mark = colour ? PAINT[severity](severity.padEnd(7)) : severity.padEnd(7);
    output.line(`${mark}  ${printable(`${service}: ${code}: ${subject}`)}`);
    output.words(`         ${words}`);
    if (command)
      output.words(`         ${verbOf(command)}: npm run aura -- ${withService(command, service)}`);
  }
  const alarms = findings.filter(({ severity }) => severity === 'alarm').length;
  output.line(closing(answers, findings, alarms));
  return alarms > 0 ? EXIT.alarm : exitCode;
}

/** Some commands only say more. */
const verbOf = (command) => (/^\S+ (list|show|status)\b/.test(command) ? 'look' : 'mend it');

/** A finding knows its command; which service it is for, we know. */
function withService(command, service) {
  return / --(service|url) /.test(`${command} `) ? command : `${command} --service ${service}`;
}

function closing(answers, findings, alarms) {
  const names = answers.map(({ service }) => service).join(', ');
  if (answers.length === 0) return 'No service answered.';
  if (findings.length === 0) return `Nothing to report: ${names}.`;
  return `${findings.length} finding${findings.length === 1 ? '' : 's'}, ${alarms} of them alarms: ${names}.`;
}
