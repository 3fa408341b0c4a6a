/**
 * For specs: `program` says what it has to say to `hear`, not to the terminal.
 *
 * @param {import('commander').Command} program
 * @param {(text: string) => void} [hear]
 */
export function silenced(program, hear = () => undefined) {
  program.configureOutput({ writeOut: hear, writeErr: hear });
  for (const each of program.commands) silenced(each, hear);
  return program;
}
