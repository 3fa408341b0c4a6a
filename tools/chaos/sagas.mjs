// `npm run chaos -- sagas`: kills the services of sagas under load, then checks S1 to S7.
import { progress } from '../start/progress.mjs';

const MOST_NAMED = 20;
/**
 * What two cores carry while services die: with a kill every 4 s it starts 176 a second, and a ninth of the
 * sagas end at their deadline; with one every 5 s 225. The coordinator is away a tenth of the time.
 */
const STORM = { perSecond: 260, killEveryMs: 5_000 };

/** Gives the exit code: 0 where every law held, 1 where one did not. */
export async function chaosOfSagas({ seconds, seed, log, json }, { load, registryFor }) {
  const { sagaCampaign } = await load('e2e/dist/saga-chaos/saga-campaign.js');
  const { seeded } = await load('libs/testing/dist/index.js');
  const random = seeded('chaos sagas', seed, console.error);
  const registry = await registryFor(log);
  const words = `chaos sagas over ${log}: ${seconds} seconds`;
  const step = json ? undefined : progress(words);
  try {
    const onKill = (kills) => step?.update(`${words}, ${kills} kills`);
    const { broken, counts } = await sagaCampaign({ ...STORM, log, seconds, random, onKill });
    if (broken.length > 0) step?.failed();
    else step?.done();
    const said = { seed, log, seconds, ...counts, 'broken laws': broken.length };
    console.log(json ? JSON.stringify({ ...said, broken: broken.slice(0, MOST_NAMED) }) : table(said));
    if (!json) for (const sentence of broken.slice(0, MOST_NAMED)) console.log(`✖ ${sentence}`);
    return broken.length === 0 ? 0 : 1;
  } catch (error) {
    step?.failed();
    throw error;
  } finally {
    await registry?.stop();
  }
}

function table(rows) {
  const width = Math.max(...Object.keys(rows).map((name) => name.length));
  return Object.entries(rows)
    .map(([name, value]) => `${name.padEnd(width)}  ${String(value).padStart(10)}`)
    .join('\n');
}
