import { GroupCommit } from '@aura/platform';
import { Injectable } from '@nestjs/common';
import { EntityManager, In } from 'typeorm';
import { Purchase } from './entities/purchase.entity.js';

/** The purchases that are known. One query serves all who ask at the same time. */
@Injectable()
export class PurchaseRows {
  readonly #byId: GroupCommit<string, Purchase | undefined>;
  readonly #byKey: GroupCommit<string, Purchase | undefined>;

  constructor(entities: EntityManager) {
    this.#byId = new GroupCommit(async (ids) => {
      const rows = await entities.findBy(Purchase, { id: In(ids) });
      const found = new Map(rows.map((row) => [row.id, row]));
      return ids.map((id) => found.get(id.toLowerCase()));
    });
    this.#byKey = new GroupCommit(async (keys) => {
      const rows = await entities.findBy(Purchase, { idempotencyKey: In(keys) });
      const found = new Map(rows.map((row) => [row.idempotencyKey, row]));
      return keys.map((key) => found.get(key));
    });
  }

  /** `id`: a UUID. */
  byId(id: string): Promise<Purchase | undefined> {
    return this.#byId.add(id);
  }

  byIdempotencyKey(key: string): Promise<Purchase | undefined> {
    return this.#byKey.add(key);
  }
}
