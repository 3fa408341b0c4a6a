import { setTimeout as wait } from 'node:timers/promises';
import { progress } from '../start/progress.mjs';
import { CliError, EXIT } from './exit-codes.mjs';

const EVERY_MS = 500;
/** A service that restarts takes its replays up again: it may be away this many times in a row. */
const MAX_FAILURES = 20;
const BAR = 24;

/**
 * Watches a replay until it ends. Ctrl-C ends the watching, never the replay, and says how to go on.
 *
 * @returns {Promise<number>} exit code
 */
export async function follow({ client, output, signal }, started, more) {
  const service = await client.name();
  const shown = output.json ? undefined : progress(words(started));
  let job = started;
  try {
    for (let failures = 0; job.state === 'running';) {
      await wait(EVERY_MS, undefined, { signal });
      try {
        job = (await client.get(`replays/${started.id}`)).job;
        failures = 0;
      } catch (error) {
        if (!(error instanceof CliError) || ++failures > MAX_FAILURES) throw error;
      }
      shown?.update(words(job));
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    shown?.done(`replay ${job.id} goes on without being watched`);
    const rest = `${job.id} --service ${service}`;
    output.aside(`Follow it: npm run aura -- replay follow ${rest}`);
    output.aside(`Cancel it: npm run aura -- replay cancel ${rest} --reason "…"`);
    output.document({ service, ...more, job });
    return EXIT.fine;
  }
  output.document({ service, ...more, job });
  if (job.state === 'done') shown?.done(`replay ${job.id} is done: ${job.published} of ${job.selected}`);
  else shown?.failed(`replay ${job.id} ${job.state}${job.error ? `: ${job.error}` : ''}`);
  return job.state === 'done' ? EXIT.fine : EXIT.failed;
}

/** Short enough for a line of 80 characters. */
function words({ published, selected }) {
  const share = selected === 0 ? 1 : Math.min(1, published / selected);
  const full = Math.round(share * BAR);
  const bar = `${'█'.repeat(full)}${'░'.repeat(BAR - full)}`;
  return `replaying ${bar} ${published} of ${selected}`;
}
