import { seeded } from '@aura/testing';
import { expect, it } from 'vitest';
import { withCrashRun } from '../src/crash/campaign.js';
import { differences } from '../src/crash/ledger.js';
import type { ServiceProcess } from '../src/crash/service-process.js';

/**
 * Each kill has its chance to fall between the effects and their offset; so many of them have it for
 * certain.
 */
const MOST_KILLS = 30;

it(
  'the ledger finds a stock without an inbox, whose offsets are saved after its effects',
  () =>
    withCrashRun({ log: 'postgres', stocks: ['naive-stock'] }, async (run) => {
      const random = seeded('naive stock');
      const stock = run.stocks[0] as ServiceProcess;
      let found: string[] = [];
      for (let kills = 0; found.length === 0 && kills < MOST_KILLS; kills++) {
        await run.progress(1 + random.int(30));
        await stock.kill();
        stock.start();
        await run.progress(1);
        found = differences(await run.ledger()).filter((words) => / applied \d+ times/.test(words));
      }
      console.log(`found after ${stock.kills} kills:\n${found.slice(0, 5).join('\n')}`);
      expect(found).toContainEqual(expect.stringMatching(/^effect of order .*: applied 2 times$/));
    }),
  600_000,
);
