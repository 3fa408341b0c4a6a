import { randomUUID } from 'node:crypto';
import type { Work } from '@aura/eventing';
import { statement } from '@aura/platform';
import { Address } from './entities/address.entity.js';

/** Keeps an address; resolves to its reference. */
export async function keepAddress(work: Work, region: string, lines: readonly string[]): Promise<string> {
  const ref = randomUUID();
  await work.manager.insert(Address, { ref, region, lines: [...lines], createdAt: work.now });
  return ref;
}

const REGIONS = statement(
  'address_select_regions',
  'select ref, region from address where ref = any($1::uuid[])',
);

/** By reference: the region of the address. What is unknown is not in it. */
export async function regionsOf(work: Work, refs: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const rows = await work.run<{ ref: string; region: string }>(REGIONS, [refs]);
  return new Map(rows.map(({ ref, region }) => [ref, region]));
}
