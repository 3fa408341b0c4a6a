import { GroupCommit, statement } from '@aura/platform';
import { Injectable } from '@nestjs/common';
import { EntityManager } from 'typeorm';

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;

const TOKENS = statement(
  'payment_method_tokens',
  'select ref, token from payment_method where ref = any($1::uuid[])',
);

/** The payment methods that are known. One query serves all who ask at the same time. */
@Injectable()
export class PaymentMethods {
  readonly #tokens: GroupCommit<string, string | undefined>;

  constructor(entities: EntityManager) {
    this.#tokens = new GroupCommit(async (refs) => {
      const rows = await entities.query<{ ref: string; token: string }[]>(TOKENS.text, [refs]);
      const tokens = new Map(rows.map(({ ref, token }) => [ref, token]));
      return refs.map((ref) => tokens.get(ref));
    });
  }

  /** The provider's token of a method; undefined where there is no such method. */
  async tokenOf(ref: string): Promise<string | undefined> {
    return UUID.test(ref) ? this.#tokens.add(ref.toLowerCase()) : undefined;
  }
}
