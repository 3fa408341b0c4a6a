import { readFile } from 'node:fs/promises';
import type { Logger } from '@aura/platform';
import { LOGGER } from '@aura/service';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { readCatalogue } from '../domain/catalogue-table.js';
import type { CatalogueGarment } from '../domain/garment.js';
import { SIZES } from '../domain/vocabulary.js';

const CATALOGUE = new URL('../../catalogue/garments.tsv', import.meta.url);

/** Replicas that start together load one after the other. */
const LOCK = `select pg_advisory_xact_lock(hashtextextended('inventory:catalogue', 0))`;

/** Rows that say the same already are not written again. `xmax` is 0 in a row that is new. */
const UPSERT_GARMENTS = `
  insert into garment as g
    (sku, name, category, colours, pattern, formality, seasons, sizes, price_cents, offered)
  select sku, name, category, colours, pattern, formality, seasons, sizes, price_cents, true
    from jsonb_to_recordset($1) as read(sku text, name text, category text, colours text[], pattern text,
                                        formality text, seasons text[], sizes text[], price_cents int)
   order by sku
      on conflict (sku) do update
     set name = excluded.name, category = excluded.category, colours = excluded.colours,
         pattern = excluded.pattern, formality = excluded.formality, seasons = excluded.seasons,
         sizes = excluded.sizes, price_cents = excluded.price_cents, offered = true
   where (g.name, g.category, g.colours, g.pattern, g.formality, g.seasons, g.sizes, g.price_cents, g.offered)
         is distinct from
         (excluded.name, excluded.category, excluded.colours, excluded.pattern, excluded.formality,
          excluded.seasons, excluded.sizes, excluded.price_cents, true)
  returning (xmax = 0) as added`;

const WITHDRAW_GARMENTS = `
  update garment set offered = false where offered and not (sku = any($1::text[])) returning sku`;

const INSERT_STOCK = `
  insert into stock (sku, size, on_hand, held, sold, received)
  select sku, size, pieces, 0, 0, pieces
    from unnest($1::text[], $2::text[], $3::int[]) as read(sku, size, pieces)
      on conflict (sku, size) do nothing
  returning sku`;

/** What a load changed, in garments; `sizes`: rows of stock that are new. */
export interface Loaded {
  readonly added: number;
  readonly changed: number;
  readonly withdrawn: number;
  readonly sizes: number;
}

/**
 * Brings the catalogue into the database when the service starts, before anything is answered.
 *
 * The file is the truth for what a garment is: what has changed is updated, what has gone is no longer
 * offered, nothing is deleted. The database is the truth for stock: only a new size begins with the file's
 * pieces. Loading the same file again changes nothing. A file with a mistake ends the start.
 */
@Injectable()
export class CatalogueLoader implements OnModuleInit {
  constructor(
    private readonly dataSource: DataSource,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async onModuleInit(): Promise<void> {
    const garments = readCatalogue(await readFile(CATALOGUE, 'utf8'));
    const loaded = await this.load(garments);
    this.logger.info({ garments: garments.length, ...loaded }, 'the catalogue is loaded');
  }

  /** In one transaction: readers see the old catalogue or the new one. */
  load(garments: readonly CatalogueGarment[]): Promise<Loaded> {
    return this.dataSource.transaction((entities) => load(entities, garments));
  }
}

async function load(entities: EntityManager, garments: readonly CatalogueGarment[]): Promise<Loaded> {
  await entities.query(LOCK);
  const upserted: { added: boolean }[] = await entities.query(UPSERT_GARMENTS, [
    JSON.stringify(garments.map(rowOf)),
  ]);
  const [withdrawn]: [object[]] = await entities.query(WITHDRAW_GARMENTS, [garments.map(({ sku }) => sku)]);
  const stock = garments.flatMap(({ sku, stock: sizes }) => sizes.map((first) => ({ sku, ...first })));
  const sizes: object[] = await entities.query(INSERT_STOCK, [
    stock.map(({ sku }) => sku),
    stock.map(({ size }) => size),
    stock.map(({ pieces }) => pieces),
  ]);
  const added = upserted.filter((row) => row.added).length;
  return { added, changed: upserted.length - added, withdrawn: withdrawn.length, sizes: sizes.length };
}

function rowOf({ priceCents, stock, ...garment }: CatalogueGarment): object {
  const sizes = stock.map(({ size }) => size);
  return { ...garment, sizes: SIZES.filter((size) => sizes.includes(size)), price_cents: priceCents };
}
