import { ProblemException } from '@aura/service';
import { z } from 'zod';

export const RegionName = z.string().min(1).max(40).describe('Where we deliver, for example North.');

/** Throws a 422 that names the regions there are. */
export function assertRegion(region: string, regions: readonly string[]): void {
  if (regions.includes(region)) return;
  throw new ProblemException({
    status: 422,
    kind: 'unknown-region',
    detail: `We do not deliver there: choose one of ${regions.join(', ')}.`,
  });
}
