import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';

export interface DemoOptions {
  readonly once: boolean;
  readonly json: boolean;
  readonly photo: string;
  readonly kafka: boolean;
  readonly processes: boolean;
  /** Whether payments is killed in the middle of a purchase. */
  readonly kill: boolean;
  /** Of the gateway; undefined: the usual one, or a free one where it is taken. */
  readonly port: number | undefined;
  /** Where data and logs are kept. */
  readonly dir: string;
  /** Of Postgres; undefined: the last one, or a free one. */
  readonly postgresPort: number | undefined;
}

/** The clone, from `apps/local/dist` and from `apps/local/src` alike. */
export const CLONE = fileURLToPath(new URL('../../..', import.meta.url));
const DEFAULT_PHOTO = resolve(CLONE, 'photos/d04-blue-denim-shirt.jpg');

/**
 * Reads the command line; on `--help` or a mistake it says so and ends the process, as people expect of a
 * command.
 */
export function readOptions(argv: readonly string[]): DemoOptions {
  const command = new Command('npm run demo --')
    .description(
      'Sends a photo through outbox, log and inbox of two services, then buys outfits over four others, ' +
        'and shows what came of it.',
    )
    .option('--once', 'end after the run, with exit code 0', false)
    .option('--json', 'print one JSON line instead of progress', false)
    .option('--photo <file>', 'analyse this JPEG, PNG or WebP', existingFile, DEFAULT_PHOTO)
    .option('--kafka', 'use a real Kafka and schema registry instead of the log in Postgres', false)
    .option(
      '--processes',
      'run every service in a process of its own, as where traces are sent to a Jaeger',
      false,
    )
    .option('--no-kill', 'leave out the purchase in which payments is killed and comes back')
    .option('--port <number>', 'port of the gateway (default: 8420, or a free one)', portNumber)
    .option(
      '--dir <folder>',
      'where data and logs are kept',
      process.env['AURA_HOME'] ?? resolve(CLONE, '.aura'),
    )
    .option('--postgres-port <number>', 'port of Postgres (default: the last one, or a free one)', portNumber)
    .addHelpText(
      'after',
      [
        '',
        'Examples:',
        '  npm run demo',
        '  npm run demo -- --kafka --photo ~/me.jpg',
        '  npm run -s demo -- --once --json',
      ].join('\n'),
    );
  const options = command.parse(argv, { from: 'user' }).opts<DemoOptions>();
  return { ...options, dir: resolve(options.dir), port: options.port, postgresPort: options.postgresPort };
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new InvalidArgumentError('Give a port from 1 to 65535.');
  return port;
}

function existingFile(text: string): string {
  const file = resolve(process.env['INIT_CWD'] ?? process.cwd(), text);
  if (text === '') throw new InvalidArgumentError('Give a JPEG, PNG or WebP.');
  if (!existsSync(file)) throw new InvalidArgumentError(`There is no file ${file}.`);
  if (!statSync(file).isFile()) throw new InvalidArgumentError(`${file} is a folder: give a file.`);
  return file;
}
