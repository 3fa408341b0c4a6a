import { CommanderError } from 'commander';
import { AdminClient } from './admin-client.mjs';
import { CliError, EXIT } from './exit-codes.mjs';
import { Output, printable } from './output.mjs';
import { auraProgram } from './program.mjs';
import { chosen, knownServices, operatorName, tokenSecret } from './services.mjs';

/**
 * @typedef {object} Context what a command works with
 * @property {string[]} args
 * @property {Record<string, any>} options
 * @property {Output} output
 * @property {AbortSignal} signal aborted by Ctrl-C
 * @property {AdminClient[]} clients of the services that were chosen
 * @property {AdminClient} client the first of them
 */

/**
 * Does what the arguments say. Listens to Ctrl-C only while it runs.
 *
 * @param {string[]} argv after the script's name
 * @returns {Promise<number>} the exit code
 */
export async function run(argv) {
  const interrupted = new AbortController();
  const interrupt = () => {
    if (interrupted.signal.aborted) process.exit(130);
    interrupted.abort();
  };
  process.on('SIGINT', interrupt);
  let exitCode = EXIT.fine;
  const program = auraProgram(async (handler, asked) => {
    exitCode = (await handler(contextOf(asked, interrupted.signal))) ?? EXIT.fine;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    return failed(error);
  } finally {
    process.off('SIGINT', interrupt);
  }
}

/** @returns {Context} */
function contextOf({ args, options, many }, signal) {
  const { env } = process;
  const place = knownServices(env);
  const targets = chosen(options, place, { many });
  const client = {
    secret: tokenSecret(env, place),
    operator: operatorName(env),
    timeoutMs: options.timeout * 1_000,
  };
  const clients = targets.map((target) => new AdminClient(target, client));
  const output = new Output({ json: options.json, out: process.stdout, err: process.stderr });
  return { args, options, output, signal, clients, client: clients[0] };
}

/** Known faults are one sentence; of an unknown one the stack is worth more. */
function failed(error) {
  if (error instanceof CommanderError) {
    // Commander has said what is wrong, or has printed the help that was asked for.
    return error.exitCode === 0 ? EXIT.fine : EXIT.usage;
  }
  if (error instanceof CliError) {
    process.stderr.write(`✖ ${printable(error.message)}\n`);
    return error.exitCode;
  }
  process.stderr.write(`${error.stack ?? error}\n`);
  return EXIT.failed;
}
