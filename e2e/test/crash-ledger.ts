/**
 * The promise as a whole (E1, E2, E3, E5, E8): services that are killed and servers that crash, under
 * load; at the end the books of causes and effects must be equal. `AURA_SEED` draws the same storm
 * again, `AURA_CRASH_ROUNDS` makes it longer.
 */
import { seeded } from '@aura/testing';
import { expect, it } from 'vitest';
import { campaign, figures, type CampaignOptions } from '../src/crash/campaign.js';

const ROUNDS = process.env['AURA_CRASH_ROUNDS'];

export function itKeepsTheLedger(
  rule: string,
  options: Pick<CampaignOptions, 'log' | 'strikes'>,
  usually = 6,
): void {
  const rounds = Number(ROUNDS ?? usually);
  it(
    rule,
    async () => {
      const random = seeded(`crash ledger, ${options.log}`);
      const verdict = await campaign({ ...options, rounds, random });
      console.log(figures(verdict));
      expect(verdict.broken).toEqual([]);
    },
    300_000 + rounds * 60_000,
  );
}
