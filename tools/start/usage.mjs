import { parseArgs } from 'node:util';

/**
 * The arguments of a command. Prints the usage and ends the process with 0 for `--help`; says what it does
 * not understand and ends it with 2.
 *
 * @param {string} usage how the command is called, with examples
 * @param {import('node:util').ParseArgsConfig['options']} options without `help`
 * @returns {{ values: Record<string, any>, positionals: string[] }}
 */
export function readArguments(usage, options) {
  let parsed;
  try {
    const all = { ...options, help: { type: 'boolean', short: 'h', default: false } };
    parsed = parseArgs({ allowPositionals: true, options: all });
  } catch (error) {
    if (!error.code?.startsWith('ERR_PARSE_ARGS')) throw error;
    const [sentence] = error.message.split(/\.\s|\n/); // what follows explains `--` to programmers
    misused(usage, `${sentence}.`);
  }
  if (!parsed.values.help) return parsed;
  console.log(usage);
  process.exit(0);
}

/** Ends the process, of which something else was asked than it can do, with one sentence and the usage. */
export function misused(usage, sentence) {
  console.error(`✖ ${sentence}\n\n${usage}`);
  process.exit(2);
}
