import { EXIT, CliError, misuse } from './exit-codes.mjs';

const REASON_MIN = 3;

/**
 * Asks every chosen service; one that fails is said aside and does not keep the others from being shown.
 *
 * @param {Pick<import('./run.mjs').Context, 'clients' | 'output'>} context
 * @param {(client: import('./admin-client.mjs').AdminClient) => Promise<object>} ask
 * @returns {Promise<{ answers: { service: string, answer: any }[], exitCode: number }>}
 */
export async function askAll({ clients, output }, ask) {
  const results = await Promise.all(
    clients.map(async (client) => {
      try {
        const answer = await ask(client);
        return { service: await client.name(), ok: true, answer };
      } catch (error) {
        if (!(error instanceof CliError)) throw error;
        return { service: client.words, ok: false, error: error.message };
      }
    }),
  );
  const failures = results.filter(({ ok }) => !ok);
  for (const { error } of failures) output.aside(`✖ ${error}`);
  output.document({
    services: results.map(({ service, ok, answer, error }) => ({
      service,
      ok,
      ...answer,
      ...(ok ? {} : { error }),
    })),
  });
  return {
    answers: results.filter(({ ok }) => ok),
    exitCode: failures.length > 0 ? EXIT.failed : EXIT.fine,
  };
}

/** What is said of an empty list: nothing where nobody answered, because nothing is known then. */
export const none = (answers, words) => (answers.length === 0 ? '' : words);

/** What every change is sent with. Nothing is written down for a dry run, so it needs no reason. */
export function changeOf({ reason, dryRun }) {
  if (dryRun) return { reason: reason ?? 'dry run', dryRun };
  if (reason !== undefined && reason.trim().length >= REASON_MIN) return { reason, dryRun };
  throw misuse('Say why: --reason "…" (it is kept with the change), or try it with --dry-run');
}

/** "would redrive" or "redrives": whatever is said of a change, first whether it happened. */
export function said({ dryRun }, would, did) {
  return dryRun ? `Dry run: ${would}. Nothing was changed.` : did;
}
