import { GroupCommit } from '@aura/platform';
import { Injectable } from '@nestjs/common';
import { EntityManager } from 'typeorm';
import { pieceKey, type Line } from '../domain/basket.js';
import type { Price } from '../domain/quote.js';

type Piece = Pick<Line, 'sku' | 'size'>;

/** Once per piece that is known, in any order. */
const PRICES = `
  select asked.sku, asked.size, g.name, g.price_cents as "priceCents"
    from unnest($1::text[], $2::text[]) as asked(sku, size)
    join garment g on g.sku = asked.sku and g.offered and asked.size = any(g.sizes)`;

/** What the catalogue says that pieces cost. One query serves all who ask at the same time. */
@Injectable()
export class Prices {
  readonly #asked: GroupCommit<readonly Piece[], ReadonlyMap<string, Price>>;

  constructor(entities: EntityManager) {
    this.#asked = new GroupCommit(async (baskets) => {
      const pieces = [...new Map(baskets.flat().map((piece) => [pieceKey(piece), piece])).values()];
      const found: (Price & Piece)[] = await entities.query(PRICES, [
        pieces.map(({ sku }) => sku),
        pieces.map(({ size }) => size),
      ]);
      const prices = new Map(found.map((price) => [pieceKey(price), price]));
      return baskets.map(() => prices);
    });
  }

  /** By `pieceKey`; what is not offered is missing. */
  of(pieces: readonly Piece[]): Promise<ReadonlyMap<string, Price>> {
    return this.#asked.add(pieces);
  }
}
