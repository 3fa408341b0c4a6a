import { seeded } from '@aura/testing';
import { expect, it } from 'vitest';
import { sagaCampaign } from '../src/saga-chaos/saga-campaign.js';

const SECONDS = Number(process.env['AURA_CHAOS_SECONDS'] ?? 20);

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
      expect(counts['committed']).toBeGreaterThan(0);
      expect(counts['aborted: sold-out']).toBeGreaterThan(0);
      expect(counts['kills']).toBeGreaterThan(0);
    },
    600_000 + SECONDS * 1_000,
  );
}
