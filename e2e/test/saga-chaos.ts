import { seeded } from '@aura/testing';
import { expect, it } from 'vitest';
import { sagaCampaign } from '../src/saga-chaos/saga-campaign.js';

const SECONDS = Number(process.env['AURA_CHAOS_SECONDS'] ?? 20);

/** A campaign that brings these about has tried something. */
const TRIED = [
  'kills',
  'committed',
  'aborted: sold-out',
  'aborted: card-declined',
  'aborted: cancelled',
  'aborted: deadline',
  'payments with a fault outside',
  'given back outside',
];

export function itKeepsTheLaws(log: 'postgres' | 'kafka'): void {
  it(
    'S1 to S7: every saga ends, and the laws hold, whoever is killed',
    async () => {
      const random = seeded(`sagas under fire, ${log}`);
      const { broken, counts } = await sagaCampaign({ log, seconds: SECONDS, random });
      console.log(
        Object.entries(counts)
          .map(([name, count]) => `${name} ${count}`)
          .join(', '),
      );
      expect(broken).toEqual([]);
      for (const what of TRIED) expect(counts[what], what).toBeGreaterThan(0);
      const { 'yes after the deadline': yes = 0, 'no after the deadline': no = 0 } = counts;
      expect(yes + no).toBeGreaterThan(0);
      expect(counts['replicas of stock that held']).toBe(2);
    },
    600_000 + SECONDS * 1_000,
  );
}
